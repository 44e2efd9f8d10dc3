"""Peers in other languages warm up as ours do: what they do first is in no figure."""

import argparse
import asyncio
import importlib.util
import pathlib
import re
import unittest
from unittest import mock

PEERS = pathlib.Path(__file__).parents[2] / "bench" / "peers"


def python_harness():
    spec = importlib.util.spec_from_file_location("peer_harness", PEERS / "python" / "harness.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


class Work:
    """Its first call takes a thousand seconds, every other one a second for each batch."""

    def __init__(self):
        self.now = 0.0
        self.cold = True

    async def __call__(self, batches=1):
        self.now += 1000.0 if self.cold else batches
        self.cold = False

    def clock(self):
        return self.now


class PythonHarnessTest(unittest.TestCase):
    def measured(self, measure):
        """What the harness says that an operation of `measure(harness, work)` took."""
        module, work = python_harness(), Work()
        options = argparse.Namespace(
            extent="usual", benchmark_filter=".", benchmark_list_tests=False,
            benchmark_min_time=1.0, benchmark_repetitions=1,
        )  # fmt: skip
        with mock.patch.multiple(module.time, perf_counter=work.clock, process_time=work.clock):
            harness = module.Harness(options)
            asyncio.run(measure(harness, work))
        (row,) = harness.rows
        return row["real_time"]

    def test_the_first_batch_is_not_timed(self):
        self.assertEqual(self.measured(lambda h, work: h.measure("a.x/python", work)), 1e9)

    def test_the_first_round_of_sleeps_is_not_timed(self):
        asked = 0.25
        beyond = self.measured(
            lambda h, work: h.measure_beyond("a.x/python", asked, 3, "ms", work)
        )
        self.assertEqual(beyond, 750.0)


class OtherHarnessesTest(unittest.TestCase):
    """They cannot be run here; but each calls its work once before it looks at a clock."""

    def body(self, path, function):
        text = (PEERS / path).read_text(encoding="utf-8")
        pattern = rf"^ *(?:func|pub async fn) {function}\b.*?^( {{4}})?\}}$"
        found = re.search(pattern, text, re.S | re.M)
        self.assertIsNotNone(found, function)
        return found.group()

    def warms_up(self, body, call, clock):
        self.assertIn(call, body)
        self.assertIn(clock, body)
        self.assertLess(body.index(call), body.index(clock))

    def test_go(self):
        body = self.body("go/harness.go", "measureBatches")
        self.warms_up(body, "\twork(1)\n", "startClock()")
        self.warms_up(self.body("go/harness.go", "measureBeyond"), "\twork()\n", "time.Now()")

    def test_tokio(self):
        body = self.body("tokio/src/harness.rs", "measure_batches")
        self.warms_up(body, " work(1).await;\n", "start_clock()")
        body = self.body("tokio/src/harness.rs", "measure_beyond")
        self.warms_up(body, " work().await;\n", "Instant::now()")
