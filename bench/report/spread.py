"""Medians, how much samples scatter about them, and what a difference means.

What is promised: of rows that are equal, and scatter as rounds usually do, at most about 2 in 100
are said to differ with certainty, whether three rounds were measured or more.  That holds for a
ratio within the same rounds beside a number it equals, a limit or one, and all the more for two
medians.
"""

import math
import statistics
from typing import NamedTuple

# A median of n samples is uncertain by about this times their interquartile range / sqrt(n).  For
# 2 wrong verdicts in 100, many samples of normal scatter need 2.2.  Of few samples the quartiles
# are uncertain as well: between 4 and 11 of them need up to 2.7, and 3 need 3.5.  This is a little
# more, since ratios of scattered times are not quite normal.
UNCERTAINTY = 2.9
UNCERTAINTY_OF_FEWEST = 4.0
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
        factor = UNCERTAINTY_OF_FEWEST if self.count == FEWEST else UNCERTAINTY
        return factor * (self.upper - self.lower) / math.sqrt(self.count)

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
    # The quartiles of all samples that there might have been; those of the few that there are lie
    # closer together.  Of two samples that would be a guess beyond both.
    method = "exclusive" if len(values) >= FEWEST else "inclusive"
    lower, median, upper = statistics.quantiles(values, n=4, method=method)
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
    # They were measured at different times: their noises are independent.
    noise = math.hypot(one.noise, other.noise)
    return exceeds(abs(one.median - other.median), noise, scale)


def differs_from_one(compared):
    """Is a ratio within the same rounds another than one?  None if that cannot be told."""
    return exceeds(abs(compared.median - 1), compared.noise, 1)


def exceeds(difference, noise, scale):
    return None if math.isinf(noise) else difference > max(noise, FLOOR * scale)
