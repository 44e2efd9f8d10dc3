"""A run as it is kept in a file: every sample of every row, and where they were taken."""

import json
from dataclasses import asdict, dataclass, field

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
    machine: dict = field(default_factory=dict)
    commands: list = field(default_factory=list)
    failures: list = field(default_factory=list)
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
        """Those that were measured, in the order in which they were."""
        return list(dict.fromkeys(name.subject for name in self.names()))

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


def save(record, path):
    path.write_text(json.dumps(asdict(record), indent=1) + "\n", encoding="utf-8")


def load(path):
    fields = json.loads(path.read_text(encoding="utf-8"))
    if fields.get("format") != FORMAT:
        raise ValueError(
            f"{path} is not a run of this benchmark suite, or of another version of it"
        )
    return Record(**fields)
