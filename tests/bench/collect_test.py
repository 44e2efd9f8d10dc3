import unittest

from report.collect import samples


def entry(name, **fields):
    return {"name": name, "run_name": name, "run_type": "iteration", "real_time": 2.5,
            "cpu_time": 2.0, "time_unit": "us", "iterations": 10, **fields}  # fmt: skip


class CollectTest(unittest.TestCase):
    def test_time_is_real_time_in_nanoseconds(self):
        found, errors = samples({"benchmarks": [entry("core.yield/go/tasks:2")]})
        self.assertEqual(found["core.yield/go/tasks:2"].time, 2500)
        self.assertEqual(errors, {})

    def test_a_benchmark_that_counts_items_is_timed_by_the_item(self):
        found, _ = samples({"benchmarks": [entry("core.yield/go", items_per_second=1e6)]})
        self.assertEqual(found["core.yield/go"].time, 1000)

    def test_counters_are_those_the_benchmark_added(self):
        one = entry("core.sleep/go", iterations=100, p99_us=7, threads=1, label="x",
                    repetition_index=0)  # fmt: skip
        found, _ = samples({"benchmarks": [one]})
        self.assertEqual(found["core.sleep/go"].counters, {"p99_us": 7.0})

    def test_few_iterations_have_no_percentiles(self):
        one = entry("core.sleep_many/go", iterations=3, p50_us=7, p99_us=9, bytes_per_task=5)
        found, _ = samples({"benchmarks": [one]})
        self.assertEqual(found["core.sleep_many/go"].counters, {"bytes_per_task": 5.0})

    def test_a_benchmark_that_failed_is_named_with_its_reason(self):
        one = entry("core.sleep/go", error_occurred=True, error_message="no descriptors left")
        found, errors = samples({"benchmarks": [one]})
        self.assertEqual(found, {})
        self.assertEqual(errors, {"core.sleep/go": "no descriptors left"})

    def test_aggregates_and_other_names_are_left_out(self):
        listed = [entry("core.yield/go", run_type="aggregate"), entry("BM_Yield")]
        self.assertEqual(samples({"benchmarks": listed}), ({}, {}))
