"""How often to measure each subject in the time there is."""

import math
import time

from .spread import FEWEST


class Budget:
    """First come rounds of what is judged, which nothing else may take the time of.

    Then everything is measured once, and when that has shown what each subject takes, the other
    rounds are planned.
    """

    def __init__(self, seconds, rounds, clock=time.monotonic):
        self.clock = clock
        self.rounds = rounds
        # Where there is time for all rounds of everything, nothing has to come first.
        self.rounds_of_judged = 0 if seconds is None else min(FEWEST, rounds)
        self.end = math.inf if seconds is None else clock() + seconds
        self.took = {}  # by a whole round of each subject
        self.done = {}  # how many whole rounds
        self.planned = None

    def left(self):
        return max(self.end - self.clock(), 0)

    def in_order(self, subjects):
        """The subjects in the order of a round: first those of which nothing has been measured."""
        return sorted(subjects, key=lambda subject: (self.done.get(subject, 0) > 0, subject))

    def allows(self, subject, number):
        """Is there time for this subject in this whole round?  Rounds count from 0."""
        if number < self.done.get(subject, 0):
            return False  # it has had that one
        if number == 0:
            return self.left() > 0
        if self.planned is None:
            self.planned = plan(self.took, self.left(), self.rounds, self.done)
        return number < self.planned.get(subject, 0) and self.left() > 0

    def measured(self, subject, began):
        """Notes a whole round."""
        self.took.setdefault(subject, self.clock() - began)
        self.done[subject] = self.done.get(subject, 0) + 1


def plan(took, left, rounds, done=None):
    """Maps each subject to its number of rounds, given what a round took, and how many it has had.

    As many subjects as possible get the fewest rounds that show a spread; then, as many more rounds
    as possible.  What is quick comes first, so that what takes very long may stay with one round.
    """
    planned = {subject: (done or {}).get(subject, 1) for subject in took}
    for goal in range(min(FEWEST, rounds), rounds + 1):
        for subject in sorted(took, key=took.get):
            missing = goal - planned[subject]
            cost = took[subject] * missing
            reachable = goal <= FEWEST or missing == 1
            if missing > 0 and reachable and cost <= left:
                planned[subject] = goal
                left -= cost
    return planned
