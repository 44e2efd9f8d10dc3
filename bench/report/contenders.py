"""Who competes: this library, the libraries below it by hand, and other runtimes."""

# In the order in which tables list them.
OURS = ("asyncio", "asyncio@ev", "asyncio@event", "asyncio@select", "asyncio@clock")
LIBRARIES = ("raw_libev", "raw_libevent", "raw_select", "raw_epoll")
BY_HAND = (*LIBRARIES, "raw_libev_timerfd", "bare")
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


def references(contender, medians, best=min):
    """Whom to compare one of ours with, among the contenders that `medians` maps to their medians.

    A backend is compared with the library below, else raw_epoll, else the best peer, else the best
    library.  What is ours without one of them is compared with the best that was written by hand,
    which shows what it costs, and with the best peer.  There may be nobody.
    """
    if not is_ours(contender):
        return []

    def best_of(group):
        return best((c for c in group if c in medians), key=medians.get, default=None)

    if contender not in BELOW:
        return list(filter(None, [best_of(BY_HAND), best_of(PEERS)]))
    for group in ([BELOW[contender]], ["raw_epoll"], PEERS, LIBRARIES):
        if found := best_of(group):
            return [found]
    return []
