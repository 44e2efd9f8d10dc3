import unittest

from record_test import recorded
from report import choice

ROUNDS = 3


def descriptors(costs, active="10", rounds=ROUNDS):
    """A run of the pictures' first subject: what each backend takes at each number."""
    rows = {
        f"core.descriptors/asyncio@{backend}/fds:{n}/active:{active}": cost
        for backend, found in costs.items()
        for n, cost in found.items()
    }
    return recorded(*[rows] * rounds)


def answer(*arguments, **options):
    (line,) = choice.lines(descriptors(*arguments, **options))
    return line


class ChoiceTest(unittest.TestCase):
    def test_a_crossing_is_said_with_about_where_it_is_and_what_the_dearest_takes(self):
        costs = {
            "select": {10: 1.0, 100: 2.0, 1000: 20.0},
            "event": {10: 2.0, 100: 2.1, 1000: 2.5},
            "ev": {10: 2.0, 100: 2.1, 1000: 2.0},
        }
        self.assertEqual(
            answer(costs),
            "Descriptors, ten of them active: select is cheapest up to about 100 descriptors, "
            "then ev. With 1,000 descriptors, select takes 10.0× what ev takes.",
        )

    def test_a_backend_that_ends_is_said_to_end(self):
        costs = {"select": {10: 1.0, 1000: 1.0}, "ev": {10: 2.0, 1000: 2.0, 20000: 2.0}}
        self.assertEqual(
            answer(costs, active="all"),
            "Descriptors, all of them active: select is cheapest as far as it goes, then ev. "
            "With 1,000 descriptors, ev takes 2.0× what select takes.",
        )

    def test_where_nobody_differs_that_is_said(self):
        costs = {backend: {10: 1.0, 1000: 1.0} for backend in ("select", "event", "ev")}
        self.assertIn(": no certain difference from 10 to 1,000 descriptors.", answer(costs))

    def test_two_that_are_equal_are_named_together(self):
        costs = {"select": {10: 2.0, 1000: 3.0}}
        costs["event"] = costs["ev"] = {10: 1.0, 1000: 1.0}
        self.assertIn(": event or ev is cheapest from 10 to 1,000 descriptors.", answer(costs))

    def test_an_equal_that_ends_is_said_to_end(self):
        costs = {"select": {10: 1.0, 1000: 1.0}, "ev": {10: 1.0, 1000: 1.0, 20000: 1.0}}
        self.assertIn(": no certain difference from 10 to 20,000 descriptors.", answer(costs))
        costs["event"] = {10: 2.0, 1000: 2.0, 20000: 2.0}
        self.assertIn(": select (as far as it goes) or ev is cheapest from 10", answer(costs))

    def test_too_few_rounds_are_said(self):
        costs = {"select": {10: 1.0, 1000: 1.0}, "ev": {10: 2.0, 1000: 2.0}}
        self.assertNotIn("too few", answer(costs))
        self.assertRegex(answer(costs, rounds=1), " There were too few rounds to be certain.$")

    def test_one_point_is_no_answer(self):
        self.assertEqual(choice.lines(descriptors({"select": {10: 1.0}, "ev": {10: 2.0}})), [])

    def test_other_contenders_and_other_parameters_are_left_out(self):
        kept = recorded({"core.descriptors/asio/fds:10/active:10": 1.0,
                         "core.descriptors/asyncio@ev/fds:10/active:7": 1.0})  # fmt: skip
        self.assertEqual(choice.points(kept, choice.QUESTIONS[0]), [])

    def test_numbers_come_in_order(self):
        kept = descriptors({"ev": {1000: 1.0, 20: 1.0, 300: 1.0}})
        self.assertEqual([p.n for p in choice.points(kept, choice.QUESTIONS[0])], [20, 300, 1000])

    def test_every_question_is_about_a_subject_that_the_page_explains(self):
        from report import subjects

        for subject in choice.subjects():
            with self.subTest(subject):
                self.assertTrue(subjects.about(subject))
