"""Which backend to choose: how the cost of each grows, in words and as series for pictures."""

from typing import NamedTuple

from . import crossings, names
from .tables import significant

HEADING = "Which backend?"
BACKENDS = ("asyncio@select", "asyncio@event", "asyncio@ev")
# A factor below this is not worth a sentence.
REMARKABLE = 1.1


class Question(NamedTuple):
    """One picture: the time of some rows against one of their parameters."""

    title: str
    subject: str
    parameter: str
    others: tuple  # the parameters that all of them have, but for that one
    noun: str


QUESTIONS = (
    Question(
        "Descriptors, ten of them active",
        "core.descriptors", "fds", (("active", "10"),), "descriptors",
    ),
    Question(
        "Descriptors, all of them active",
        "core.descriptors", "fds", (("active", "all"),), "descriptors",
    ),
    Question("Pending timers", "core.deadlines", "timers", (), "timers"),
    Question("Busy connections", "echo.connections", "connections", (), "connections"),
)  # fmt: skip


def subjects():
    return {question.subject for question in QUESTIONS}


def points(record, question):
    """What each backend takes at each value of the parameter, as far as it was measured."""
    found = {}
    for name in record.names():
        rest = tuple(pair for pair in name.parameters if pair[0] != question.parameter)
        if name.subject != question.subject or rest != question.others:
            continue
        n = names.number(dict(name.parameters).get(question.parameter, ""))
        if n and name.contender in BACKENDS and record.spread(name):
            found.setdefault(n, {})[name.contender] = record.samples(name)
    return [crossings.Point(n, found[n]) for n in sorted(found)]


def answered(record):
    """Those questions to which there are two points at least, each with its points."""
    found = [(question, points(record, question)) for question in QUESTIONS]
    return [(question, taken) for question, taken in found if len(taken) > 1]


def lines(record):
    """An answer a line, with its title."""
    return [f"{q.title}: {in_words(taken, q.noun)}" for q, taken in answered(record)]


# ---- In words ------------------------------------------------------------------------------------


def in_words(taken, noun):
    """Who is cheapest up to where, and what the dearest takes at the most that all can serve."""
    found = crossings.stretches(taken)
    said = " ".join(filter(None, [who_is_cheapest(found, noun), dearest(found, noun)]))
    if not all(stretch.is_certain() for stretch in found):
        said += " There were too few rounds to be certain."
    return said


def who_is_cheapest(found, noun):
    if len(found) == 1:
        return alone(found[0], noun)
    parts = [until(before, after, noun) for before, after in zip(found, found[1:])]
    return ", then ".join([*parts, f"{who(found[-1])}."])


def alone(stretch, noun):
    """Where nothing changes."""
    return f"{verdict(stretch)} from {amount(stretch.first)} to {amount(stretch.last)} {noun}."


def until(before, after, noun):
    """Who is cheapest before a crossing, and up to where."""
    where = crossings.crossing(before, after)
    if where is None:
        it = "it" if len(before.equals()) == 1 else short(before.best)
        return f"{verdict(before)} as far as {it} goes"
    return f"{verdict(before)} up to about {amount(rounded(where))} {noun}"


def verdict(stretch):
    if stretch.equals() == stretch.everyone() and len(stretch.everyone()) > 1:
        return "no certain difference"
    return f"{who(stretch)} is cheapest"


def dearest(found, noun):
    """How much more the dearest takes at the last point that all of them have."""
    everyone = frozenset().union(*(stretch.everyone() for stretch in found))
    common = [
        (stretch, point)
        for stretch in found
        for point in stretch.points
        if point.medians().keys() == everyone
    ]
    if not common:
        return ""
    stretch, point = common[-1]
    costs = point.medians()
    most, least = max(costs, key=costs.get), min(costs, key=costs.get)
    compared = point.ratio(most, least)
    if not compared or compared.median < REMARKABLE or most in stretch.equals():
        return ""
    return (
        f"With {amount(point.n)} {noun}, {short(most)} takes {compared.median:.1f}× "
        f"what {short(least)} takes."
    )


def who(stretch):
    """Who is cheapest there, as in a sentence."""
    equals = stretch.equals()
    ordered = [
        short(backend) if stretch.whole(backend) else f"{short(backend)} (as far as it goes)"
        for backend in BACKENDS
        if backend in equals
    ]
    return " or ".join(filter(None, [", ".join(ordered[:-1]), ordered[-1]]))


def short(contender):
    return contender.split("@")[-1]


def rounded(n):
    return float(f"{n:.1g}") if n < 100 else float(f"{n:.2g}")


def amount(n):
    return f"{n:,.0f}" if n >= 100 else significant(n)
