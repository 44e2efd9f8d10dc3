import unittest

from record_test import recorded
from report import backends_table


class BackendsTableTest(unittest.TestCase):
    def test_time_throughput_and_speed_of_each_backend(self):
        times = {"asyncio@select": 2000.0, "asyncio@ev": 1000.0}
        rows = {f"core.hundred_tasks/{who}": time for who, time in times.items()}
        table = backends_table.table(recorded(*[rows] * 3))
        self.assertEqual(
            [[cell.text for cell in row] for row in table.rows],
            [
                ["asyncio@select", "200 µs", "±0%", "500,000 tasks/s", "1.00×"],
                ["asyncio@ev", "100 µs", "±0%", "1,000,000 tasks/s", "2.00×"],
            ],
        )

    def test_one_sample_has_no_spread(self):
        (row,) = backends_table.table(recorded({"core.hundred_tasks/asyncio@select": 1.0})).rows
        self.assertEqual(row[2].text, "-")

    def test_there_is_none_if_it_was_not_measured(self):
        self.assertIsNone(backends_table.table(recorded({"core.yield/go/tasks:2": 1.0})))
