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


def measure(sides, budget, run, say=lambda line: None, judged=lambda name: False):
    """Runs every subject as often as the budget allows.  An interrupt is noted and passed on.

    sides   pairs of a list of programs and the record that takes their samples: one pair, or two to
            compare builds
    run     a function of a program and a subject that returns what the program wrote
    judged  does a verdict hang on a row of this name?  Where time is short, such rows have rounds
            of their own before all others
    """
    number = 0
    try:
        before = rounds_of_judged(sides, budget, run, say, judged)
        subjects = subjects_of(sides)
        for number in range(budget.rounds):
            for subject in budget.in_order(subjects):
                if budget.allows(subject, number):
                    say(f"round {number + 1}: {subject}")
                    began = budget.clock()
                    turn(sides, subject, number + before.get(subject, 0), run)
                    budget.measured(subject, began)
                elif number == 0 and not budget.done.get(subject):
                    others = " for rows that are not judged" if subject in before else ""
                    leave_out(sides, f"{subject}: no time was left{others}")
    except KeyboardInterrupt:
        leave_out(sides, f"all that was to follow: interrupted in round {number + 1}")
        raise


def rounds_of_judged(sides, budget, run, say, judged):
    """Rounds of those rows alone.  Maps each subject that has others as well to how many it had."""
    narrowed = [([p.narrowed(judged) for p in programs], record) for programs, record in sides]
    had = {}
    for number in range(budget.rounds_of_judged):
        for subject in sorted(subjects_of(narrowed)):
            if not budget.left():
                leave_out(sides, f"{subject}: no time was left for round {number + 1}")
                continue
            say(f"round {number + 1} of what is judged: {subject}")
            began = budget.clock()
            turn(narrowed, subject, number, run)
            if rows_of(narrowed, subject) == rows_of(sides, subject):
                budget.measured(subject, began)  # nothing is left for another
            else:
                had[subject] = number + 1
    return had


def subjects_of(sides):
    return {s for programs, _ in sides for p in programs for s in p.subjects()}


def rows_of(sides, subject):
    """All rows of a subject, by the place of their program."""
    return [
        {str(name) for name in program.rows.values() if name.subject == subject}
        for programs, _ in sides
        for program in programs
    ]


def turn(sides, subject, number, run):
    """One round of one subject, or what there is time for."""
    try:
        compete(sides, subject, number, run)
    except OutOfTime:
        leave_out(sides, f"{subject}: time ran out in round {number + 1}")


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
