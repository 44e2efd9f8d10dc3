"""How often to measure each subject in the time there is."""

import math
import time

from .spread import FEWEST


class Budget:
    """Once the first round has shown what each subject takes, plans the others.

    The subjects in `first` are served before all others.
    """

    def __init__(self, seconds, rounds, clock=time.monotonic, first=()):
        self.clock = clock
        self.rounds = rounds
        self.first = frozenset(first)
        self.end = math.inf if seconds is None else clock() + seconds
        self.took = {}
        self.planned = None

    def left(self):
        return max(self.end - self.clock(), 0)

    def in_order(self, subjects):
        """The subjects in the order of a round."""
        return sorted(subjects, key=lambda subject: (subject not in self.first, subject))

    def allows(self, subject, number):
        """Is there time for this subject in this round?  Rounds count from 0."""
        if number == 0:
            return self.left() > 0
        if self.planned is None:
            self.planned = plan(self.took, self.left(), self.rounds, self.first)
        return number < self.planned.get(subject, 0) and self.left() > 0

    def measured(self, subject, began):
        self.took.setdefault(subject, self.clock() - began)


def plan(took, left, rounds, first=frozenset()):
    """Maps each subject to its number of rounds, given what a round took of which one is over.

    As many subjects as possible get the fewest rounds that show a spread; then, as many more rounds
    as possible.  Those in `first` come first, and among equals what is quick, so that what takes very
    long may stay with one round.
    """
    planned = dict.fromkeys(took, 1)
    for goal in range(min(FEWEST, rounds), rounds + 1):
        for subject in sorted(took, key=lambda subject: (subject not in first, took[subject])):
            cost = took[subject] * (goal - planned[subject])
            if cost <= left and planned[subject] in (1, goal - 1):
                planned[subject] = goal
                left -= cost
    return planned
