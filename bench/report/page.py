"""Everything on one HTML page that needs nothing else."""

import pathlib

import jinja2

from . import choice, choice_plots, plots, subjects, tables
from .record import by_reason

TEMPLATES = pathlib.Path(__file__).parent


def page(record, of_backends, highlights):
    """The page as text.

    It begins with what a backend is chosen by, `of_backends` being tables of that; `highlights` are
    other tables that come before the subjects.
    """
    environment = jinja2.Environment(
        loader=jinja2.FileSystemLoader(TEMPLATES),
        autoescape=True,
        lstrip_blocks=True,
        trim_blocks=True,
        undefined=jinja2.StrictUndefined,
    )
    return environment.get_template("page.html").render(
        backends=map(choice.short, choice.BACKENDS),
        cards=choice_plots.cards(record),
        heading=choice.HEADING,
        highlights=highlights,
        left_out=by_reason(record.left_out),
        modules=modules(record),
        of_backends=of_backends,
        record=record,
    )


def modules(record):
    """Maps each module to its subjects, ready to be shown."""
    found = {}
    for subject in record.subjects():
        shown = {
            "name": subject,
            "title": subjects.title(subject),
            "about": subjects.about(subject),
            "figures": plots.figures(record, subject),
            "tables": tables.subject_tables(record, subject),
        }
        found.setdefault(subject.split(".")[0], []).append(shown)
    return found
