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

    def test_those_that_come_first_are_served_before_what_is_quick(self):
        self.assertEqual(plan({"quick": 1, "slow": 20}, 41, 7, {"slow"}), {"quick": 1, "slow": 3})
        budget = Budget(None, 3, first=["b"])
        self.assertEqual(budget.in_order({"a", "b", "c"}), ["b", "a", "c"])

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
