import math
import unittest

from report.budget import Budget, plan
from report.spread import FEWEST


class BudgetTest(unittest.TestCase):
    def test_with_time_enough_all_get_all_rounds(self):
        self.assertEqual(plan({"a": 1, "b": 50}, math.inf, 7), {"a": 7, "b": 7})

    def test_a_spread_for_all_comes_before_more_rounds_for_some(self):
        self.assertEqual(plan({"quick": 1, "slow": 10}, 24, 7), {"quick": 5, "slow": FEWEST})

    def test_what_is_quick_comes_first_if_there_is_no_time_for_all(self):
        self.assertEqual(plan({"quick": 1, "slow": 100}, 50, 7), {"quick": 7, "slow": 1})

    def test_rounds_that_a_subject_has_had_cost_nothing(self):
        had = {"judged": FEWEST, "other": 1}
        self.assertEqual(plan({"judged": 10, "other": 1}, 2, 7, had), {"judged": 3, "other": 3})
        self.assertEqual(plan({"judged": 10, "other": 1}, 24, 4, had), {"judged": 4, "other": 4})

    def test_what_has_not_been_measured_comes_first(self):
        budget = Budget(None, 3)
        self.assertEqual(budget.in_order({"a", "b", "c"}), ["a", "b", "c"])
        budget.measured("a", 0)
        self.assertEqual(budget.in_order({"a", "b", "c"}), ["b", "c", "a"])

    def test_nobody_measures_a_round_twice(self):
        budget = Budget(None, 2)
        budget.measured("a", 0)
        self.assertFalse(budget.allows("a", 0))
        self.assertTrue(budget.allows("a", 1))

    def test_what_is_judged_comes_first_only_where_time_is_short(self):
        self.assertEqual(Budget(10, 7).rounds_of_judged, FEWEST)
        self.assertEqual(Budget(10, 2).rounds_of_judged, 2)
        self.assertEqual(Budget(None, 7).rounds_of_judged, 0)

    def test_fewer_rounds_than_a_spread_needs_may_be_asked_for(self):
        self.assertEqual(plan({"a": 1}, math.inf, 2), {"a": 2})
        self.assertEqual(plan({"a": 1}, math.inf, 1), {"a": 1})

    def test_nothing_is_measured_when_time_is_over(self):
        now = [0]
        budget = Budget(10, 3, clock=lambda: now[0])
        self.assertTrue(budget.allows("a", 0))
        budget.measured("a", 0)
        self.assertTrue(budget.allows("a", 1))
        now[0] = 10
        self.assertFalse(budget.allows("a", 2))
        self.assertFalse(budget.allows("b", 0))
