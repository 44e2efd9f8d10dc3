"""The command line."""

import argparse
import datetime
import math
import os
import pathlib
import re
import shlex
import signal
import subprocess
import sys

from . import (
    backends_table,
    compare,
    disturbance,
    losses,
    machine,
    names,
    processors,
    programs,
    record,
    rounds,
    run,
    tables,
    targets,
)
from .budget import Budget
from .programs import ROOT

# How long to measure each row in a round, how many rounds at most, and how long altogether.
QUICK = {"full": False, "seconds": 0.03, "rounds": 7, "budget": 250}
FULL = {"full": True, "seconds": 0.5, "rounds": 11, "budget": None}
# For each row where the number of rounds is given: then there is time, and short samples scatter more.
UNHURRIED = 0.1

RELEASE = ROOT / "build" / "release"

# Exit statuses; argparse ends with REFUSED as well.
NOTHING_FOUND = 1
REFUSED = 2
INTERRUPTED = 130  # as a shell says it of SIGINT


def argument_parser():
    parser = argparse.ArgumentParser(
        prog="./dev bench",
        description="Measures what the benchmark programs of a release build can measure, prints "
        "tables, and writes a page and the samples as JSON.",
        allow_abbrev=False,
    )
    parser.add_argument(
        "filter", nargs="*", type=expression,
        help="measure only rows whose name contains one of these regular expressions",
    )  # fmt: skip
    parser.add_argument(
        "--full",
        action="store_true",
        help="larger sizes, longer, more rounds; without: under 5 minutes",
    )
    parser.add_argument("--rounds", type=positive, help="how often to measure each row")
    instead = parser.add_mutually_exclusive_group()
    instead.add_argument(
        "--against", metavar="BUILD", type=path,
        help="measure another build folder in the same rounds, too, and compare",
    )  # fmt: skip
    instead.add_argument(
        "--compare", nargs=2, metavar=("BEFORE", "AFTER"), type=path,
        help="compare two runs by their JSON, instead of measuring",
    )  # fmt: skip
    instead.add_argument(
        "--show", metavar="RUN", type=path,
        help="print the tables of an earlier run by its JSON, and write its page beside it, instead "
        "of measuring",
    )  # fmt: skip
    parser.add_argument(
        "--build", type=path, help=argparse.SUPPRESS  # measure this folder, as it is
    )
    return parser


def arguments():
    parser = argument_parser()
    given = parser.parse_args()
    if given.filter and (given.compare or given.show):
        parser.error("--compare and --show take no filter: they are about whole files")
    return given


def path(text):
    """Seen from where the command was given: ./dev has moved to the root of the source since."""
    return pathlib.Path(os.environ.get("CALLED_FROM", "."), text).absolute()


def positive(text):
    if not text.isdecimal() or int(text) == 0:
        raise argparse.ArgumentTypeError(f"{text!r} is not a number of rounds, which are 1 or more")
    return int(text)


def expression(text):
    try:
        re.compile(text)
    except re.error as error:
        raise argparse.ArgumentTypeError(
            f"{text!r} is not a regular expression: {error}; a backslash makes a character plain"
        ) from error
    return text


def main():
    """Returns the exit status."""
    given = arguments()
    build = given.build or RELEASE
    try:
        if given.compare:
            return print_comparison(*map(record.load, given.compare))
        if given.show:
            report(record.load(given.show), given.show)
            return 0
        if not given.build:
            make_release()
        return measure(given, build)
    except (record.Unreadable, programs.NoBuild) as error:
        runs = build / "bench-report"
        hint = f"; runs are in {runs}" if isinstance(error, record.Unreadable) else ""
        print(f"./dev bench: {error}{hint}", file=sys.stderr)
        return REFUSED
    except subprocess.CalledProcessError:
        return NOTHING_FOUND  # the build has said what is wrong
    except KeyboardInterrupt:
        print("interrupted", file=sys.stderr)
        return INTERRUPTED


def make_release():
    """Only now that the arguments are known to be good: it may take a while."""
    subprocess.run([ROOT / "dev", "build", "release"], check=True)
    print("\n==> running the benchmarks", flush=True)


def measure(given, build):
    """Measures one build, or two in turns, and reports."""
    settings = {**(FULL if given.full else QUICK), "filter": given.filter}
    if given.rounds:
        seconds = max(settings["seconds"], UNHURRIED)
        settings.update(rounds=given.rounds, seconds=seconds, budget=None)
    processor = processors.measured(processors.allowed())
    builds = [build.resolve() for build in filter(None, [given.against, build])]
    sides = [prepare(build, settings, processor) for build in builds]
    for build, (chosen, kept) in zip(builds, sides):
        if not chosen:
            return print_nothing_found(build, kept)
    interrupted = measure_rounds(sides, settings, processor)
    taken = [kept for _, kept in sides]
    if not any(kept.rows for kept in taken):
        reasons = [*taken[-1].failures, *taken[-1].left_out]
        print("nothing was measured", *reasons, sep="\n", file=sys.stderr)
        return INTERRUPTED if interrupted else NOTHING_FOUND
    folder = build / "bench-report"
    folder.mkdir(exist_ok=True)
    paths = [
        record.save(kept, folder / f"{kept.taken}{ending}.json")
        for kept, ending in zip(taken, endings(len(taken)))
    ]
    whole = not given.filter and not interrupted
    report(taken[-1], paths[-1], folder if whole else None)
    if given.against:
        print_comparison(*taken, same_rounds=True)
    print("samples:", *paths)
    return INTERRUPTED if interrupted else 0


def prepare(build, settings, processor):
    """The programs of one build, and the record for what they will say."""
    extent = "full" if settings["full"] else "usual"
    chosen, failures = programs.available(build, extent, names.wanted(settings["filter"]))
    kept = record.Record(
        taken=datetime.datetime.now(datetime.timezone.utc).strftime("%Y-%m-%dT%H%M%SZ"),
        settings=settings,
        command=shlex.join(["./dev", "bench", *sys.argv[1:]]),
        machine=machine.describe(build, processor),
        commands=commands(chosen, settings, processor),
        failures=failures,
    )
    return chosen, kept


def measure_rounds(sides, settings, processor):
    """Fills the records.  Returns whether the user, or who ends programs, wanted no more of it."""
    for ending in (signal.SIGTERM, signal.SIGHUP):
        if signal.getsignal(ending) == signal.SIG_DFL:  # not of nohup(1)
            signal.signal(ending, signal.default_int_handler)
    watched = disturbance.Disturbance(processor)
    first = targets.subjects(targets.load())
    budget = Budget(settings["budget"], settings["rounds"], first=first)
    interrupted = False
    try:
        rounds.measure(
            sides,
            budget,
            lambda program, subject: run.run(
                program, subject, settings["seconds"], processor, budget.left()
            ),
            say=lambda line: print(line, file=sys.stderr, flush=True),
        )
    except KeyboardInterrupt:
        interrupted = True
    taken = disturbance.in_words(*watched.share())
    for _, kept in sides:
        kept.machine["taken by other programs"] = f"{taken} of that processor"
    return interrupted


def commands(chosen, settings, processor):
    """What will be run, as one would type it at the root of the source."""
    return [
        " ".join(
            [f"{k}={shlex.quote(v)}" for k, v in run.environment(program, processor).items()]
            + [
                shlex.quote(part.replace(f"{ROOT}/", ""))
                for part in run.command(program, subject, settings["seconds"], processor)
            ]
        )
        for program in chosen
        for subject in program.subjects()
    ]


def endings(sides):
    """What tells the files of one run apart."""
    return [""] if sides == 1 else ["-against", ""]


def report(kept, samples, folder=None):
    """Prints the tables and writes the page and, for documents, what comes first in Markdown.

    They are written beside the samples and named after them; where a folder is given, as
    `report.html` and `summary.md` in it, for whoever looks for the latest whole run.
    """
    from . import page  # needs packages that a mere comparison does not

    judged = targets.results(kept, targets.load())
    highlights = [backends_table.table(kept), targets.table(judged), losses.table(kept)]
    highlights = [table for table in highlights if table]
    for subject in kept.subjects():
        for table in tables.subject_tables(kept, subject):
            print(tables.as_text(table))
    for table in highlights:
        print(tables.as_text(table, width=math.inf))
    if judged:
        print(targets.tally(judged))
    print("taken by other programs:", kept.machine["taken by other programs"])
    for line in kept.failures:
        print("FAILED", line)
    for line in kept.left_out:
        print("LEFT OUT", line)
    html = folder / "report.html" if folder else samples.with_suffix(".html")
    markdown = folder / "summary.md" if folder else samples.with_suffix(".md")
    html.write_text(page.page(kept, highlights), encoding="utf-8")
    if highlights:
        markdown.write_text("\n".join(map(tables.as_markdown, highlights)), encoding="utf-8")
    print("report:", html)


def print_comparison(before, after, same_rounds=False):
    """Returns the exit status."""
    compared = compare.comparison(before, after, same_rounds)
    if compared.rows:
        print(tables.as_text(compared, width=math.inf))
    for line in compare.unmatched(before, after):
        print(line)
    if not compared.rows:
        print("nothing to compare: the two runs have no row in common", file=sys.stderr)
    return 0 if compared.rows else NOTHING_FOUND


def print_nothing_found(build, kept):
    """Returns the exit status."""
    for line in kept.failures:
        print("FAILED", line, file=sys.stderr)
    wanted = " or ".join(kept.settings["filter"]) or "anything"
    print(f"no benchmark in {build} matches {wanted}", file=sys.stderr)
    return NOTHING_FOUND


if __name__ == "__main__":
    sys.exit(main())
