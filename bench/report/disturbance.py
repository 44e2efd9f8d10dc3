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
        """The part of the time since then in which the processor was busy, but not for us.

        It is at least that: what our programs did on other processors is taken for done on this one.
        """
        elapsed, busy, ours = (now - then for now, then in zip(self.figures(), self.began))
        return max(busy - ours, 0) / elapsed if elapsed else 0.0

    def figures(self):
        """The time, and how much of it the processor was busy, and how much our programs took."""
        ours = resource.getrusage(resource.RUSAGE_CHILDREN)
        return (
            time.monotonic(),
            busy(STAT.read_text(), self.processor),
            ours.ru_utime + ours.ru_stime,
        )


def busy(stat, processor):
    """Seconds since boot in which the processor was not idle, by the text of /proc/stat."""
    for line in stat.splitlines():
        label, *ticks = line.split()
        if label == f"cpu{processor}":
            # Guest time, at the end, is in user time as well.
            return sum(int(n) for i, n in enumerate(ticks[:8]) if i not in IDLE) / TICKS
    return 0.0
