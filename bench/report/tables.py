"""Samples as tables, for terminals and for Markdown."""

from typing import NamedTuple

from . import contenders, names, subjects
from .record import TIME, is_cost
from .spread import ratio

MOST_COLUMNS = 8  # in one table
WIDTH = 110  # of a terminal; wider tables are continued below

UNITS = {"us": "µs", "ms": "ms", "ns": "ns", "kib": "KiB"}


class Cell(NamedTuple):
    text: str
    notes: tuple = ()  # of texts: what the text is to be compared with
    mood: str = ""  # "good" or "bad", for what is judged; "quiet" or "strong", for what is not

    def __str__(self):
        return ", ".join([self.text, *self.notes])


class Table(NamedTuple):
    title: str
    head: list  # of str
    rows: list  # of lists of Cell


# ---- Numbers -------------------------------------------------------------------------------------


def significant(value):
    """Three digits that count, and no exponent."""
    if value == 0:
        return "0"
    if abs(value) >= 100:
        return f"{value:,.0f}"
    return f"{value:.3g}"


def readable_time(nanoseconds):
    for unit, size in (("s", 1e9), ("ms", 1e6), ("µs", 1e3)):
        if abs(nanoseconds) >= size:
            return f"{significant(nanoseconds / size)} {unit}"
    return f"{significant(nanoseconds)} ns"


def readable_amount(value, measure):
    """A value with the unit that its measure's name ends in."""
    if measure == TIME:
        return readable_time(value)
    unit = UNITS.get(measure.rsplit("_", 1)[-1])
    if measure.startswith("bytes"):
        return f"{significant(value / 1024)} KiB" if value >= 1024 else f"{significant(value)} B"
    return f"{significant(value)} {unit}" if unit else significant(value)


def readable_measure(measure, subject=None):
    """A measure's name as a heading, without its unit."""
    if measure == TIME:
        return subjects.time(subject)
    words = measure.split("_")
    return " ".join(words[:-1] if words[-1] in UNITS else words)


def readable_spread(spread, measure):
    amount = readable_amount(spread.median, measure)
    return f"{amount} {readable_relative(spread)}" if spread.count > 1 else amount


def readable_relative(spread):
    """How much the samples scatter; one sample does not say."""
    return f"±{spread.relative:.0%}" if spread.count > 1 else "-"


def readable_ratio(spread):
    return f"{spread.median:.2f}×"


# ---- One subject ---------------------------------------------------------------------------------


def columns(record, subject):
    """The parameters with which a subject was measured, in order."""
    found = {name.parameters for name in record.names() if name.subject == subject}
    return sorted(found, key=names.in_order)


def shared(columns):
    """The parameters that all columns have in common."""
    return [pair for pair in columns[0] if all(pair in column for column in columns)]


def competitors(record, subject):
    found = {name.contender for name in record.names() if name.subject == subject}
    return sorted(found, key=contenders.in_order)


def medians(record, subject, parameters, measure=TIME):
    """Maps each contender to its median."""
    found = {}
    for contender in competitors(record, subject):
        spread = record.spread(names.Name(subject, contender, parameters), measure)
        if spread:
            found[contender] = spread.median
    return found


def subject_tables(record, subject):
    """The time first, then what else the benchmark says; what was not measured has no table."""
    tables = []
    for measure in [TIME, *record.measures(subject)]:
        measured = [c for c in columns(record, subject) if medians(record, subject, c, measure)]
        tables += [subject_table(record, subject, measure, part) for part in split(measured)]
    return tables


def split(wanted):
    """Columns for one table or, if they are many, one for each value of their first parameter."""
    if len(wanted) <= MOST_COLUMNS:
        return [wanted] if wanted else []
    same, parts = shared(wanted), {}
    for column in wanted:
        first = next((pair for pair in column if pair not in same), None)
        parts.setdefault(first, []).append(column)
    return list(parts.values())


def subject_table(record, subject, measure, wanted):
    """A row for each contender, a column for each set of parameters."""
    rows = []
    for contender in competitors(record, subject):
        cells = [cell(record, subject, contender, column, measure) for column in wanted]
        if any(cell.text for cell in cells):
            rows.append([label(contender), *cells])
    same = shared(wanted) if len(wanted) > 1 else []
    heads = (names.readable([pair for pair in column if pair not in same]) for column in wanted)
    title = f"{subject}: {readable_measure(measure, subject)}"
    if same:
        title += f", {names.readable(same)}"
    return Table(title, ["contender", *(head or "result" for head in heads)], rows)


def label(contender):
    return Cell(contender, mood="strong" if contenders.is_ours(contender) else "")


def cell(record, subject, contender, parameters, measure):
    """One result and, for ours, how it compares with each of those that it is measured by."""
    spread = record.spread(names.Name(subject, contender, parameters), measure)
    if not spread:
        return Cell("")
    text = readable_spread(spread, measure)
    best = min if is_cost(measure) else max
    present = medians(record, subject, parameters, measure)
    notes = []
    for against in contenders.references(contender, present, best):
        compared = versus(record, names.Name(subject, contender, parameters), against, measure)
        if compared:
            notes.append(f"{readable_ratio(compared)} {against}")
    return Cell(text, tuple(notes))


def versus(record, name, against, measure=TIME):
    """The spread of the ratio between a row and the same row of another contender."""
    other = name._replace(contender=against)
    return ratio(record.samples(name, measure), record.samples(other, measure))


# ---- Writing them --------------------------------------------------------------------------------


def as_text(table, width=WIDTH):
    """For a terminal: columns aligned, those that do not fit are continued below."""
    lines = [list(map(str, table.head)), *(list(map(str, row)) for row in table.rows)]
    widths = [max(map(len, column)) for column in zip(*lines)]
    blocks = [[0]]
    for column in range(1, len(widths)):
        if len(blocks[-1]) > 1 and sum(widths[c] + 2 for c in [*blocks[-1], column]) > width:
            blocks.append([0])
        blocks[-1].append(column)
    return "\n".join([table.title, "", *(block_text(lines, widths, block) for block in blocks)])


def block_text(lines, widths, block):
    """Some columns of a table: the first to the left, numbers to the right."""
    text = ""
    for line in lines:
        aligned = [line[0].ljust(widths[0]), *(line[c].rjust(widths[c]) for c in block[1:])]
        text += "  " + "  ".join(aligned).rstrip() + "\n"
    return text


def as_markdown(table):
    lines = [
        "| " + " | ".join(table.head) + " |",
        "|---|" + "---:|" * (len(table.head) - 1),
        *("| " + " | ".join(map(str, row)) + " |" for row in table.rows),
    ]
    return "\n".join([f"**{table.title}**", "", *lines, ""])
