import unittest

from record_test import recorded
from report import losses


def shown(*rounds):
    table = losses.table(recorded(*rounds))
    return table and [[str(cell) for cell in row] for row in table.rows]


class LossesTest(unittest.TestCase):
    def test_the_worst_row_of_a_subject_against_each_group_greatest_first(self):
        table = shown(
            *[
                {
                    "a.x/asyncio/n:1": 30.0,
                    "a.x/raw_libev/n:1": 10.0,
                    "a.x/libuv/n:1": 20.0,
                    "a.x/asyncio/n:2": 20.0,
                    "a.x/raw_libev/n:2": 10.0,
                    "a.y/asyncio@ev": 50.0,
                    "a.y/raw_libev": 10.0,
                }
            ]
            * 3
        )
        self.assertEqual(
            [
                ["a.y", "asyncio@ev", "50 ns", "5.00× raw_libev"],
                ["a.x n 1", "asyncio", "30 ns", "3.00× raw_libev"],
                ["a.x n 1", "asyncio", "30 ns", "1.50× libuv"],
            ],
            table,
        )

    def test_what_is_won_or_within_the_noise_or_measured_once_is_no_loss(self):
        won = {"a.x/asyncio@ev": 9.0, "a.x/raw_libev": 10.0}
        lost = {"a.x/asyncio@ev": 11.0, "a.x/raw_libev": 10.0}
        self.assertIsNone(shown(won, won, won))
        self.assertIsNone(shown(won, lost, lost))
        self.assertIsNone(shown(lost))


if __name__ == "__main__":
    unittest.main()
