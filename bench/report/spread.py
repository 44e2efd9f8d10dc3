"""Medians, how much samples scatter about them, and what a difference means."""

import math
import statistics
from typing import NamedTuple

# A median of n samples is uncertain by about this times their interquartile range / sqrt(n).  The
# notches of box plots use 1.57 (McGill, Tukey and Larsen, 1978), which suits many samples.  Of few
# samples, the quartiles are uncertain as well: with 1.57 and 7 rounds, 6 of 100 equal rows would
# seem to differ; like this it is 1 of 100, and 4 of 100 with 5 rounds.
UNCERTAINTY = 2.5
# Two builds of the same source may differ by as much, only because functions lie elsewhere.
FLOOR = 0.02
# With fewer samples, the quartiles say nothing.
FEWEST = 3


class Spread(NamedTuple):
    median: float
    lower: float  # quartile
    upper: float
    count: int

    @property
    def noise(self):
        """How far the median may be off; infinite if there are too few samples to tell."""
        if self.count < FEWEST:
            return math.inf
        return UNCERTAINTY * (self.upper - self.lower) / math.sqrt(self.count)

    @property
    def relative(self):
        """Half the interquartile range, as a part of the median."""
        return (self.upper - self.lower) / 2 / abs(self.median) if self.median else 0.0


def present(samples):
    return [sample for sample in samples if sample is not None]


def spread(samples):
    """Sums up samples, of which some may be missing; None if all are."""
    values = present(samples)
    if not values:
        return None
    if len(values) == 1:
        return Spread(values[0], values[0], values[0], 1)
    lower, median, upper = statistics.quantiles(values, n=4, method="inclusive")
    return Spread(median, lower, upper, len(values))


def ratio(ours, theirs):
    """Sums up the ratios within each round, so that what disturbed a round cancels out."""
    return spread(
        [
            our / their
            for our, their in zip(ours, theirs)
            if our is not None and their is not None and their > 0
        ]
    )


def differs(one, other):
    """Do two medians differ by more than their noise?  None if that cannot be told."""
    scale = max(abs(one.median), abs(other.median))
    return exceeds(abs(one.median - other.median), one.noise + other.noise, scale)


def differs_from_one(compared):
    """Is a ratio within the same rounds another than one?  None if that cannot be told."""
    return exceeds(abs(compared.median - 1), compared.noise, 1)


def exceeds(difference, noise, scale):
    return None if math.isinf(noise) else difference > max(noise, FLOOR * scale)
