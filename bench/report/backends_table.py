"""The first question about a backend, answered: how fast are a hundred tasks at once, on each?

Beside ours stands what the README of the PHP original states of the same.
"""

from typing import NamedTuple

from .names import Name
from .tables import Cell, Table, readable_relative, readable_time, versus

TASKS = 100
SUBJECT = "core.hundred_tasks"  # its time is that of one task
SLOWEST = "asyncio@select"
# Of how many descriptors ten are active where the speeds of backends are far apart.
MANY = Name("core.descriptors", SLOWEST, (("fds", "1000"), ("active", "10")))


BESIDE = "beside what the README of the PHP original states"


class Stated(NamedTuple):
    """What that README states of a backend; none of it was measured here."""

    time: str
    throughput: str
    speed: str
    up_to: str  # of how many at once it speaks, and of which speed for them
    speed_then: str


ORIGINAL = {
    SLOWEST: Stated("1.25 s", "80 tasks/s", "1×", "< 1K", "1×"),
    "asyncio@event": Stated("0.31 s", "322 tasks/s", "4×", "> 10K", "3-5×"),
    "asyncio@ev": Stated("0.12 s", "833 tasks/s", "10.4×", "> 100K", "10-20×"),
}


def tables(record):
    """Those for which something was measured."""
    return list(filter(None, [at_once(record), many(record)]))


def at_once(record):
    """A hundred tasks on each backend, and what the original states of them."""
    rows = [row for backend in ORIGINAL if (row := result(record, backend))]
    head = ["backend", "time", "spread", "throughput", "speed",
            "original's time", "original's throughput", "original's speed"]  # fmt: skip
    return Table(f"{TASKS} concurrent tasks, {BESIDE}", head, rows) if rows else None


def result(record, backend):
    name = Name(SUBJECT, backend)
    spread, against = record.spread(name), versus(record, name, SLOWEST)
    if not spread or not against:
        return None
    stated = ORIGINAL[backend]
    return [
        Cell(backend),
        Cell(readable_time(TASKS * spread.median)),
        Cell(readable_relative(spread)),
        Cell(f"{1e9 / spread.median:,.0f} tasks/s"),
        Cell(readable_speed(against)),
        *(Cell(text, mood="quiet") for text in (stated.time, stated.throughput, stated.speed)),
    ]


def many(record):
    """The speeds with many descriptors, and what the original states of many at once."""
    rows = [row for backend in ORIGINAL if (row := result_of_many(record, backend))]
    head = ["backend", "time for an event", "speed", "original's concurrency", "original's speed"]
    return Table(f"10 active of 1,000 descriptors, {BESIDE}", head, rows) if rows else None


def result_of_many(record, backend):
    name = MANY._replace(contender=backend)
    spread, against = record.spread(name), versus(record, name, SLOWEST)
    if not spread or not against:
        return None
    stated = ORIGINAL[backend]
    return [
        Cell(backend),
        Cell(readable_time(spread.median)),
        Cell(readable_speed(against)),
        *(Cell(text, mood="quiet") for text in (stated.up_to, stated.speed_then)),
    ]


def readable_speed(against):
    """How many times as fast, of a ratio of times."""
    return f"{1 / against.median:.2f}×"
