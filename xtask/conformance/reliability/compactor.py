"""Compacts a table again and again, and says so: a line `ack N` on standard output after the N-th compaction.

python compactor.py WAREHOUSE TABLE

Every fourth compaction is a full one. It ends when standard input does.
"""

import itertools
import sys
import threading

import pypaimon


def main(warehouse: str, name: str) -> None:
    table = pypaimon.CatalogFactory.create({"warehouse": warehouse}).get_table(name)
    table.compact(dry_run=True)  # everything that is needed is loaded
    print("ready", flush=True)
    sys.stdin.readline()
    ended = threading.Event()
    threading.Thread(target=lambda: (sys.stdin.read(), ended.set()), daemon=True).start()
    for number in itertools.count():
        if ended.is_set():
            return
        table.compact(full=number % 4 == 3).collect()
        print("ack", number, flush=True)


if __name__ == "__main__":
    main(*sys.argv[1:])
