"""What must be reached, and whether it was.

targets.json lists for each piece of work its limits.  A limit is a row of ours (`row`), a `measure`
(time, if it names none), and the most that it may be (`at_most`): as a multiple of another row, if
it names one (`of`); else in the measure's own unit, with time in nanoseconds.  The other row's
measure is the same, or `of_measure`.
"""

import json
import math
import pathlib
from typing import NamedTuple

from . import names
from .record import TIME
from .spread import ratio
from .tables import Cell, Table, readable_amount, readable_measure

LIST = pathlib.Path(__file__).with_name("targets.json")


class Result(NamedTuple):
    """One limit, and how far from it we are."""

    work: str
    target: dict
    ours: object  # a Spread, or None if it was not measured
    value: object  # what the limit is set to: `ours`, or its ratio to another row; None as well

    @property
    def reached(self):
        return None if self.value is None else self.value.median <= self.target["at_most"]

    @property
    def sure(self):
        """Is it further from the limit than its noise?"""
        return abs(self.value.median - self.target["at_most"]) > self.value.noise


def load():
    return json.loads(LIST.read_text(encoding="utf-8"))


def rows(listed):
    """The names of all rows that a verdict hangs on: ours, and what they are compared with."""
    return {
        target[which]
        for entry in listed
        for target in entry["limits"]
        for which in ("row", "of")
        if which in target
    }


def results(record, listed):
    """Of the targets in the list, those of rows that the run was asked for."""
    asked = names.wanted(record.settings.get("filter"))
    return [
        judge(record, entry["work"], target)
        for entry in listed
        for target in entry["limits"]
        if asked(target["row"])
    ]


def judge(record, work, target):
    measure = target.get("measure", TIME)
    ours = record.spread(target["row"], measure)
    if "of" not in target:
        return Result(work, target, ours, ours)
    theirs = record.samples(target["of"], target.get("of_measure", measure))
    return Result(work, target, ours, ratio(record.samples(target["row"], measure), theirs))


def table(judged):
    """Each row can be read alone, those that lose as plainly as the others.  None without any."""
    rows = [[Cell(result.work), *row(result)] for result in judged]
    return (
        Table("Targets", ["work", "ours", "measured", "limit", "verdict"], rows) if rows else None
    )


def row(result):
    target = result.target
    measure = target.get("measure", TIME)
    if "of" in target:
        wanted = f"≤ {target['at_most']:.2f}× {contender(target['of'])}"
        measured = f"{result.value.median:.2f}×" if result.value else "-"
    else:
        wanted = f"≤ {readable_amount(target['at_most'], measure)}"
        measured = readable_amount(result.value.median, measure) if result.value else "-"
    what = contender(target["row"]) + (f", {readable_measure(measure)}" if measure != TIME else "")
    return [Cell(what), Cell(measured), Cell(wanted), verdict(result)]


def contender(row):
    return names.parse(row).contender


def verdict(result):
    if result.reached is None:
        return Cell("not measured", mood="quiet")
    doubt = "" if result.sure else ", within the noise"
    if math.isinf(result.value.noise):
        doubt = ", but in too few rounds"
    return (
        Cell("reached" + doubt, mood="good")
        if result.reached
        else Cell("missed" + doubt, mood="bad")
    )


def tally(judged):
    """How many were reached, missed and not measured, in words."""
    counts = {True: 0, False: 0, None: 0}
    for result in judged:
        counts[result.reached] += 1
    return f"{counts[True]} reached, {counts[False]} missed, {counts[None]} not measured"
