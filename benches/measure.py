"""All measures, or those that are named, at the sizes that are asked for."""

import argparse

import backups
import files
import lists
import pages
import starts
import writes
from datasets import dataset

SMALLEST = 10_000


def main():
    parser = argparse.ArgumentParser(prog="benches/run.sh", description=__doc__)
    parser.add_argument("measures", nargs="*", help="pages, lists, starts, files, writes, backups")
    parser.add_argument("--documents", type=int, nargs="+", default=[SMALLEST, 100_000])
    parser.add_argument("--file-mib", type=int, default=1024)
    parser.add_argument("--backup-mib", type=int, default=1024, help="10240 is the full size")
    wanted = parser.parse_args()

    def is_wanted(name):
        return not wanted.measures or name in wanted.measures

    if is_wanted("backups"):
        backups.measure(wanted.backup_mib)
    if wanted.measures == ["backups"]:
        return
    small = dataset(SMALLEST)
    if is_wanted("pages"):
        pages.measure(small)
    for documents in wanted.documents:
        folder = dataset(documents)
        if is_wanted("lists"):
            lists.measure(folder, documents)
        if is_wanted("starts"):
            starts.measure(folder, documents)
    if is_wanted("files"):
        files.measure(small, wanted.file_mib)
    if is_wanted("writes"):
        writes.measure(small)


main()
