"""Builds the benchmark programs that the names to measure need, and neither tests nor examples.

This library's program is always built, for it says which rows there are.  Whatever else is built
belongs to one contender: a peer's program, or a small program that ours starts.
"""

import json
import pathlib
import re
import subprocess

from . import programs
from .programs import ROOT
from .run import Failed

OWN = "bench/asyncio_bench"


def make(build, extent, wanted, run=subprocess.run):
    """Builds, by way of ./dev, in the folder that it calls the release.

    Raises subprocess.CalledProcessError; the build has said what is wrong.
    """

    def ninja(*targets):
        run([ROOT / "dev", "build", "release", *targets], check=True)

    ninja(OWN)
    if others := needed(build, rows(build, extent), wanted):
        ninja(*others)


def rows(build, extent):
    """The names of what this library's program can measure; none if it cannot say."""
    (own,) = [p for p in programs.declared(build, extent) if p.command[0].endswith(f"/{OWN}")]
    try:
        return list(programs.listed_rows(own).values())
    except Failed:
        return []  # whoever measures will find out, too, and report it


def needed(build, own_rows, wanted):
    """The targets of those contenders that could have a row that is wanted, in order."""
    listed = json.loads((build / "meson-info" / "intro-targets.json").read_text(encoding="utf-8"))
    targets = {target["id"]: target["filename"][0] for target in listed}
    found = set()
    for entry in programs.entries(build):
        subject = subject_of(entry)
        for target in map(targets.get, entry["depends"]):
            contender = target and contender_of(target)
            if not contender:
                continue
            if subject:
                chosen = [row for row in own_rows if row.subject == subject]
            else:
                chosen = programs.known_to(contender, own_rows)
            if programs.could_have(contender, chosen, wanted):
                found.add(str(pathlib.Path(target).resolve().relative_to(build.resolve())))
    return sorted(found)


def subject_of(entry):
    """The subject that a benchmark() is about; None if it is about all of a peer's."""
    match = re.search(r"\bbench (\w+\.\w+)$", entry["name"])
    return match and match.group(1)


def contender_of(target):
    """Whose program it is, by its file: go_peer is go's, program_asio is asio's; or None."""
    match = re.search(r"(?:/program_(\w+)|/(\w+)_peer)$", target)
    return match and (match.group(1) or match.group(2))
