"""No benchmark gets round bench/support/state.h, which has every row warm up before it is timed."""

import pathlib
import re
import unittest

BENCH = pathlib.Path(__file__).parents[2] / "bench"
SUPPORT = {"support/rows.h", "support/state.h"}

# Who may be timed from its first batch on.
AS_IT_IS = {
    # All connections have had an answer before.
    "echo/fairness_bench.cc",
    "echo/measure.h",
    # The first touch of a stack is part of what a parked task costs.
    "support/parked.h",
    # All timers have been armed before.
    "support/timers.h",
}


def sources(pattern):
    """Those sources of the suite, but for the support itself, in which the pattern is found."""
    return {
        str(path.relative_to(BENCH))
        for path in BENCH.glob("**/*")
        if path.suffix in (".cc", ".h") and re.search(pattern, path.read_text(encoding="utf-8"))
    } - SUPPORT


class WarmUpTest(unittest.TestCase):
    def test_no_body_is_timed_by_google_benchmarks_own_state(self):
        around = r"benchmark::State\b|benchmark::RegisterBenchmark|BENCHMARK\("
        self.assertEqual(sources(around), set())

    def test_only_those_with_a_reason_are_timed_as_they_are(self):
        self.assertEqual(sources(r"begin_as_it_is"), AS_IT_IS)
