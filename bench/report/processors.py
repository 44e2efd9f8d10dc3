"""Where programs run: what is measured has one processor, and its other side another one.

The other side is whoever keeps what is measured busy: clients, or threads that post.  A program
that is pinned to one processor cannot see which others there are, so the one for its other side is
named in the environment variable BENCH_OTHER_CPU.
"""

import os

OTHER = "BENCH_OTHER_CPU"


def allowed():
    """The processors that we may use."""
    return os.sched_getaffinity(0)


def measured(usable):
    """For what is measured: the last one, since the first serves most interrupts."""
    return max(usable)


def other(usable, processor):
    """For its other side: the last of the others; None if there is no other."""
    return max(usable - {processor}, default=None)


def environment(usable, processor):
    """What a program that is pinned to `processor` is told, as a dictionary of variables."""
    found = other(usable, processor)
    return {} if found is None else {OTHER: str(found)}


def inherited():
    """Our own environment, without what somebody else said of the other side."""
    return {variable: value for variable, value in os.environ.items() if variable != OTHER}
