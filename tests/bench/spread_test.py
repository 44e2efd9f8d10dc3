import math
import random
import unittest

from report.spread import FEWEST, differs, differs_from_one, ratio, spread


class SpreadTest(unittest.TestCase):
    def test_a_spread_is_the_median_and_the_quartiles(self):
        found = spread([5, 1, 3, 2, 4])
        self.assertEqual((found.lower, found.median, found.upper, found.count), (1.5, 3, 4.5, 5))

    def test_one_wild_sample_moves_neither_median_nor_quartiles_far(self):
        found = spread([10, 10, 10, 11, 11, 11, 900])
        self.assertEqual((found.median, found.upper), (11, 11))

    def test_missing_samples_do_not_count(self):
        self.assertEqual(spread([None, 7, None]).count, 1)
        self.assertIsNone(spread([None, None]))

    def test_too_few_samples_tell_nothing(self):
        few = spread([1.0] * (FEWEST - 1))
        self.assertEqual(few.noise, math.inf)
        self.assertIsNone(differs(few, spread([9.0] * 9)))

    def test_what_disturbs_a_whole_round_does_not_disturb_its_ratio(self):
        self.assertEqual(ratio([10, 20, 70], [20, 40, 140]), (0.5, 0.5, 0.5, 3))

    def test_quartiles_of_two_samples_lie_between_them(self):
        self.assertEqual(spread([1, 2]), (1.5, 1.25, 1.75, 2))

    def test_a_round_in_which_one_is_missing_has_no_ratio(self):
        self.assertEqual(ratio([10, None, 30], [10, 20, 10]).count, 2)
        self.assertIsNone(ratio([None], [3]))

    def test_a_difference_below_the_floor_is_none_however_quiet_the_machine(self):
        self.assertFalse(differs(spread([100.0] * 5), spread([101.0] * 5)))
        self.assertTrue(differs(spread([100.0] * 5), spread([110.0] * 5)))

    def test_a_difference_within_the_noise_is_none(self):
        self.assertFalse(differs(spread([80, 90, 100, 110, 120]), spread([90, 100, 110, 120, 130])))

    def test_equal_rows_seldom_get_a_certain_verdict_however_few_the_rounds(self):
        chance = random.Random(2)

        def samples(rounds):
            return [chance.lognormvariate(0, 0.05) for _ in range(rounds)]

        runs = 1000
        for rounds in (FEWEST, 4, 5, 6, 7, 9, 11):
            with self.subTest(rounds=rounds):
                ratios = [ratio(samples(rounds), samples(rounds)) for _ in range(runs)]
                certain = sum(abs(found.median - 1) > found.noise for found in ratios)
                self.assertLess(certain / runs, 0.025)
                apart = [(spread(samples(rounds)), spread(samples(rounds))) for _ in range(runs)]
                self.assertLess(sum(differs(*pair) for pair in apart) / runs, 0.025)

    def test_a_fifth_more_is_seen_in_the_rounds_of_a_quick_run(self):
        chance = random.Random(3)

        def seen(rounds):
            ours = [1.2 * chance.lognormvariate(0, 0.03) for _ in range(rounds)]
            return differs_from_one(ratio(ours, [chance.lognormvariate(0, 0.03) for _ in ours]))

        self.assertGreater(sum(seen(7) for _ in range(1000)) / 1000, 0.9)

    def test_equal_work_seldom_seems_to_differ_and_a_tenth_more_is_mostly_seen(self):
        chance = random.Random(1)

        def measured(median):
            return spread([median * chance.lognormvariate(0, 0.03) for _ in range(7)])

        runs = 2000
        false_alarms = sum(bool(differs(measured(100), measured(100))) for _ in range(runs))
        found = sum(bool(differs(measured(100), measured(110))) for _ in range(runs))
        self.assertLess(false_alarms / runs, 0.02)
        self.assertGreater(found / runs, 0.75)
