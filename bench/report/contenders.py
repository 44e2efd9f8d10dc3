"""Who competes: this library, the libraries below it by hand, and other runtimes."""

# In the order in which tables list them.
OURS = ("asyncio", "asyncio@ev", "asyncio@event", "asyncio@select", "asyncio@clock")
LIBRARIES = ("raw_libev", "raw_libevent", "raw_select", "raw_epoll")
BY_HAND = (*LIBRARIES, "bare")
PEERS = ("boost_fiber", "asio", "libuv", "go", "tokio", "python_asyncio", "uvloop")
ALL = OURS + BY_HAND + PEERS

# What a backend is measured by: the same work, written by hand on the same library.
BELOW = {
    "asyncio@ev": "raw_libev",
    "asyncio@event": "raw_libevent",
    "asyncio@select": "raw_select",
}


def in_order(contender):
    """A sort key; who is not listed comes last."""
    return (ALL.index(contender) if contender in ALL else len(ALL), contender)


def is_ours(contender):
    return contender.split("@")[0] == "asyncio"


def reference(contender, medians, best=min):
    """Whom to compare one of ours with, among the contenders that `medians` maps to their medians.

    That is the library below, else the fastest peer, else the fastest library; None without any.
    """
    if not is_ours(contender):
        return None
    if BELOW.get(contender) in medians:
        return BELOW[contender]
    others = [p for p in PEERS if p in medians] or [r for r in LIBRARIES if r in medians]
    return best(others, key=medians.get, default=None)
