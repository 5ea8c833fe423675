"""A large file: uploaded against `cp` and `sync` on the same disk, downloaded against nginx."""

import os
import shutil
import subprocess
import tempfile
import time
from pathlib import Path

import table
from load import alternate
from servers import FOLDER, Appliance, Memory, Nginx

ROUNDS = 3


def measure(folder, size_mib):
    # In a portal of its own, which goes with all that was uploaded to it.
    with tempfile.TemporaryDirectory(dir=FOLDER) as throwaway:
        shutil.copytree(folder / "data", Path(throwaway) / "data")
        measure_in(Path(throwaway), size_mib)


def measure_in(folder, size_mib):
    table.heading(f"A file of {size_mib:,} MiB")
    copies = FOLDER / "nginx"
    copies.mkdir(exist_ok=True)
    file = copies / "large.bin"
    warm(folder, size_mib)
    random_file(file, size_mib)
    with Appliance(folder) as appliance, Nginx(copies) as nginx:
        token = appliance.sign_in("eve")
        with Memory(appliance) as memory:
            ours_s, theirs_s = alternate(
                ROUNDS, lambda: upload(appliance, token, file), lambda: copy(file, folder)
            )
        show("upload", size_mib / ours_s, size_mib / theirs_s, "cp and sync")
        table.alone("memory that uploading took", table.mib(memory.grown_mib()))
        found = appliance.ask("/api/documents?limit=1&sort=newest", token=token)
        ours = f"/api/documents/{found['documents'][0]['id']}/download"
        ours_s, theirs_s = alternate(
            ROUNDS,
            lambda: download(appliance.url + ours, token),
            lambda: download(f"{nginx.url}/{file.name}"),
        )
        show("download", size_mib / ours_s, size_mib / theirs_s, "nginx")
    file.unlink()


def random_file(file, size_mib):
    with open(file, "wb") as out:
        for _ in range(size_mib):
            out.write(os.urandom(1 << 20))


def warm(folder, size_mib):
    """Writes once where uploads and copies of a file of this size are going to be: disks of virtual
    machines are slow where nothing was ever written, and that would be all that is measured."""
    cold = folder / "cold.bin"
    random_file(cold, 2 * (ROUNDS + 1) * size_mib)
    subprocess.run(["sync", cold], check=True)
    cold.unlink()
    subprocess.run(["sync"], check=True)


def upload(appliance, token, file):
    # Not the same content again: that would be stored already.
    with open(file, "r+b") as start:
        start.write(os.urandom(16))
    form = ["-F", f"file=@{file}"]
    return curl(*form, *bearer(token), f"{appliance.url}/api/admin/documents/upload")


def download(url, token=""):
    return curl(*bearer(token), url)


def bearer(token):
    return ["-H", f"Authorization: Bearer {token}"] if token else []


def curl(*arguments):
    """Seconds that it took."""
    command = ["curl", "-sS", "--fail", "-o", "/dev/null", "-w", "%{time_total}", *arguments]
    return float(subprocess.run(command, check=True, capture_output=True, text=True).stdout)


def copy(file, folder):
    # It stays, as an upload does: many disks write faster where something was before.
    target = folder / f"{file.stem}-{time.monotonic_ns()}.copy"
    begin = time.perf_counter()
    shutil.copyfile(file, target)
    subprocess.run(["sync", target], check=True)
    return time.perf_counter() - begin


def show(what, ours, theirs, peer):
    table.more_is_better(what, ours, theirs, peer, table.mib_per_second)
