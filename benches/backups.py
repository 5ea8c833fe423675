"""Backups against `tar | zstd -1` of the same data, what writers feel meanwhile, an increment of one
hundredth, and restores. Each is measured in the time it takes and in the time of the processor, which
says more where others are at work."""

import json
import os
import random
import resource
import subprocess
import tempfile
import threading
import time
from dataclasses import dataclass
from pathlib import Path
from statistics import median

import table
from load import load
from servers import APPLIANCE, FOLDER, PASSWORD, Appliance

ROUNDS = 3
FILE_MIB = 2
CLIENTS = 8
EDITED = 200
ROUNDS_OF_WRITERS = 5


def measure(size_mib):
    FOLDER.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=FOLDER) as throwaway:
        measure_in(Path(throwaway), size_mib)


def measure_in(folder, size_mib):
    table.heading(f"Backups of {size_mib:,} MiB")
    data = folder / "data"
    add_administrator(data)
    fill(folder, size_mib, range(size_mib // FILE_MIB))
    measure_full(folder, data, size_mib)
    measure_increment(folder, data, size_mib)
    measure_restore(folder, size_mib)
    measure_writers(folder)


def measure_full(folder, data, size_mib):
    """To nowhere, and both without looking at it again: what writing costs by itself."""
    ours, theirs = [], []
    for _ in range(ROUNDS):
        ours.append(timed(appliance(data, "backup", "-"), stdout=subprocess.DEVNULL))
        # What is in it: the records, and files by their hash.
        tar = f"tar -C {data} -cf - appliance.redb objects spool | zstd -1 -q -c > /dev/null"
        theirs.append(timed(["sh", "-c", tar]))
    show("full backup", ours, theirs, size_mib, "tar, zstd -1")
    checked = [timed(appliance(data, "backup", str(folder / "full.tar.zst")))]
    written = folder / "theirs.tar.zst"
    tar = f"tar -C {data} -cf - appliance.redb objects spool | zstd -1 -q -c > {written}"
    again = f"zstd -q -d -c {written} | sha256sum > /dev/null"
    both = [timed(["sh", "-c", f"{tar} && sync {written} && {again}"])]
    written.unlink()
    show("to a file and read again", checked, both, size_mib, "tar, zstd -1, then zstd -d, sha256sum")


def measure_increment(folder, data, size_mib):
    repository = folder / "repository"
    first = timed(appliance(data, "backup", "--to", str(repository)))
    table.alone("first into a repository", speed(first.s, size_mib))
    changed = max(1, size_mib // FILE_MIB // 100)
    fill(folder, size_mib, range(changed))
    command = appliance(data, "backup", "--to", str(repository), "--json")
    begin = time.perf_counter()
    made = json.loads(subprocess.run(command, check=True, capture_output=True).stdout)
    seconds = time.perf_counter() - begin
    written = made["written_bytes"] / (1 << 20)
    table.alone("one hundredth changed", f"{seconds:.1f} s, {table.mib(written)} written")


def measure_restore(folder, size_mib):
    for what, source in [("archive", "full.tar.zst"), ("repository", "repository")]:
        target = folder / f"restored-{what}"
        restored = timed(appliance(target, "restore", str(folder / source)))
        table.alone(f"restore of the {what}", speed(restored.s, size_mib))
        subprocess.run(["rm", "-rf", target], check=True)


def measure_writers(folder):
    """The same edits, with a backup under way and without, in turns."""
    with Appliance(folder) as server:
        token = server.sign_in("ada")
        link = {"url": "https://www.example.com/", "visibility": "organization"}
        made = [
            server.ask("/api/admin/documents/link", {**link, "title": str(one)}, "POST", token)
            for one in range(EDITED)
        ]
        edits = [(f"/api/documents/{one['id']}", {"title": title()}) for one in made]
        quiet, busy = [], []
        for _ in range(ROUNDS_OF_WRITERS):
            quiet.append(load(server.url, edits, CLIENTS, "PATCH", token).p99_ms)
            with BackingUp(folder / "data") as backing_up:
                busy.append(load(server.url, edits, CLIENTS, "PATCH", token).p99_ms)
            if not backing_up.count:
                raise SystemExit("no backup was under way while writers were measured")
    what = f"p99 of {CLIENTS} writers during a backup"
    table.less_is_better(what, median(busy), median(quiet), "without", table.ms)


class BackingUp:
    """Makes one backup after the other, of the server that runs."""

    def __init__(self, data):
        self.command, self.is_over, self.count = appliance(data, "backup", "-"), False, 0

    def __enter__(self):
        self.thread = threading.Thread(target=self.run)
        self.thread.start()
        return self

    def run(self):
        while not self.is_over:
            nowhere = subprocess.DEVNULL
            subprocess.run(self.command, check=True, stdout=nowhere, stderr=nowhere)
            self.count += 1

    def __exit__(self, *_):
        self.is_over = True
        self.thread.join()


@dataclass
class Timed:
    s: float
    processor_s: float


def timed(command, **more):
    """Also of the processes that it starts."""
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    begin = time.perf_counter()
    subprocess.run(command, check=True, stderr=subprocess.DEVNULL, **{"stdout": subprocess.DEVNULL, **more})
    seconds = time.perf_counter() - begin
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    spent = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    return Timed(seconds, spent)


def show(what, ours, theirs, size_mib, peer):
    middle = lambda column, of: median(getattr(one, of) for one in column)
    for name, of in [(what, "s"), (f"{what}, processor", "processor_s")]:
        pair = (size_mib / middle(ours, of), size_mib / middle(theirs, of))
        table.more_is_better(name, *pair, peer, table.mib_per_second)


def speed(seconds, size_mib):
    return table.mib_per_second(size_mib / seconds)


def appliance(data, *verb):
    return [str(APPLIANCE), *verb, "--data", str(data)]


def add_administrator(data):
    new = ["user", "add", "ada", "--email", "ada@example.com", "--admin"]
    new += ["--organization", "Northlight", "--password-file", "-"]
    subprocess.run(appliance(data, *new), check=True, capture_output=True, input=PASSWORD.encode())


def fill(folder, size_mib, numbers):
    """Uploads files that are a little compressible, as documents are: half words, half noise."""
    words = [f"{random.getrandbits(40):x}" for _ in range(4096)]
    with Appliance(folder) as server:
        token = server.sign_in("ada")
        for number in numbers:
            half = FILE_MIB << 19
            text = " ".join(random.choices(words, k=half // 9)).encode()[:half]
            upload(server, token, f"{number}.bin", text + os.urandom((FILE_MIB << 20) - len(text)))
        # What waits on the spool moves to where it rests.
        while any(Path(folder / "data" / "spool").glob("????????????????*")):
            time.sleep(0.2)


def upload(server, token, name, content):
    with tempfile.NamedTemporaryFile(dir=FOLDER) as file:
        file.write(content)
        file.flush()
        form = ["-F", f"file=@{file.name};filename={name}", "-F", "visibility=organization"]
        url = f"{server.url}/api/admin/documents/upload"
        head = f"Authorization: Bearer {token}"
        subprocess.run(["curl", "-sS", "-f", "-o", "/dev/null", "-H", head, *form, url], check=True)


def title():
    return f"Paper {random.randrange(10**9)}"
