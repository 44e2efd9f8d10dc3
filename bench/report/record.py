"""A run as it is kept in a file: every sample of every row, and where they were taken."""

import itertools
import json
from dataclasses import MISSING, asdict, dataclass, field, fields

from . import names
from .spread import present, spread

FORMAT = 1
TIME = "time"  # the measure that every row has, in nanoseconds per operation


def is_cost(measure):
    """Is less of it better?"""
    return not measure.endswith("_per_second")


@dataclass
class Record:
    taken: str  # when, in UTC
    settings: dict
    command: str = ""  # that was typed for the run
    machine: dict = field(default_factory=dict)
    commands: list = field(default_factory=list)  # that were run for it
    failures: list = field(default_factory=list)
    left_out: list = field(default_factory=list)  # what there was no time for, and interrupts
    # Row name -> measure -> a sample for each round, None where there is none.
    rows: dict = field(default_factory=dict)
    rounds: int = 0
    format: int = FORMAT

    def add(self, round_number, samples):
        """Adds what one program measured in a round; rounds count from 0."""
        self.rounds = max(self.rounds, round_number + 1)
        for name, sample in samples.items():
            for measure, value in {TIME: sample.time, **sample.counters}.items():
                taken = self.rows.setdefault(name, {}).setdefault(measure, [])
                taken += [None] * (round_number - len(taken)) + [value]

    def samples(self, name, measure=TIME):
        """All of one row's samples; none if there is no such row or measure."""
        taken = self.rows.get(str(name), {}).get(measure, [])
        return taken + [None] * (self.rounds - len(taken))

    def spread(self, name, measure=TIME):
        return spread(self.samples(name, measure))

    def names(self):
        return [names.parse(row) for row in self.rows]

    def subjects(self):
        """Those that were measured, in order of their names."""
        return sorted({name.subject for name in self.names()})

    def measures(self, subject):
        """What the rows of a subject say beside their time."""
        found = {
            measure: None
            for name in self.names()
            if name.subject == subject
            for measure, taken in self.rows[str(name)].items()
            if measure != TIME and present(taken)
        }
        return list(found)


def by_reason(lines):
    """Lines that say of something why it was left out, those with the same reason as one."""
    found = {}
    for line in lines:
        what, _, reason = line.partition(": ")
        found.setdefault(reason, []).append(what)
    return [
        f"{what[0]}: {reason}" if len(what) == 1 else f"{reason}: {', '.join(what)}"
        for reason, what in found.items()
    ]


class Unreadable(ValueError):
    """A file that holds no run."""


def save(record, path):
    """Writes a new file: `path`, with a number where that exists.  Returns its path."""
    text = json.dumps(asdict(record), indent=1) + "\n"
    for number in itertools.count(1):
        numbered = path if number == 1 else path.with_stem(f"{path.stem}-{number}")
        try:
            with numbered.open("x", encoding="utf-8") as file:
                file.write(text)
            return numbered
        except FileExistsError:
            pass


def load(path):
    """The run that a file holds.  Raises Unreadable."""
    try:
        found = json.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise Unreadable(f"{path} cannot be read: {error.strerror}") from error
    except ValueError as error:
        raise Unreadable(f"{path} is not JSON: {error}") from error
    if not is_run(found):
        raise Unreadable(
            f"{path} is not a run of this benchmark suite, or of another version of it"
        )
    return Record(**found)


def is_run(found):
    """Is it what `save` writes?"""
    if not isinstance(found, dict) or found.get("format") != FORMAT:
        return False
    needed = {f.name for f in fields(Record) if f.default is f.default_factory is MISSING}
    return (
        needed <= set(found) <= {f.name for f in fields(Record)}
        and all(isinstance(found.get(key, {}), dict) for key in ("settings", "machine", "rows"))
        and all(map(names.parse, found.get("rows", {})))
    )
