"""Samples as pictures: curves over N, bars and latencies."""

import math

import matplotlib

from . import contenders, names, tables
from .collect import PERCENTILE
from .drawing import STYLE, colour, legend, panelled, scale, svg
from .record import TIME, is_cost

LARGE_RANGE = 30  # from the smallest bar to the largest, beyond which the small ones would vanish


def figures(record, subject):
    """The pictures of one subject as pairs of a caption and SVG."""
    measures = [TIME, *record.measures(subject)]
    percentiles = [measure for measure in measures if PERCENTILE.fullmatch(measure)]
    others = [measure for measure in measures if measure not in percentiles]
    with matplotlib.rc_context(STYLE):
        found = [
            (tables.readable_measure(m, subject), measured(record, subject, m)) for m in others
        ]
        if len(percentiles) > 1:
            found.append(("latency percentiles", latencies(record, subject, percentiles)))
    return [(caption, svg) for caption, svg in found if svg]


def measured(record, subject, measure):
    """Curves where a parameter takes enough values for one, else bars."""
    parameter = curve_parameter(record, subject, measure)
    if parameter:
        return curves(record, subject, measure, parameter)
    return bars(record, subject, measure)


def curve_parameter(record, subject, measure):
    """The parameter with the most values, if these are three or more that fit a log axis."""
    values = {}
    for column in tables.columns(record, subject):
        if tables.medians(record, subject, column, measure):
            for parameter, value in column:
                values.setdefault(parameter, set()).add(names.number(value))
    values = {
        parameter: found
        for parameter, found in values.items()
        if len(found) >= 3 and all(value is not None and value > 0 for value in found)
    }
    return max(values, key=lambda parameter: len(values[parameter]), default=None)


# ---- Cost against N ------------------------------------------------------------------------------


def curves(record, subject, measure, parameter):
    """A curve for each contender on log axes; a panel for each value of the other parameters."""
    panels = panels_of(tables.columns(record, subject), parameter)
    figure, axes = panelled(len(panels), height=3.4, sharey=True)
    for axis, panel in zip(axes, panels):
        for contender in tables.competitors(record, subject):
            curve(axis, record, subject, contender, panel, parameter, measure)
        axis.set_xscale("log")
        values = sorted({names.number(dict(column)[parameter]) for column in panel})
        axis.set_xticks(values, [f"{value:,.0f}" for value in values])
        axis.minorticks_off()
        scale(axis, "y", lambda value, _: tables.readable_amount(value, measure))
        axis.set_xlabel(parameter)
        axis.set_title(names.readable(tables.shared(panel)))
        axis.grid(True)
    legend(figure, axes)
    return svg(figure, subject, measure)


def panels_of(columns, parameter):
    """Columns that differ in `parameter`, and in what follows from it, share a panel."""
    seen = {}
    for column in columns:
        for other, _ in column:
            seen.setdefault(other, {})
    for column in columns:
        values = dict(column)
        for other in seen:
            seen[other].setdefault(values[parameter], set()).add(values.get(other))
    free = [other for other, found in seen.items() if any(len(v) > 1 for v in found.values())]
    panels = {}
    for column in columns:
        panels.setdefault(tuple(dict(column).get(other) for other in free), []).append(column)
    return list(panels.values())


def curve(axis, record, subject, contender, panel, parameter, measure):
    """One contender's medians with their quartiles."""
    points = []
    for column in panel:
        spread = record.spread(names.Name(subject, contender, column), measure)
        if spread and spread.median > 0:
            points.append((names.number(dict(column)[parameter]), spread))
    if not points:
        return
    by_hand = contender in contenders.BY_HAND
    axis.errorbar(
        [n for n, _ in points],
        [spread.median for _, spread in points],
        yerr=[
            [spread.median - spread.lower for _, spread in points],
            [spread.upper - spread.median for _, spread in points],
        ],
        color=colour(contender),
        label=contender,
        linestyle="--" if by_hand else "-",
        linewidth=2 if contenders.is_ours(contender) else 1.2,
        marker="o" if contenders.is_ours(contender) else "s",
        markerfacecolor="none" if by_hand else colour(contender),
        markersize=4,
    )


# ---- Bars against peers --------------------------------------------------------------------------


def bars(record, subject, measure):
    """A bar for each contender, the best on top; a panel for each set of parameters."""
    panels = {
        column: found
        for column in tables.columns(record, subject)
        if (found := tables.medians(record, subject, column, measure))
    }
    if not any(len(found) > 1 for found in panels.values()):
        return None
    most = max(len(found) for found in panels.values())
    figure, axes = panelled(len(panels), height=0.9 + 0.27 * most)
    for axis, (column, found) in zip(axes, panels.items()):
        ranked = sorted(found, key=found.get, reverse=is_cost(measure))
        drawn = axis.barh(
            ranked, [found[c] for c in ranked], height=0.62, color=[colour(c) for c in ranked]
        )
        labels = [tables.readable_amount(found[c], measure) for c in ranked]
        axis.bar_label(drawn, labels, fontsize=8, padding=3)
        axis.set_ylim(len(ranked) - most - 0.6, len(ranked) - 0.4)  # bars as thick in every panel
        axis.set_title(names.readable(column))
        bar_scale(axis, found.values(), measure)
    return svg(figure, subject, measure)


def bar_scale(axis, values, measure):
    """Linear from zero, unless the small ones would vanish."""
    values = [value for value in values if value > 0]
    axis.tick_params(axis="y", length=0)
    axis.spines["left"].set_visible(False)
    if not values or max(values) / min(values) <= LARGE_RANGE:
        axis.margins(x=0.25)  # for the labels
        axis.xaxis.set_visible(False)
        axis.spines["bottom"].set_visible(False)
        return
    scale(axis, "x", lambda value, _: tables.readable_amount(value, measure))
    axis.set_xlim(min(values) / 3, max(values) * 6)
    axis.set_xlabel("log scale")


# ---- Latency -------------------------------------------------------------------------------------


def latencies(record, subject, percentiles):
    """A line for each contender from its lowest percentile to its highest, with a mark for each.

    None if nothing is above zero.
    """
    percentiles = sorted(percentiles, key=lambda p: float("0." + PERCENTILE.fullmatch(p).group(1)))
    panels = [
        column
        for column in tables.columns(record, subject)
        if any(
            median > 0
            for percentile in percentiles
            for median in tables.medians(record, subject, column, percentile).values()
        )
    ]
    if not panels:
        return None
    competitors = tables.competitors(record, subject)
    figure, axes = panelled(len(panels), height=1.1 + 0.27 * len(competitors))
    for axis, column in zip(axes, panels):
        found = {p: tables.medians(record, subject, column, p) for p in percentiles}
        ranked = sorted(found[percentiles[-1]], key=found[percentiles[-1]].get, reverse=True)
        for row, contender in enumerate(ranked):
            latency(axis, row, contender, [found[p].get(contender, math.nan) for p in percentiles])
        axis.set_yticks(range(len(ranked)), ranked)
        axis.set_ylim(-0.6, len(ranked) - 0.4)
        axis.set_title(names.readable(column))
        axis.set_xlabel(", ".join(p.removesuffix("_us") for p in percentiles) + ", log scale")
        scale(axis, "x", lambda value, _: tables.readable_time(value * 1e3))
        axis.grid(True, axis="x")
    return svg(figure, subject, "latency")


def latency(axis, row, contender, values):
    """What is not above zero, as of a sleep that ended early, has no place on a log axis."""
    positive = [value if value > 0 else math.nan for value in values]
    if all(map(math.isnan, positive)):
        across_axis = axis.get_yaxis_transform()
        axis.text(0.01, row, "not above zero", transform=across_axis, va="center", fontsize=8)
    axis.plot(positive, [row] * len(values), color=colour(contender), linewidth=3, alpha=0.45)
    axis.scatter(positive, [row] * len(values), color=colour(contender), s=26, zorder=3)
