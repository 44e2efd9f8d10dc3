"""Two runs, row by row: the same names, before and after."""

from . import names
from .record import TIME
from .spread import differs
from .tables import Cell, Table, readable_measure, readable_spread


def comparison(before, after):
    """A row for each benchmark and measure that both runs have.  Every measure is a cost."""
    rows = [
        compared(name, measure, before.spread(name, measure), after.spread(name, measure))
        for name in sorted(before.names(), key=names.in_order_of_name)
        for measure in before.rows[str(name)]
        if before.spread(name, measure) and after.spread(name, measure)
    ]
    head = ["benchmark", "before", "after", "ratio", "verdict"]
    return Table("after, against before", head, rows)


def compared(name, measure, before, after):
    change = f"{after.median / before.median:.3f}" if before.median else "-"
    return [
        Cell(str(name) if measure == TIME else f"{name}, {readable_measure(measure)}"),
        Cell(readable_spread(before, measure)),
        Cell(readable_spread(after, measure)),
        Cell(change),
        verdict(before, after),
    ]


def verdict(before, after):
    """What the difference means."""
    different = differs(before, after)
    if different is None:
        return Cell("too few rounds to tell", mood="quiet")
    if not different:
        return Cell("within the noise", mood="quiet")
    return (
        Cell("lower", mood="good") if after.median < before.median else Cell("higher", mood="bad")
    )


def unmatched(before, after):
    """The rows that only one of the runs has, as a sentence for each run that has any."""
    for label, one, other in (("before", before, after), ("after", after, before)):
        alone = [name for name in one.rows if name not in other.rows]
        if alone:
            yield f"only {label}: {', '.join(alone)}"
