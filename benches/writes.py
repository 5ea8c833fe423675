"""Durable writes over HTTP. Appliance answers when the disk has a write; PocketBase, as it ships,
does not sync each commit."""

import random
import shutil
import tempfile
from pathlib import Path

import table
from load import alternate, load
from servers import FOLDER, Appliance, PocketBase

ROUNDS = 3
EDITED = 500


def measure(folder):
    # In copies, which go with all that was written to them.
    with tempfile.TemporaryDirectory(dir=FOLDER) as throwaway:
        shutil.copytree(folder, throwaway, dirs_exist_ok=True)
        measure_in(Path(throwaway))


def measure_in(folder):
    table.heading("Writes")
    with Appliance(folder) as appliance, PocketBase(folder) as pocketbase:
        ours = Writes(appliance, "eve", "/api/admin/documents/link", "/api/documents")
        records = "/api/collections/documents/records"
        theirs = Writes(pocketbase, "eve", records, records)
        for what in ["edit", "create"]:
            for clients in [1, 8, 64]:
                our_write, their_write = getattr(ours, what), getattr(theirs, what)
                pair = alternate(ROUNDS, lambda: our_write(clients), lambda: their_write(clients))
                show(f"{what}, {clients} clients", *pair)


class Writes:
    def __init__(self, server, user, new, address):
        self.server, self.token, self.new = server, server.sign_in(user), new
        made = (server.ask(new, self.document(), "POST", self.token) for _ in range(EDITED))
        self.addresses = [f"{address}/{one['id']}" for one in made]

    def edit(self, clients):
        edits = [(address, {"title": title()}) for address in self.addresses for _ in range(4)]
        return load(self.server.url, edits, clients, "PATCH", self.token)

    def create(self, clients):
        new = [(self.new, self.document()) for _ in range(EDITED)]
        return load(self.server.url, new, clients, "POST", self.token)

    def document(self):
        fields = {"title": title(), "description": "Something to read.", "status": "published"}
        extra = {"url": "https://www.example.com/"} if self.server.name == "Appliance" else {}
        return {**fields, "visibility": "organization", **extra}


def title():
    return f"Paper {random.randrange(10**9)}"


def show(what, ours, theirs):
    pair = (ours.per_second, theirs.per_second, "PocketBase", table.per_second)
    table.more_is_better(what, *pair)
    table.less_is_better(f"{what}, p99", ours.p99_ms, theirs.p99_ms, "PocketBase", table.ms)
