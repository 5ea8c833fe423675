"""The same documents for both: in a portal, and in a PocketBase with a rule that says the same.

They are made once. Remove target/benches to make them anew."""

import json
import sqlite3
import subprocess

from servers import FOLDER, PASSWORD, PocketBase

# What a reader of the library sees, as a PocketBase list rule. Of those that say it, the fastest.
READ_RULE = 'status = "published" && (visibility != "restricted" || @request.auth.groups ~ group)'
WRITE_RULE = '@request.auth.id != ""'


def dataset(documents):
    """The folder with so many documents."""
    folder = FOLDER / f"{documents}"
    if not (folder / "complete").exists():
        print(f"Making {documents:,} documents", flush=True)
        subprocess.run(["rm", "-rf", folder], check=True)
        folder.mkdir(parents=True)
        command = ["cargo", "bench", "--quiet", "--profile", "dist", "--bench", "dataset", "--"]
        subprocess.run([*command, folder.absolute(), str(documents)], check=True)
        fill_pocketbase(folder)
        (folder / "complete").touch()
    return folder


def lines(folder):
    with open(folder / "documents.jsonl") as file:
        for line in file:
            yield json.loads(line)


def fill_pocketbase(folder):
    data = folder / "pocketbase"
    admin = ["superuser", "upsert", "ada@example.com", PASSWORD, "--dir", data]
    subprocess.run([PocketBase.program(), *admin], check=True, capture_output=True)
    with PocketBase(folder) as pocketbase:
        make_collections(pocketbase, folder)
    with sqlite3.connect(data / "data.db") as database:
        rows = ((f"{number:015d}", *row(line)) for number, line in enumerate(lines(folder)))
        columns = ", ".join(f"`{column}`" for column in ["id", *COLUMNS])
        database.executemany(f"INSERT INTO documents ({columns}) VALUES (?,?,?,?,?,?,?,?,?)", rows)
        database.execute("ANALYZE")


COLUMNS = ["title", "description", "category", "tags", "status", "visibility", "group", "created"]


def row(line):
    created = line["created"].replace("T", " ").removesuffix("Z")
    line["created"] = f"{created.split('.')[0]}.000Z"
    line["tags"] = json.dumps(line["tags"])
    line["group"] = group_id(line["group"])
    return [line[column] or "" for column in COLUMNS]


def group_id(group):
    """PocketBase's ids have fifteen letters and digits."""
    return group.replace("-", "")[-15:] if group else ""


def make_collections(pocketbase, folder):
    token = pocketbase.sign_in("ada", "_superusers")

    def ask(path, body, method="POST"):
        return pocketbase.ask(f"/api/collections{path}", body, method, token)

    name = {"name": "name", "type": "text"}
    groups = ask("", {"name": "groups", "type": "base", "fields": [name]})["id"]
    seen = dict.fromkeys(group_id(line["group"]) for line in lines(folder) if line["group"])
    for group in seen:
        ask("/groups/records", {"id": group, "name": group})
    users = pocketbase.ask("/api/collections/users", token=token)
    relation = {"name": "groups", "type": "relation", "collectionId": groups, "maxSelect": 99}
    ask("/users", {"fields": [*users["fields"], relation]}, "PATCH")
    for user, own in [("max", list(seen)[:3]), ("eve", [])]:
        account = {"email": f"{user}@example.com", "password": PASSWORD, "groups": own}
        ask("/users/records", {**account, "passwordConfirm": PASSWORD, "verified": True})

    texts = [{"name": column, "type": "text"} for column in COLUMNS[:3]]
    texts[1]["max"] = 10_000
    fields = [
        *texts,
        {"name": "tags", "type": "json"},
        {"name": "status", "type": "text"},
        {"name": "visibility", "type": "text"},
        {"name": "group", "type": "relation", "collectionId": groups, "maxSelect": 1},
        {"name": "created", "type": "autodate", "onCreate": True},
    ]
    by = ["created", "category, created", "status, created"]
    indexes = [
        f"CREATE INDEX documents_{number} ON documents ({columns})"
        for number, columns in enumerate(by)
    ]
    rules = {"listRule": READ_RULE, "viewRule": READ_RULE}
    rules |= {"createRule": WRITE_RULE, "updateRule": WRITE_RULE}
    ask("", {"name": "documents", "type": "base", "fields": fields, "indexes": indexes, **rules})
