"""How much of the processor other programs took while the benchmarks ran on it."""

import os
import pathlib
import resource
import time

STAT = pathlib.Path("/proc/stat")
TICKS = os.sysconf("SC_CLK_TCK")
IDLE = (3, 4)  # which of the figures for a processor in /proc/stat count idle time


class Disturbance:
    """Watches one processor from now on."""

    def __init__(self, processor):
        self.processor = processor
        self.began = self.figures()

    def share(self):
        """The part of the time since then that others took of the processor: at least, and at most.

        The kernel says how busy each processor was, but of our programs only what they took of all
        processors together, and some have another side elsewhere.  So they may have taken all of it
        on this one: then others took the least.  And others took no more of this processor than of
        all.  What our programs have started and not waited for counts as done by others.
        """
        elapsed, here, anywhere, ours = (
            now - then for now, then in zip(self.figures(), self.began)
        )
        if elapsed <= 0:
            return 0.0, 0.0
        here = min(here, elapsed)  # the kernel counts in ticks
        least = max(here - ours, 0)
        most = max(min(here, anywhere - ours), least)
        return least / elapsed, most / elapsed

    def figures(self):
        """In seconds: the time, how much of it this processor and all of them were busy, and how
        much we and our programs took."""
        stat = STAT.read_text(encoding="utf-8")
        taken = [resource.getrusage(w) for w in (resource.RUSAGE_CHILDREN, resource.RUSAGE_SELF)]
        return (
            time.monotonic(),
            busy(stat, f"cpu{self.processor}"),
            busy(stat, "cpu"),
            sum(usage.ru_utime + usage.ru_stime for usage in taken),
        )


def busy(stat, label):
    """Seconds since boot that were not idle in the line of that label of /proc/stat's text: `cpu1`
    is a processor, `cpu` all of them."""
    for line in stat.splitlines():
        found, *ticks = line.split()
        if found == label:
            # Guest time, at the end, is in user time as well.
            return sum(int(n) for i, n in enumerate(ticks[:8]) if i not in IDLE) / TICKS
    return 0.0


def in_words(least, most):
    """Both bounds, or one figure where they say the same."""
    least, most = f"{least:.0%}", f"{most:.0%}"
    return least if least == most else f"at least {least}, at most {most}"
