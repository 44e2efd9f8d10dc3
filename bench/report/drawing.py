"""How every picture is drawn: SVG that takes its colours from the page, so that it suits light and
dark."""

import io
import math
import re

from matplotlib import ticker
from matplotlib.figure import Figure

from . import contenders

WIDTH = 7.6  # inches; the page scales it
MOST_PANELS = 12
LEGEND_COLUMNS = 5
# Where fewer powers of ten lie on a log axis, there are ticks between them: where there is room for
# many, and across one of two panels in a row.
FEWEST_POWERS = 3
FEWEST_POWERS_OF_PANEL = 2

# Matplotlib knows no variables: it draws with colours that nobody would choose, and each becomes a
# variable of the page's style sheet.
TEXT = "#010100"
GRID = "#010101"
QUIET = "#010102"
COLOURS = {who: f"#0102{index:02x}" for index, who in enumerate(contenders.ALL)}
VARIABLES = {
    TEXT: "currentColor",
    GRID: "var(--grid)",
    QUIET: "var(--quiet)",
    **{drawn: f"var(--{who.replace('@', '-')})" for who, drawn in COLOURS.items()},
}

STYLE = {
    "axes.edgecolor": GRID,
    "axes.labelcolor": TEXT,
    "axes.spines.right": False,
    "axes.spines.top": False,
    "axes.titlelocation": "left",
    "axes.titlesize": 10,
    "font.size": 9,
    "grid.color": GRID,
    "grid.linewidth": 0.6,
    "legend.frameon": False,
    "svg.fonttype": "none",  # text stays text: it can be searched, and is small
    "svg.hashsalt": "report",
    "text.color": TEXT,
    "xtick.color": TEXT,
    "ytick.color": TEXT,
}


def colour(contender):
    return COLOURS.get(contender, TEXT)


def panelled(count, height, **sharing):
    """A figure with panels side by side, two in a row; as many as can be read."""
    count = min(count, MOST_PANELS)
    across = min(count, 2)
    down = math.ceil(count / across)
    figure = Figure(figsize=(WIDTH, height * down), layout="constrained")
    axes = list(figure.subplots(down, across, squeeze=False, **sharing).flat)
    for unused in axes[count:]:
        unused.set_visible(False)
    return figure, axes[:count]


def scale(axes, which, write):
    """A logarithmic axis with numbers that a reader knows, and enough of them."""
    getattr(axes, f"set_{which}scale")("log")
    axis = getattr(axes, f"{which}axis")
    crowded = which == "x" and axes.get_gridspec().ncols > 1
    between = steps(*axis.get_view_interval(), crowded)
    axis.set_major_locator(ticker.LogLocator(subs=between, numticks=9))
    axis.set_major_formatter(ticker.FuncFormatter(write))
    axis.set_minor_formatter(ticker.NullFormatter())


def steps(low, high, crowded):
    """The multiples of powers of ten that have a tick on a log axis from `low` to `high`."""
    powers = math.floor(math.log10(high)) - math.ceil(math.log10(low)) + 1
    fewest = FEWEST_POWERS_OF_PANEL if crowded else FEWEST_POWERS
    return (1,) if powers >= fewest else (1, 2, 5)


def legend(figure, axes):
    """One for all panels, below them."""
    shown = {}
    for axis in axes:
        handles, labels = axis.get_legend_handles_labels()
        shown.update(zip(labels, handles))
    lines = math.ceil(len(shown) / LEGEND_COLUMNS)
    room = (0.1 + 0.2 * lines) / figure.get_figheight()
    figure.set_layout_engine("constrained", rect=(0, room, 1, 1 - room))
    figure.legend(shown.values(), shown.keys(), loc="lower center", ncols=LEGEND_COLUMNS)


def svg(figure, *identity):
    """The figure as an element for the page, with names and colours that suit it."""
    written = io.StringIO()
    figure.savefig(written, format="svg", transparent=True, metadata={"Date": None})
    text = written.getvalue()
    text = text[text.index("<svg") :]
    text = re.sub(r"<metadata>.*?</metadata>", "", text, flags=re.S)
    for drawn, variable in VARIABLES.items():
        text = text.replace(drawn, variable)
    # Every figure counts its parts from one, but on a page names are unique.
    prefix = "-".join(re.sub(r"\W", "-", part) for part in identity)
    return re.sub(r'(\bid="|url\(#|href="#)', rf"\g<1>{prefix}-", text)
