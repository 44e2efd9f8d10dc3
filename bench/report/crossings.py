"""Which contender is cheapest as a number grows, and where that changes."""

import itertools
import math
from typing import NamedTuple

from .spread import FEWEST, differs_from_one, spread

# To name another as the cheapest has to save at least so much in sum over the points that follow,
# as a part of the time: noise makes one or the other the cheapest at single points.
WORTH_A_CHANGE = 0.1
# By this factor, no point is mistaken for dearer.
MUCH = 1.5
# Where there are too few rounds to tell, contenders within this of the cheapest count as equal.
ALIKE = 0.05


class Point(NamedTuple):
    """What each contender takes at one value of the number."""

    n: float
    samples: dict  # contender -> samples, one for each round

    def medians(self):
        return {
            who: taken.median
            for who, samples in self.samples.items()
            if (taken := spread(samples)) and taken.median > 0
        }

    def ratios(self, who, against):
        """One's time as a multiple of another's, of each round in which both were measured."""
        pairs = zip(self.samples.get(who, []), self.samples.get(against, []))
        return [one / other for one, other in pairs if one and other]

    def ratio(self, who, against):
        """The spread of those; None if there are none."""
        return spread(self.ratios(who, against))


class Stretch(NamedTuple):
    """Neighbouring points at which the same contender is the cheapest, all in all."""

    points: tuple
    best: str

    @property
    def first(self):
        return self.points[0].n

    @property
    def last(self):
        return self.points[-1].n

    def against_best(self, who):
        """The spread of its ratios to the best, of all rounds and all points that it has.

        None if it has none.  More points make a verdict surer, but they do not make up for rounds.
        """
        ratios = [found for point in self.points if (found := point.ratios(who, self.best))]
        taken = spread([one for found in ratios for one in found])
        if taken and max(map(len, ratios)) < FEWEST:
            return taken._replace(count=min(taken.count, FEWEST - 1))
        return taken

    def everyone(self):
        return frozenset(who for point in self.points for who in point.medians())

    def equals(self):
        """The best, and all that are not certainly dearer where they have points."""
        return frozenset(
            who for who in self.everyone() if who == self.best or not self.is_dearer(who)
        )

    def is_dearer(self, who):
        """Is it, all in all, at half of its points, or by much at any?

        By less, one of many points may be mistaken.
        """
        compared = self.against_best(who)
        if compared is None or certainly_more(compared):
            return True
        shared = [point.ratio(who, self.best) for point in self.points if who in point.medians()]
        dearer = [found for found in shared if certainly_more(found)]
        return 2 * len(dearer) >= len(shared) or any(found.median > MUCH for found in dearer)

    def whole(self, who):
        """Has it all of the points?"""
        return all(who in point.medians() for point in self.points)

    def is_certain(self):
        """Were there rounds enough to tell the others from the best?"""
        compared = filter(None, map(self.against_best, self.everyone() - {self.best}))
        return all(differs_from_one(found) is not None for found in compared)


def certainly_more(compared):
    """Is a ratio more than one?"""
    differs = compared and differs_from_one(compared)
    if differs is None and compared:
        return compared.median > 1 + ALIKE
    return bool(differs) and compared.median > 1


def stretches(points):
    """Those that cost the least, a change to another being WORTH_A_CHANGE; in ascending order."""
    points = sorted(points, key=lambda point: point.n)
    # Contender -> what it costs to end with it, and who was the best at each point until then.
    ways = {None: (0.0, [])}
    for point in points:
        found = point.medians()
        least = min(found.values())
        ways = {who: step(ways, who, math.log(found[who] / least)) for who in found}
    _, best = min(ways.values(), key=lambda way: way[0])
    of_best = itertools.groupby(zip(points, best), key=lambda pair: pair[1])
    found = [Stretch(tuple(point for point, _ in pairs), who) for who, pairs in of_best]
    while True:
        pairs = enumerate(zip(found, found[1:]))
        joined = next(((at, both) for at, pair in pairs if (both := one(*pair))), None)
        if joined is None:
            return found
        at, both = joined
        found[at : at + 2] = [both]


def one(before, after):
    """Two neighbouring stretches as one, if the best of each may be that of both; else None."""
    points = (*before.points, *after.points)
    ends = before.best not in after.everyone()
    if after.best in before.equals() and (ends or before.best in after.equals()):
        joined = Stretch(points, after.best)
        return joined if ends or before.best in joined.equals() else None
    return None


def step(ways, who, more):
    """The cheapest way to have `who` as the best at one more point, which costs so much more."""

    def cost(before):
        return ways[before][0] + (0 if before in (None, who) else WORTH_A_CHANGE)

    before = min(ways, key=cost)
    return cost(before) + more, [*ways[before][1], who]


def crossing(before, after):
    """Where the curves of the best of two neighbouring stretches cross, or about there.

    None if the one that was best before has no value any more.
    """
    left, right = before.points[-1], after.points[0]
    at_left, at_right = left.medians(), right.medians()
    if before.best not in at_right:
        return None
    if after.best not in at_left:
        return right.n
    # Straight lines on log axes, as they are drawn.
    ahead = math.log(at_left[after.best] / at_left[before.best])
    behind = math.log(at_right[before.best] / at_right[after.best])
    part = ahead / (ahead + behind) if ahead > 0 and behind > 0 else 0.5
    return left.n * (right.n / left.n) ** part
