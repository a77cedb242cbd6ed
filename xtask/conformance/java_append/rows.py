"""Rows and reads of golden append tables."""

import random

from java_values import between


def typed_rows(kinds: dict[str, list], count: int, seed: int) -> list[list]:
    """Rows of `k` and one value of each type, one in ten NULL."""
    source = random.Random(seed)
    return [
        [k, *(None if source.random() < 0.1 else source.choice(values) for values in kinds.values())]
        for k in range(count)
    ]


def typed_rows_of(values: list[list], first: int, count: int) -> list[list]:
    """Rows of `k`, from `first` on, and one of each list of values."""
    rows = typed_rows(dict(enumerate(values)), count, 3)
    return [[first + k, *rest] for k, *rest in rows]


#: Reads of tables with five snapshots.
INCREMENTS = [
    *(between(first, last) for first, last in [(0, 1), (0, 5), (1, 2), (2, 5), (4, 5)]),
    *(between(first, last, **{"incremental-between-scan-mode": "diff"}) for first, last in [(1, 2), (1, 5), (3, 4)]),
    {**between(0, 5), "filter": [">=", "k", 3]},
]
