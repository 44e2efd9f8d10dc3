"""Runs all programs in turns, again and again.

Within a round, all that compete in a subject run one right after the other, and each round begins
with another of them.  So a machine that slows down for a while slows down all of them, and is seen
in the spread.  Every sample comes from a new process, so that where memory happens to lie is part
of the spread as well.
"""

from . import collect
from .run import Failed


def turns(programs, round_number):
    """The programs in the order of this round."""
    first = round_number % len(programs) if programs else 0
    return programs[first:] + programs[:first]


def measure(sides, budget, run, say=lambda line: None):
    """Runs every subject as often as the budget allows.

    sides   pairs of a list of programs and the record that takes their samples: one pair, or two to
            compare builds
    run     a function of a program and a subject that returns what the program wrote
    """
    subjects = sorted({s for programs, _ in sides for p in programs for s in p.subjects()})
    for number in range(budget.rounds):
        for subject in subjects:
            if budget.allows(subject, number):
                began = budget.clock()
                say(f"round {number + 1}: {subject}")
                compete(sides, subject, number, run)
                budget.measured(subject, began)
            elif number == 0:
                for _, record in sides:
                    record.failures.append(f"{subject}: no time was left to measure it")


def compete(sides, subject, number, run):
    """One round of one subject."""
    competing = [
        (program, record)
        for programs, record in sides
        for program in programs
        if subject in program.subjects()
    ]
    for program, record in turns(competing, number):
        one(program, subject, record, number, run)


def one(program, subject, record, number, run):
    """One turn: runs a program for one subject and files what it measured, or how it failed."""
    try:
        samples, errors = collect.samples(run(program, subject))
    except Failed as failure:
        samples, errors = {}, {f"{subject}, {program.command[0]}": failure}
    record.add(number, program.ours(samples))
    for name, error in errors.items():
        line = f"{name}: {error}"
        if line not in record.failures:
            record.failures.append(line)
