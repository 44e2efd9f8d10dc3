"""Where this library is dearer than whom it is compared with, the greatest loss first.

The tables of the subjects say the same, among all that was won.
"""

from . import contenders, names
from .record import TIME
from .spread import differs_from_one
from .tables import Cell, Table, medians, readable_amount, readable_ratio, versus


def worst(record):
    """Maps each subject and group of others to the row of ours that loses most to it.

    The value is the row's name, the one it loses to, and the spread of the ratio.  What is lost
    within the noise, or in too few rounds to tell, is none.
    """
    found = {}
    for name in record.names():
        for against in contenders.references(
            name.contender, medians(record, name.subject, name.parameters)
        ):
            compared = versus(record, name, against)
            if not compared or compared.median <= 1 or not differs_from_one(compared):
                continue
            group = name.subject, against in contenders.PEERS
            if group not in found or compared.median > found[group][2].median:
                found[group] = name, against, compared
    return found


def table(record):
    """None if nothing was lost."""
    lost = sorted(worst(record).values(), key=lambda loss: -loss[2].median)
    rows = [row(record, *loss) for loss in lost]
    return Table("Where we lose", ["work", "ours", "measured", "ratio"], rows) if rows else None


def row(record, name, against, compared):
    work = " ".join(filter(None, [name.subject, names.readable(name.parameters)]))
    measured = readable_amount(record.spread(name, TIME).median, TIME)
    return [
        Cell(work),
        Cell(name.contender),
        Cell(measured),
        Cell(f"{readable_ratio(compared)} {against}"),
    ]
