"""Runs all programs in turns, again and again.

Within a round, all that compete in a subject run one right after the other, and each round begins
with another of them.  So a machine that slows down for a while slows down all of them, and is seen
in the spread.  Every round starts the programs anew, so that where memory happens to lie is part of
the spread as well.
"""

from . import collect
from .run import Failed, OutOfTime


def turns(programs, round_number):
    """The programs in the order of this round."""
    first = round_number % len(programs) if programs else 0
    return programs[first:] + programs[:first]


def measure(sides, budget, run, say=lambda line: None):
    """Runs every subject as often as the budget allows.  An interrupt is noted and passed on.

    sides   pairs of a list of programs and the record that takes their samples: one pair, or two to
            compare builds
    run     a function of a program and a subject that returns what the program wrote
    """
    subjects = {s for programs, _ in sides for p in programs for s in p.subjects()}
    number = 0
    try:
        for number in range(budget.rounds):
            for subject in budget.in_order(subjects):
                if budget.allows(subject, number):
                    say(f"round {number + 1}: {subject}")
                    turn(sides, subject, number, budget, run)
                elif number == 0:
                    leave_out(sides, f"{subject}: no time was left to measure it")
    except KeyboardInterrupt:
        leave_out(sides, f"all that was to follow: interrupted in round {number + 1}")
        raise


def turn(sides, subject, number, budget, run):
    """One round of one subject, or what there is time for."""
    began = budget.clock()
    try:
        compete(sides, subject, number, run)
    except OutOfTime:
        leave_out(sides, f"{subject}: time ran out in round {number + 1}")
    budget.measured(subject, began)


def leave_out(sides, line):
    for _, record in sides:
        record.left_out.append(line)


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
        samples, errors = {}, {f"{subject}, {program.label()}": failure}
    record.add(number, program.ours(samples))
    for name, error in errors.items():
        line = f"{name}: {error}"
        if line not in record.failures:
            record.failures.append(line)
