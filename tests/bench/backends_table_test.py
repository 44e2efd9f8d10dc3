import unittest

from record_test import recorded
from report import backends_table


def texts(table):
    return [[cell.text for cell in row] for row in table.rows]


class BackendsTableTest(unittest.TestCase):
    def test_time_throughput_and_speed_of_each_backend_beside_the_originals(self):
        times = {"asyncio@select": 2000.0, "asyncio@ev": 1000.0}
        rows = {f"core.hundred_tasks/{who}": time for who, time in times.items()}
        (table,) = backends_table.tables(recorded(*[rows] * 3))
        self.assertEqual(
            texts(table),
            [
                ["asyncio@select", "200 µs", "±0%", "500,000 tasks/s", "1.00×",
                 "1.25 s", "80 tasks/s", "1×"],
                ["asyncio@ev", "100 µs", "±0%", "1,000,000 tasks/s", "2.00×",
                 "0.12 s", "833 tasks/s", "10.4×"],
            ],
        )  # fmt: skip
        self.assertEqual({len(row) for row in table.rows}, {len(table.head)})
        self.assertIn("the README of the PHP original states", table.title)
        for row in table.rows:
            self.assertEqual([cell.mood for cell in row[5:]], ["quiet"] * 3)

    def test_the_speeds_with_many_descriptors_beside_the_originals(self):
        times = {"asyncio@select": 9000.0, "asyncio@event": 3000.0}
        rows = {f"core.descriptors/{who}/fds:1000/active:10": time for who, time in times.items()}
        (table,) = backends_table.tables(recorded(*[rows] * 3))
        self.assertEqual(
            texts(table),
            [
                ["asyncio@select", "9 µs", "1.00×", "< 1K", "1×"],
                ["asyncio@event", "3 µs", "3.00×", "> 10K", "3-5×"],
            ],
        )
        self.assertEqual({len(row) for row in table.rows}, {len(table.head)})

    def test_the_original_states_the_same_of_time_throughput_and_speed(self):
        for backend, stated in backends_table.ORIGINAL.items():
            with self.subTest(backend):
                seconds = float(stated.time.split()[0])
                throughput = int(stated.throughput.split()[0])
                self.assertEqual(throughput, int(backends_table.TASKS / seconds))
                self.assertAlmostEqual(float(stated.speed[:-1]), 1.25 / seconds, delta=0.05)

    def test_one_sample_has_no_spread(self):
        (table,) = backends_table.tables(recorded({"core.hundred_tasks/asyncio@select": 1.0}))
        self.assertEqual(table.rows[0][2].text, "-")

    def test_there_is_none_if_it_was_not_measured(self):
        self.assertEqual(backends_table.tables(recorded({"core.yield/go/tasks:2": 1.0})), [])
