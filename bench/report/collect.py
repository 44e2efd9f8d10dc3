"""From what Google Benchmark writes to samples."""

import re
from typing import NamedTuple

from . import names

NANOSECONDS = {"ns": 1.0, "us": 1e3, "ms": 1e6, "s": 1e9}
# What Google Benchmark says of each run beside the counters of the benchmark itself.
OWN_FIELDS = {
    "cpu_time", "family_index", "iterations", "per_family_instance_index", "real_time",
    "repetition_index", "repetitions", "threads", "items_per_second", "bytes_per_second",
}  # fmt: skip
PERCENTILE = re.compile(r"p(\d+)_us")
# Of fewer iterations, percentiles are but the largest and the smallest.
FEWEST_FOR_PERCENTILES = 100


class Sample(NamedTuple):
    time: float  # nanoseconds per operation
    counters: dict


def samples(output):
    """Maps each benchmark's name in Google Benchmark's JSON to its sample or to what went wrong.

    Returns the two as a pair.  A name that does not follow the convention is left out.
    """
    found, errors = {}, {}
    for entry in output["benchmarks"]:
        name = names.parse(entry.get("run_name", entry["name"]))
        if name is None or entry.get("run_type", "iteration") != "iteration":
            continue
        if entry.get("error_occurred"):
            errors[str(name)] = entry.get("error_message", "failed")
        else:
            found[str(name)] = Sample(time_per_operation(entry), counters(entry))
    return found, errors


def time_per_operation(entry):
    """In nanoseconds: for one item where the benchmark counts items, else for one iteration."""
    if "items_per_second" in entry:
        return 1e9 / entry["items_per_second"]
    return entry["real_time"] * NANOSECONDS[entry["time_unit"]]


def counters(entry):
    """What the benchmark says beside the time, without percentiles of too little."""
    too_few = entry.get("iterations", FEWEST_FOR_PERCENTILES) < FEWEST_FOR_PERCENTILES
    return {
        key: float(value)
        for key, value in entry.items()
        if key not in OWN_FIELDS
        and isinstance(value, (int, float))
        and not isinstance(value, bool)
        and not (too_few and PERCENTILE.fullmatch(key))
    }
