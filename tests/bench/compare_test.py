import unittest

from record_test import recorded
from report import compare


class CompareTest(unittest.TestCase):
    def verdict(self, before, after):
        one, other = (
            recorded(*({"a.x/asyncio": time} for time in times)) for times in (before, after)
        )
        (row,) = compare.comparison(one, other).rows
        return row[-2].text, row[-1].text

    def test_a_clear_difference_is_named(self):
        self.assertEqual(self.verdict([10.0] * 5, [5.0] * 5), ("0.500", "lower"))
        self.assertEqual(self.verdict([10.0] * 5, [12.0] * 5), ("1.200", "higher"))

    def test_noise_is_called_noise(self):
        self.assertEqual(
            self.verdict([8, 10, 12, 14, 9], [9, 11, 13, 15, 10])[1], "within the noise"
        )

    def test_what_disturbed_the_same_round_of_both_is_no_noise(self):
        before = recorded(*({"a.x/asyncio": time} for time in [8, 10, 12, 14, 9]))
        after = recorded(*({"a.x/asyncio": 1.1 * time} for time in [8, 10, 12, 14, 9]))
        (row,) = compare.comparison(before, after).rows
        self.assertEqual(row[-1].text, "within the noise")
        (row,) = compare.comparison(before, after, same_rounds=True).rows
        self.assertEqual((row[-2].text, row[-1].text), ("1.100", "higher"))

    def test_a_verdict_of_the_same_rounds_goes_by_their_ratios(self):
        # Slower in most rounds, but not in the one that decides the medians.
        pairs = [(10, 11), (10, 11), (20, 22), (30, 19), (30, 33), (40, 44), (40, 44)]
        before, after = (recorded(*({"a.x/asyncio": pair[i]} for pair in pairs)) for i in (0, 1))
        (row,) = compare.comparison(before, after, same_rounds=True).rows
        self.assertEqual((row[-2].text, row[-1].text), ("1.100", "higher"))

    def test_few_rounds_tell_nothing(self):
        self.assertEqual(self.verdict([10.0], [5.0])[1], "too few rounds to tell")

    def test_rows_that_only_one_run_has_are_listed(self):
        before, after = recorded({"a.x/asyncio": 1.0, "a.x/go": 1.0}), recorded(
            {"a.x/asyncio": 1.0}
        )
        self.assertEqual(list(compare.unmatched(before, after)), ["only before: a.x/go"])
        other = recorded({"b.y/go/n:1": 1.0, "b.y/go/n:2": 1.0})
        self.assertIn("only after: b.y", list(compare.unmatched(before, other)))
        self.assertEqual(len(compare.comparison(before, after).rows), 1)
