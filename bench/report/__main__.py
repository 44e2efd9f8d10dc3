"""The command line."""

import argparse
import datetime
import math
import os
import pathlib
import re
import sys

from . import (
    backends_table,
    compare,
    machine,
    processors,
    programs,
    record,
    rounds,
    run,
    tables,
    targets,
)
from .budget import Budget
from .disturbance import Disturbance, in_words

ROOT = pathlib.Path(__file__).resolve().parents[2]

# How long to measure each row in a round, how many rounds at most, and how long altogether.
QUICK = {"full": False, "seconds": 0.03, "rounds": 7, "budget": 240}
FULL = {"full": True, "seconds": 0.5, "rounds": 11, "budget": None}


def arguments():
    parser = argparse.ArgumentParser(
        prog="./dev bench",
        description="Measures what the benchmark programs of a release build can measure, prints "
        "tables, and writes report.html and the samples as JSON.",
    )
    parser.add_argument(
        "filter", nargs="*", help="measure only rows whose name contains one of these expressions"
    )
    parser.add_argument(
        "--full",
        action="store_true",
        help="larger sizes, longer, more rounds; without: under 5 minutes",
    )
    parser.add_argument("--rounds", type=int, help="how often to measure each row")
    parser.add_argument(
        "--against", metavar="BUILD", type=pathlib.Path,
        help="measure another build folder in the same rounds, too, and compare",
    )  # fmt: skip
    parser.add_argument(
        "--compare", nargs=2, metavar=("BEFORE", "AFTER"), type=pathlib.Path,
        help="compare two runs by their JSON, instead of measuring",
    )  # fmt: skip
    parser.add_argument(
        "--show", metavar="RUN", type=pathlib.Path,
        help="print and write the report of an earlier run by its JSON, instead of measuring",
    )  # fmt: skip
    parser.add_argument(
        "--build", type=pathlib.Path, default=ROOT / "build" / "release", help=argparse.SUPPRESS
    )
    return parser.parse_args()


def main():
    given = arguments()
    if given.compare:
        print_comparison(*map(record.load, given.compare))
    elif given.show:
        report(record.load(given.show), report_folder(given.build))
    else:
        measure(given)


def measure(given):
    """Measures one build, or two in turns, and reports."""
    settings = dict(FULL if given.full else QUICK)
    if given.rounds:
        settings.update(rounds=given.rounds, budget=None)
    processor = processors.measured(processors.allowed())
    builds = [build.resolve() for build in filter(None, [given.against, given.build])]
    sides = [prepare(build, settings, given.filter, processor) for build in builds]
    if not any(chosen for chosen, _ in sides):
        sys.exit(f"no benchmark matches {' or '.join(given.filter) or 'anything'}")
    disturbance = Disturbance(processor)
    first = targets.subjects(targets.load())
    budget = Budget(settings["budget"], settings["rounds"], first=first)
    rounds.measure(
        sides,
        budget,
        lambda program, subject: run.run(
            program, subject, settings["seconds"], processor, budget.left()
        ),
        say=lambda line: print(line, file=sys.stderr, flush=True),
    )
    taken = [kept for _, kept in sides]
    for kept in taken:
        kept.machine["taken by other programs"] = f"{in_words(*disturbance.share())} of that processor"
    folder = report_folder(given.build)
    paths = [folder / f"{kept.taken}{side}.json" for kept, side in zip(taken, endings(len(taken)))]
    for kept, path in zip(taken, paths):
        record.save(kept, path)
    report(taken[-1], folder)
    if given.against:
        print_comparison(*taken, same_rounds=True)
    print("samples:", *map(os.path.relpath, paths))


def prepare(build, settings, filters, processor):
    """The programs of one build, and the record for what they will say."""
    extent = "full" if settings["full"] else "usual"
    chosen, failures = programs.available(build, extent, wanted(filters))
    kept = record.Record(
        taken=datetime.datetime.now(datetime.timezone.utc).strftime("%Y-%m-%dT%H%MZ"),
        settings=settings,
        machine=machine.describe(build, processor),
        commands=commands(chosen, settings, processor),
        failures=failures,
    )
    return chosen, kept


def wanted(filters):
    """Does a name match one of the filters?  All do if there are none."""
    return lambda name: not filters or any(re.search(f, str(name)) for f in filters)


def commands(chosen, settings, processor):
    """What will be run, as one would type it at the root of the source."""
    return [
        " ".join(
            [f"{variable}={value}" for variable, value in program.environment]
            + [
                quoted(part.replace(f"{ROOT}/", ""))
                for part in run.command(program, subject, settings["seconds"], processor)
            ]
        )
        for program in chosen
        for subject in program.subjects()
    ]


def quoted(part):
    return f"'{part}'" if re.search(r"[()|$\s]", part) else part


def endings(sides):
    """What tells the files of one run apart."""
    return [""] if sides == 1 else ["-against", ""]


def report_folder(build):
    folder = build / "bench-report"
    folder.mkdir(exist_ok=True)
    return folder


def report(kept, folder):
    """Prints the tables and writes the page and, for documents, what comes first in Markdown."""
    from . import page  # needs packages that a mere comparison does not

    judged = targets.results(kept, targets.load())
    highlights = [backends_table.table(kept), targets.table(judged)]
    highlights = [table for table in highlights if table]
    for subject in kept.subjects():
        for table in tables.subject_tables(kept, subject):
            print(tables.as_text(table))
    for table in highlights:
        print(tables.as_text(table, width=math.inf))
    print(targets.tally(judged))
    print("taken by other programs:", kept.machine["taken by other programs"])
    for line in kept.failures:
        print("FAILED", line)
    for line in kept.left_out:
        print("LEFT OUT", line)
    (folder / "report.html").write_text(page.page(kept, highlights), encoding="utf-8")
    markdown = "\n".join(map(tables.as_markdown, highlights))
    (folder / "summary.md").write_text(markdown, encoding="utf-8")
    print("report:", os.path.relpath(folder / "report.html"))


def print_comparison(before, after, same_rounds=False):
    print(tables.as_text(compare.comparison(before, after, same_rounds), width=math.inf))
    for line in compare.unmatched(before, after):
        print(line)


if __name__ == "__main__":
    main()
