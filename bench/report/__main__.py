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
    building,
    choice,
    compare,
    disturbance,
    fitness,
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
# For each row where the number of rounds is given: there is time then, and short samples scatter
# more.
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
        help="print the tables of an earlier run by its JSON, and write its page beside it, "
        "instead of measuring",
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
            # Only now that the arguments are known to be good: it may take a while.
            building.make(build, extent(given.full), names.wanted(given.filter))
            print("\n==> running the benchmarks", flush=True)
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


def extent(full):
    """Which sizes there are, as programs are told."""
    return "full" if full else "usual"


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
    chosen, failures = programs.available(
        build, extent(settings["full"]), names.wanted(settings["filter"])
    )
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
    governor = machine.governor(processor)
    before = fitness.look(processor)
    now = fitness.in_words(before, governor=governor)
    print("this machine is", now, file=sys.stderr, flush=True)
    watched = disturbance.Disturbance(processor)
    budget = Budget(settings["budget"], settings["rounds"])
    interrupted = False
    try:
        rounds.measure(
            sides,
            budget,
            lambda program, subject: run.run(
                program, subject, settings["seconds"], processor, budget.left()
            ),
            say=lambda line: print(line, file=sys.stderr, flush=True),
            judged=judged(),
        )
    except KeyboardInterrupt:
        interrupted = True
    least, most = watched.share()
    fit = fitness.in_words(before, fitness.look(processor), least, governor)
    for _, kept in sides:
        kept.machine["fitness"] = fit
        kept.machine["taken by other programs"] = (
            f"{disturbance.in_words(least, most)} of that processor"
        )
    return interrupted


def judged():
    """Does a verdict hang on a row of this name: on a target, or on which backend to choose?"""
    rows = targets.rows(targets.load())
    subjects = choice.subjects() | {backends_table.SUBJECT}
    return lambda name: str(name) in rows or (
        name.subject in subjects and name.contender in choice.BACKENDS
    )


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

    verdicts = targets.results(kept, targets.load())
    of_backends = backends_table.tables(kept)
    others = [table for table in (targets.table(verdicts), losses.table(kept)) if table]
    highlights = [*of_backends, *others]
    answers = choice.lines(kept)
    for subject in kept.subjects():
        for table in tables.subject_tables(kept, subject):
            print(tables.as_text(table))
    for table in highlights:
        print(tables.as_text(table, width=math.inf))
    if answers:
        print(choice.HEADING, "", *(f"  {line}" for line in answers), "", sep="\n")
    if verdicts:
        print(targets.tally(verdicts))
    if fit := kept.machine.get("fitness"):
        print("this machine was", fit)
    for line in kept.failures:
        print("FAILED", line)
    for line in record.by_reason(kept.left_out):
        print("LEFT OUT", line)
    html = folder / "report.html" if folder else samples.with_suffix(".html")
    markdown = folder / "summary.md" if folder else samples.with_suffix(".md")
    html.write_text(page.page(kept, of_backends, others), encoding="utf-8")
    if answers or highlights:
        listed = "".join(f"- {line}\n" for line in answers)
        first = [f"**{choice.HEADING}**\n\n{listed}"] if answers else []
        text = "\n".join([*first, *map(tables.as_markdown, highlights)])
        markdown.write_text(text, encoding="utf-8")
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
