"""Which benchmark programs there are, and what each can measure.

The list is Meson's: every benchmark() in the build files, this library's and the peers'.  A program
need not use Google Benchmark, but it must understand its --benchmark_list_tests and
--benchmark_filter, and write its JSON.  Beside that it takes --extent=usual or --extent=full.
"""

import json
import os
import subprocess
from dataclasses import dataclass, field

from . import names

PATIENCE = 60  # seconds for a program to list what it has


@dataclass(frozen=True)
class Program:
    command: tuple
    environment: tuple = ()  # of (variable, value) pairs, on top of ours
    rows: dict = field(default_factory=dict, hash=False, compare=False)  # listed name -> Name
    whole: frozenset = frozenset()  # the subjects of which `rows` has all that the program can do

    def environ(self):
        return {**os.environ, **dict(self.environment)}

    def subjects(self):
        return list(dict.fromkeys(name.subject for name in self.rows.values()))

    def filter(self, subject):
        """The argument that chooses this program's rows of one subject."""
        chosen = [row for row, name in self.rows.items() if name.subject == subject]
        wanted = f"{subject}/" if subject in self.whole else f"({'|'.join(chosen)})$"
        return "--benchmark_filter=^" + wanted.replace(".", "[.]")

    def ours(self, found):
        """Those of the results, by name, that were asked for."""
        asked = set(map(str, self.rows.values()))
        return {name: result for name, result in found.items() if name in asked}


def declared(build, extent):
    """The programs that a build folder declares as benchmarks, each once, without their rows."""
    listed = json.loads(
        (build / "meson-info" / "intro-benchmarks.json").read_text(encoding="utf-8")
    )
    programs = []
    for entry in listed:
        # What to measure, for how long and how to print it is for us to say.
        ours = ("--benchmark_", "--extent=")
        command = [in_build(build, part) for part in entry["cmd"] if not part.startswith(ours)]
        command = (*command, f"--extent={extent}")
        programs.append(Program(command, tuple(sorted(entry["env"].items()))))
    return list(dict.fromkeys(programs))


def in_build(build, part):
    """Meson names what it built as seen from the build folder."""
    path = os.path.normpath(build / part)
    return path if os.path.isfile(path) else part


def listed_rows(program):
    """What a program can measure, by the names that it gives them."""
    asked = subprocess.run(
        [*program.command, "--benchmark_list_tests=true"],
        env=program.environ(),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        timeout=PATIENCE,
        check=True,
    )
    return {line: names.parse(line) for line in asked.stdout.split("\n") if names.parse(line)}


def available(build, extent, wanted, list_rows=listed_rows):
    """The programs of a build with those rows that `wanted(name)` chooses, and what went wrong.

    Of programs that list the same row, the first has it.
    """
    programs, failures, taken = [], [], set()
    for program in declared(build, extent):
        try:
            rows = list_rows(program)
        except (OSError, subprocess.SubprocessError) as error:
            failures.append(f"{program.command[0]} does not list its benchmarks: {error}")
            continue
        chosen = {
            row: name for row, name in rows.items() if str(name) not in taken and wanted(name)
        }
        taken.update(map(str, chosen.values()))
        partly = {name.subject for row, name in rows.items() if row not in chosen}
        whole = frozenset(name.subject for name in rows.values()) - partly
        if chosen:
            programs.append(Program(program.command, program.environment, chosen, whole))
    return programs, failures
