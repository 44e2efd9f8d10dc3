"""Everything on one HTML page that needs nothing else."""

import pathlib

import jinja2

from . import plots, subjects, tables

TEMPLATES = pathlib.Path(__file__).parent


def page(record, highlights):
    """The page as text.  `highlights` are tables that come before the subjects."""
    environment = jinja2.Environment(
        loader=jinja2.FileSystemLoader(TEMPLATES),
        autoescape=True,
        lstrip_blocks=True,
        trim_blocks=True,
        undefined=jinja2.StrictUndefined,
    )
    return environment.get_template("page.html").render(
        highlights=highlights, modules=modules(record), record=record
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
