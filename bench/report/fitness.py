"""Is this machine fit to measure?  Said in one line, from a loop that always does the same."""

import os
import time
from typing import NamedTuple

LOOKS = 1_000  # at most
PATIENCE = 1.0  # seconds for all of them, or a few on a machine that is too busy for even that
FEWEST_LOOKS = 20
STEPS = 60_000  # of the loop in each look: about a millisecond

# What is more than this spoils verdicts on limits that are some percent away.
TYPICAL = 1.05  # the median look, as a multiple of the fastest
SLOW = 1.15  # the slowest tenth
OTHERS = 0.05  # of the processor, taken by other programs
CHANGE = 0.05  # from before the run to after it

STEADY_GOVERNORS = ("performance", "")  # none is visible in most virtual machines


class Looks(NamedTuple):
    """What one series of looks took, in seconds."""

    fastest: float
    median: float
    slow: float  # a tenth took as long as this or longer

    @property
    def typical(self):
        return self.median / self.fastest

    @property
    def scattered(self):
        return self.slow / self.fastest


def summed_up(seconds):
    ordered = sorted(seconds)
    # The very fastest may be a fluke; one in twenty is not.
    return Looks(
        ordered[len(ordered) // 20], ordered[len(ordered) // 2], ordered[len(ordered) * 9 // 10]
    )


def look(processor, clock=time.perf_counter):
    """Runs the loop again and again on that processor, as the benchmarks will be."""
    before = os.sched_getaffinity(0)
    try:
        os.sched_setaffinity(0, {processor})
        taken = []
        while len(taken) < LOOKS and (len(taken) < FEWEST_LOOKS or sum(taken) < PATIENCE):
            taken.append(one_look(clock))
        return summed_up(taken)
    finally:
        os.sched_setaffinity(0, before)


def one_look(clock):
    began = clock()
    for _ in range(STEPS):
        pass
    return clock() - began


def doubts(before, after=None, others=0.0, governor=""):
    """Why the machine is not fit, each in a few words; none if it is."""
    found = []
    typical = max(looks.typical for looks in (before, after or before))
    slow = max(looks.scattered for looks in (before, after or before))
    if slow > SLOW:
        found.append(f"one in ten equal loops took {slow:.2f}× the fastest or longer")
    elif typical > TYPICAL:
        found.append(f"half of equal loops took {typical:.2f}× the fastest or longer")
    if others > OTHERS:
        found.append(f"other programs took {others:.0%} of the processor at least")
    if after and abs(after.fastest / before.fastest - 1) > CHANGE:
        change = after.fastest / before.fastest
        found.append(f"after the run a loop took {change:.2f}× what it took before")
    if governor not in STEADY_GOVERNORS:
        found.append(f"the frequency governor is {governor}")
    return found


def in_words(before, after=None, others=0.0, governor=""):
    """To be read after "this machine is" or "was"."""
    found = doubts(before, after, others, governor)
    if found:
        return f"not fit to measure: {'; '.join(found)}; trust ratios, not times"
    slow = max(looks.scattered for looks in (before, after or before))
    return f"fit to measure: nine in ten equal loops took less than {slow:.2f}× the fastest"
