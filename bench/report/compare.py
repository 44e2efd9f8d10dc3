"""Two runs, row by row: the same names, before and after."""

from . import names
from .record import TIME, is_cost
from .spread import differs, differs_from_one, ratio
from .tables import Cell, Table, readable_measure, readable_spread


def comparison(before, after, same_rounds=False):
    """A row for each benchmark and measure that both runs have.

    If both were measured in the same rounds, what disturbed a round cancels out.
    """
    rows = [
        compared(name, measure, before, after, same_rounds)
        for name in sorted(before.names(), key=names.in_order_of_name)
        for measure in before.rows[str(name)]
        if before.spread(name, measure) and after.spread(name, measure)
    ]
    return Table(
        "after, against before", ["benchmark", "before", "after", "ratio", "verdict"], rows
    )


def compared(name, measure, before, after, same_rounds):
    old, new = before.spread(name, measure), after.spread(name, measure)
    change, different = (old.median and new.median / old.median), differs(old, new)
    lower = new.median < old.median
    within = ratio(after.samples(name, measure), before.samples(name, measure))
    if same_rounds and within:
        change, different = within.median, differs_from_one(within)
        lower = change < 1  # which the medians of all rounds need not be
    return [
        Cell(str(name) if measure == TIME else f"{name}, {readable_measure(measure)}"),
        Cell(readable_spread(old, measure)),
        Cell(readable_spread(new, measure)),
        Cell(f"{change:.3f}" if change else "-"),
        verdict(different, lower, is_cost(measure)),
    ]


def verdict(different, lower, cost):
    """What a difference means."""
    if different is None:
        return Cell("too few rounds to tell", mood="quiet")
    if not different:
        return Cell("within the noise", mood="quiet")
    return Cell("lower" if lower else "higher", mood="good" if lower == cost else "bad")


def unmatched(before, after):
    """The rows that only one of the runs has, as a sentence for each run that has any.

    Subjects of which the other run has nothing are named by themselves: they may have very many.
    """
    for label, one, other in (("before", before, after), ("after", after, before)):
        shared = set(other.subjects())
        alone = [name for name in one.names() if str(name) not in other.rows]
        told = [str(name) if name.subject in shared else name.subject for name in alone]
        if told:
            yield f"only {label}: {', '.join(dict.fromkeys(told))}"
