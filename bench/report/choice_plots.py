"""The pictures that a backend is chosen by: small, alike, and marked where another is cheapest."""

import matplotlib
from matplotlib.figure import Figure

from . import choice, crossings, subjects, tables
from .drawing import GRID, QUIET, STYLE, colour, scale, svg
from .record import TIME
from .spread import spread

SIZE = (3.9, 1.62)  # inches, to be read at half the width of a page and on a phone alike
# The factor that an axis spans at least: what is equal is to look equal, however small the noise.
LEAST_SPAN = 10
SMALL = 7.5


def cards(record):
    """For each question with an answer its title, the answer, and a picture as SVG."""
    with matplotlib.rc_context(STYLE):
        return [
            {
                "title": question.title,
                "answer": choice.in_words(taken, question.noun),
                "figure": figure(question, taken),
            }
            for question, taken in choice.answered(record)
        ]


def figure(question, taken):
    drawn = Figure(figsize=SIZE, layout="constrained")
    axis = drawn.subplots()
    for backend in choice.BACKENDS:
        curve(axis, backend, taken)
    axis.set_xscale("log")
    axis.set_ylim(*span(axis.dataLim.ymin, axis.dataLim.ymax))
    scale(axis, "x", lambda value, _: f"{value:,.0f}")
    scale(axis, "y", lambda value, _: tables.readable_amount(value, TIME))
    axis.minorticks_off()
    axis.tick_params(labelsize=SMALL + 0.5, length=0)
    axis.set_title(subjects.time(question.subject), fontsize=SMALL, color=QUIET, pad=3)
    axis.set_xlabel(question.noun, fontsize=SMALL + 0.5, labelpad=1)
    axis.grid(True)
    mark_changes(axis, taken)
    return svg(drawn, "choice", question.title)


def curve(axis, backend, taken):
    """The medians of one backend, with their quartiles as a band."""
    measured = [(p.n, found) for p in taken if (found := spread(p.samples.get(backend, [])))]
    if not measured:
        return
    n = [n for n, _ in measured]
    axis.plot(n, [found.median for _, found in measured], color=colour(backend), linewidth=1.8,
              marker="o", markersize=3.2)  # fmt: skip
    lower, upper = zip(*((found.lower, found.upper) for _, found in measured))
    axis.fill_between(n, lower, upper, color=colour(backend), alpha=0.15, linewidth=0)


def span(low, high):
    """The limits of an axis for values from `low` to `high`."""
    low, high = low / 1.3, high * 1.3
    missing = max(LEAST_SPAN * low / high, 1) ** 0.5
    return low / missing, high * missing


def mark_changes(axis, taken):
    """A line where another becomes the cheapest, and the number at its top."""
    found = crossings.stretches(taken)
    across_axis = axis.get_xaxis_transform()
    for before, after in zip(found, found[1:]):
        where = crossings.crossing(before, after)
        ends = where is None
        n = before.last if ends else choice.rounded(where)
        axis.axvline(n, color=GRID if ends else QUIET, linewidth=0.9, linestyle=(0, (3, 2)))
        label = "its limit" if ends else choice.amount(n)
        axis.annotate(label, (n, 0.97), xycoords=across_axis, xytext=(-3, 0),
                      textcoords="offset points", ha="right", va="top",
                      fontsize=SMALL, color=QUIET)  # fmt: skip
