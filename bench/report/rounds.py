"""Runs all programs in turns, again and again, for as long as there is time.

Within a round, all that compete in a subject run one right after the other, and each round begins
with another of them.  So a machine that slows down for a while slows down all of them, and is seen
in the spread.  Every sample comes from a new process, so that where memory happens to lie is part
of the spread as well.
"""

import math
import time

from . import collect
from .run import Failed
from .spread import FEWEST


def turns(programs, round_number):
    """The programs in the order of this round."""
    first = round_number % len(programs) if programs else 0
    return programs[first:] + programs[:first]


class Budget:
    """Does another round of a subject fit into the time?

    Each is measured once in any case.  One that takes long is measured no more often than a spread
    needs, so that the many that do not are measured more often.
    """

    def __init__(self, seconds, clock=time.monotonic):
        self.clock = clock
        self.end = math.inf if seconds is None else clock() + seconds
        self.dear = math.inf if seconds is None else seconds / 100
        self.took = {}

    def allows(self, subject, number):
        took = self.took.get(subject, -math.inf)
        return (number < FEWEST or took <= self.dear) and self.clock() + took <= self.end

    def measured(self, subject, began):
        self.took[subject] = self.clock() - began


def measure(sides, rounds, budget, run, say=lambda line: None):
    """Runs `rounds` rounds, or as many subjects as the budget allows.

    sides   pairs of a list of programs and the record that takes their samples: one pair, or two to
            compare builds
    run     a function of a program and a subject that returns what the program wrote
    """
    subjects = sorted({s for programs, _ in sides for p in programs for s in p.subjects()})
    for number in range(rounds):
        for subject in subjects:
            if not budget.allows(subject, number):
                continue
            began = budget.clock()
            say(f"round {number + 1} of {rounds}: {subject}")
            competing = [
                (program, record)
                for programs, record in sides
                for program in programs
                if subject in program.subjects()
            ]
            for program, record in turns(competing, number):
                one(program, subject, record, number, run)
            budget.measured(subject, began)


def one(program, subject, record, number, run):
    """One turn: runs a program for one subject and files what it measured, or how it failed."""
    try:
        samples, errors = collect.samples(run(program, subject))
    except Failed as failure:
        samples, errors = {}, {f"{subject}, {program.command[0]}": failure}
    record.add(number, samples)
    for name, error in errors.items():
        line = f"{name}: {error}"
        if line not in record.failures:
            record.failures.append(line)
