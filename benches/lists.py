"""Lists and searches as a plain member, who sees what is for everybody, for three of twenty groups,
or public. PocketBase has the same documents and a rule that says the same. It has no full text: the
words are looked for in titles and descriptions alone. And it need not count what it finds, which
takes it up to a second."""

import random
from itertools import islice
from urllib.parse import quote, urlencode

import table
from datasets import lines
from load import alternate, load
from servers import Appliance, PocketBase

ROUNDS = 3
QUESTIONS = 300
ROWS = 50


def measure(folder, documents):
    table.heading(f"Lists of {documents:,} documents, for a plain member")
    some = random.Random(1).sample(list(islice(lines(folder), 10_000)), QUESTIONS)
    words = [line["title"].split() for line in some]
    questions = [
        ("the newest", [{}], [""]),
        (
            "a category",
            [{"category": line["category"]} for line in some],
            [f"category = '{line['category']}'" for line in some],
        ),
        ("a word", [{"q": two[0]} for two in words], [like(two[0]) for two in words]),
        (
            "two words",
            [{"q": " ".join(two[:2])} for two in words],
            [f"{like(two[0])} && {like(two[1])}" for two in words],
        ),
        (
            "the beginning of a word",
            [{"q": two[0][:3]} for two in words],
            [like(two[0][:3]) for two in words],
        ),
    ]
    with Appliance(folder) as appliance, PocketBase(folder) as pocketbase:
        our_token, their_token = appliance.sign_in("max"), pocketbase.sign_in("max")
        for what, ours, theirs in questions:
            our_paths = [f"/api/documents?{urlencode({**one, 'limit': ROWS})}" for one in ours]
            their_paths = [records(one) for one in theirs]
            for clients in [1, 8]:
                pair = alternate(
                    ROUNDS,
                    lambda: load(appliance.url, our_paths, clients, token=our_token),
                    lambda: load(pocketbase.url, their_paths, clients, token=their_token),
                )
                show(what, clients, *pair)


def like(word):
    return f"(title ~ '{word}' || description ~ '{word}')"


def records(filter):
    path = f"/api/collections/documents/records?perPage={ROWS}&sort=-created&skipTotal=1"
    return path + (f"&filter={quote('(' + filter + ')')}" if filter else "")


def show(what, clients, ours, theirs):
    if clients == 1:
        table.less_is_better(f"{what}, p50", ours.p50_ms, theirs.p50_ms, "PocketBase", table.ms)
        table.less_is_better(f"{what}, p99", ours.p99_ms, theirs.p99_ms, "PocketBase", table.ms)
    else:
        pair = (ours.per_second, theirs.per_second, "PocketBase", table.per_second)
        table.more_is_better(f"{what}, {clients} clients", *pair)
