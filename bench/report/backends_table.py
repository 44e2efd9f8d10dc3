"""The first question about a backend: how fast are a hundred tasks at once, on each?"""

from .names import Name
from .tables import Cell, Table, readable_relative, readable_time, versus

TASKS = 100
SUBJECT = "core.hundred_tasks"  # its time is that of one task
SLOWEST = "asyncio@select"
BACKENDS = (SLOWEST, "asyncio@event", "asyncio@ev")


def table(record):
    """None if there is nothing to show."""
    rows = [row for backend in BACKENDS if (row := result(record, backend))]
    head = ["backend", "time", "spread", "throughput", "speed"]
    return Table(f"{TASKS} concurrent tasks", head, rows) if rows else None


def result(record, backend):
    name = Name(SUBJECT, backend)
    spread, against = record.spread(name), versus(record, name, SLOWEST)
    if not spread or not against:
        return None
    return [
        Cell(backend),
        Cell(readable_time(TASKS * spread.median)),
        Cell(readable_relative(spread)),
        Cell(f"{1e9 / spread.median:,.0f} tasks/s"),
        Cell(f"{1 / against.median:.2f}×"),
    ]
