"""Which benchmark programs there are, and what each can measure.

The list is Meson's: every benchmark() in the build files, this library's and the peers'.  A program
need not use Google Benchmark, but it must understand its --benchmark_list_tests and
--benchmark_filter, and write its JSON.  Beside that it takes --extent=usual or --extent=full.
"""

import json
import os
import pathlib
import re
import shlex
from dataclasses import dataclass, field, replace

from . import names
from .run import Failed, output

ROOT = pathlib.Path(__file__).resolve().parents[2]  # of the source
PEERS = ROOT / "bench" / "peers"
PATIENCE = 60  # seconds for a program to list what it has


class NoBuild(Exception):
    """A folder that holds no build whose benchmarks could be run."""


@dataclass(frozen=True)
class Program:
    command: tuple
    environment: tuple = ()  # of (variable, value) pairs, on top of ours
    rows: dict = field(default_factory=dict, hash=False, compare=False)  # listed name -> Name
    whole: frozenset = frozenset()  # the subjects of which `rows` has all that the program can do
    called: str = ""  # what to call it where it is reported
    peer: str = ""  # the contender that all of its rows are of, if there is but one

    def environ(self):
        return {**os.environ, **dict(self.environment)}

    def label(self):
        return self.called or shlex.join(self.command)

    def subjects(self):
        return list(dict.fromkeys(name.subject for name in self.rows.values()))

    def filter(self, subject):
        """The argument that chooses this program's rows of one subject."""
        chosen = [row for row, name in self.rows.items() if name.subject == subject]
        wanted = f"{subject}/" if subject in self.whole else f"({'|'.join(chosen)})$"
        return "--benchmark_filter=^" + wanted.replace(".", "[.]")

    def narrowed(self, wanted):
        """The same program with those rows only whose name is wanted."""
        rows = {row: name for row, name in self.rows.items() if wanted(name)}
        partly = {name.subject for row, name in self.rows.items() if row not in rows}
        return replace(self, rows=rows, whole=self.whole - partly)

    def ours(self, found):
        """Those of the results, by name, that were asked for."""
        asked = set(map(str, self.rows.values()))
        return {name: result for name, result in found.items() if name in asked}


def declared(build, extent):
    """The programs that a build folder declares as benchmarks, each once, without their rows.

    Raises NoBuild.
    """
    programs = []
    for entry in entries(build):
        # What to measure, for how long and how to print it is for us to say.
        ours = ("--benchmark_", "--extent=")
        command = [in_build(build, part) for part in entry["cmd"] if not part.startswith(ours)]
        programs.append(
            Program(
                (*command, f"--extent={extent}"),
                tuple(sorted(entry["env"].items())),
                called=own_part(command, build),
                peer=peer_of(entry),
            )
        )
    return list(dict.fromkeys(programs))


def entries(build):
    """What a build folder says of each benchmark().  Raises NoBuild."""
    path = build / "meson-info" / "intro-benchmarks.json"
    try:
        listed = json.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise NoBuild(
            f"{build} is no build folder: it has no {path.relative_to(build)}; "
            "'./dev build release' makes one at the root of the source, build/release"
        ) from error
    if not listed:
        raise NoBuild(f"{build} was configured without benchmarks: meson configure -Dbench=enabled")
    return listed


def peer_of(entry):
    """The contender that a benchmark() is named after; nothing if it is this library's."""
    match = re.search(r"\bbench peer (\w+)$", entry.get("name", ""))
    return match.group(1) if match else ""


def known_to(peer, rows):
    """Those rows whose subject a peer may take part in, as far as its source tells.

    A peer with a folder of its own names its rows there, MODULE.SUBJECT/PEER.
    """
    if not (PEERS / peer).is_dir():
        return rows
    sources = [path for path in (PEERS / peer).rglob("*") if path.is_file()]
    text = "".join(path.read_text(encoding="utf-8") for path in sources)
    return [row for row in rows if f"{row.subject}/{peer}/" in text]


def could_have(contender, rows, wanted):
    """Could this contender have a row that is wanted?

    Its rows are named as those of others, but for itself.  So nobody has to ask its program, which
    may not have been built.
    """
    return any(
        wanted(row._replace(contender=other))
        for row in rows
        for other in {contender, row.contender}
        if other.split("@")[0] == contender
    )


def in_build(build, part):
    """Meson names what it built as seen from the build folder."""
    path = os.path.normpath(build / part)
    return path if os.path.isfile(path) else part


def own_part(command, build):
    """A command from its first part on that the build or the source holds: neither env(1) nor an
    interpreter, but what they run."""
    for position, part in enumerate(command):
        path = pathlib.Path(part)
        for folder in (build, ROOT):
            if path.is_relative_to(folder) and path.is_file():
                return shlex.join([str(path.relative_to(folder)), *command[position + 1 :]])
    return shlex.join(command)


def listed_rows(program):
    """What a program can measure, by the names that it gives them.  Raises Failed."""
    said = output([*program.command, "--benchmark_list_tests=true"], program.environ(), PATIENCE)
    return {line: names.parse(line) for line in said.split("\n") if names.parse(line)}


def available(build, extent, wanted, list_rows=listed_rows):
    """The programs of a build with those rows that `wanted(name)` chooses, and what went wrong.

    Of programs that list the same row, the first has it.  A peer that could have none of them is
    not asked.
    """
    programs, failures, taken, known = [], [], set(), []
    for program in declared(build, extent):
        if program.peer and known:
            if not could_have(program.peer, known_to(program.peer, known), wanted):
                continue
        try:
            rows = list_rows(program)
        except Failed as failure:
            failures.append(f"{program.label()} does not list its benchmarks: {failure}")
            continue
        known += rows.values()
        chosen = {
            row: name for row, name in rows.items() if str(name) not in taken and wanted(name)
        }
        taken.update(map(str, chosen.values()))
        partly = {name.subject for row, name in rows.items() if row not in chosen}
        whole = frozenset(name.subject for name in rows.values()) - partly
        if chosen:
            programs.append(replace(program, rows=chosen, whole=whole))
    return programs, failures
