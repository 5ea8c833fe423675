"""A large file to the disk and to S3 and back, and the memory that it takes.

The S3 is `benches/s3.rs` on this machine: what is measured is the portal and not a network. Its peer is
curl, which sends the same bytes to the same S3 and fetches them from there."""

import json
import os
import subprocess
import tempfile
import time
from pathlib import Path

import table
from files import bearer, copy, curl, random_file, show, upload, warm
from load import alternate
from servers import FOLDER, Appliance, Memory, Server, free_port

ROUNDS = 3
BUCKET = "documents"
KEYS = {"AWS_ACCESS_KEY_ID": "bench", "AWS_SECRET_ACCESS_KEY": "a-tall-green-kettle"}
LOOK_S = 0.02


class S3(Server):
    name = "s3s"

    def __init__(self, folder):
        folder.mkdir()
        port = free_port()
        super().__init__([program(), folder, str(port)], port, "/", KEYS)

    def answers(self):
        # Nobody is let in without a signature: any answer will do.
        try:
            return bool(subprocess.run(["curl", "-s", "-o", "/dev/null", self.url]).returncode == 0)
        except OSError:
            return False

    def send(self, file, key):
        """Seconds until curl has put a file there."""
        return curl("-T", str(file), *self.signed(), f"{self.url}/{BUCKET}/{key}")

    def fetch(self, key):
        return curl(*self.signed(), f"{self.url}/{BUCKET}/{key}")

    @staticmethod
    def signed():
        user = ":".join(KEYS.values())
        # A curl of before 8 would leave the header out, and a strict S3 insists on it.
        body = ["-H", "x-amz-content-sha256: UNSIGNED-PAYLOAD"]
        return ["--aws-sigv4", "aws:amz:us-east-1:s3", "--user", user, *body]


def program():
    command = ["cargo", "bench", "--quiet", "--profile", "dist", "--bench", "s3", "--no-run"]
    said = subprocess.run(
        [*command, "--message-format=json"], check=True, capture_output=True, text=True
    )
    messages = [json.loads(line) for line in said.stdout.splitlines() if line.startswith("{")]
    built = [one for one in messages if one.get("executable") and one["target"]["name"] == "s3"]
    return built[-1]["executable"]


class OnS3(Appliance):
    def __init__(self, folder, s3, delivery):
        super().__init__(folder)
        settings = {
            "BACKEND": "s3",
            "DELIVERY": delivery,
            "CACHE_MB": "0",
            "S3_BUCKET": BUCKET,
            "S3_ENDPOINT": s3.url,
            "S3_PATH_STYLE": "true",
            "S3_ALLOW_HTTP": "true",
        }
        named = {f"APPLIANCE_STORAGE_{name}": value for name, value in settings.items()}
        self.environment = {**self.environment, **KEYS, **named}


def measure(folder, size_mib, large_mib):
    # In a portal of its own, which goes with all that was uploaded to it.
    with tempfile.TemporaryDirectory(dir=FOLDER) as throwaway:
        subprocess.run(["cp", "-r", folder / "data", throwaway], check=True)
        measure_in(Path(throwaway), size_mib, large_mib)


def measure_in(folder, size_mib, large_mib):
    table.heading(f"A file of {size_mib:,} MiB, to the disk and to S3 (s3s on this machine)")
    file = folder / "large.bin"
    warm(folder, size_mib)
    random_file(file, size_mib)
    with Appliance(folder) as appliance:
        to_disk(appliance, file, size_mib)
    with S3(folder / "s3") as s3:
        with OnS3(folder, s3, "redirect") as appliance:
            to_s3(appliance, s3, folder, file, size_mib)
            from_s3(appliance, s3, file, size_mib, "download from S3 by a link")
        with OnS3(folder, s3, "proxy") as appliance:
            from_s3(appliance, s3, file, size_mib, "download from S3 through us")
            file.unlink()
            keeps_memory(appliance, folder, file, large_mib)


def to_disk(appliance, file, size_mib):
    token = appliance.sign_in("eve")
    ours_s, theirs_s = alternate(
        ROUNDS, lambda: upload(appliance, token, file), lambda: copy(file, file.parent)
    )
    show("upload to the disk", size_mib / ours_s, size_mib / theirs_s, "cp and sync")


def to_s3(appliance, s3, folder, file, size_mib):
    token = appliance.sign_in("eve")
    moves_s = []

    def send():
        took_s = upload(appliance, token, file)
        begin = time.perf_counter()
        wait_until_moved(folder)
        moves_s.append(time.perf_counter() - begin)
        return took_s

    ours_s, theirs_s = alternate(ROUNDS, send, lambda: s3.send(file, "curl.bin"))
    show("upload, answered", size_mib / ours_s, size_mib / theirs_s, "curl to S3")
    moved_s = sorted(moves_s)[len(moves_s) // 2]
    show("from here to S3", size_mib / moved_s, size_mib / theirs_s, "curl to S3")


def from_s3(appliance, s3, file, size_mib, what):
    token = appliance.sign_in("eve")
    found = appliance.ask("/api/documents?limit=1&sort=newest", token=token)
    address = f"{appliance.url}/api/documents/{found['documents'][0]['id']}/download"
    ours_s, theirs_s = alternate(
        ROUNDS,
        lambda: curl("-L", *bearer(token), address),
        lambda: s3.fetch("curl.bin"),
    )
    show(what, size_mib / ours_s, size_mib / theirs_s, "curl from S3")


def keeps_memory(appliance, folder, file, large_mib):
    random_file(file, large_mib)
    token = appliance.sign_in("eve")
    appliance.ask("/api/documents?limit=1", token=token)
    with Memory(appliance) as memory:
        upload(appliance, token, file)
        wait_until_moved(folder)
    what = f"memory that {large_mib:,} MiB took on their way to S3"
    table.alone(what, table.mib(memory.grown_mib()))


def wait_until_moved(folder):
    spool = folder / "data" / "spool"
    while any(entry.is_file() for entry in spool.iterdir()):
        time.sleep(LOOK_S)
