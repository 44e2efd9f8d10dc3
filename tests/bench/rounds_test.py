import unittest

from report import names, record, rounds
from report.budget import Budget
from report.programs import Program
from report.run import Failed, OutOfTime


def program(command, *rows):
    return Program((command,), rows={row: names.parse(row) for row in rows})


def output(program_run, subject):
    rows = [row for row, name in program_run.rows.items() if name.subject == subject]
    return {"benchmarks": [{"name": row, "real_time": 1.0, "time_unit": "ns"} for row in rows]}


class Clock:
    """Moves on by a second with each look at it."""

    def __init__(self):
        self.now = 0

    def __call__(self):
        self.now += 1
        return self.now


class RoundsTest(unittest.TestCase):
    def setUp(self):
        self.kept = record.Record(taken="now", settings={})
        self.order = []

    def measure(self, programs, count, budget=None, run=output, judged=lambda name: False):
        def noted(program_run, subject):
            self.order.append((program_run.command[0], subject))
            return run(program_run, subject)

        rounds.measure(
            [(programs, self.kept)], Budget(budget, count, Clock()), noted, judged=judged
        )

    def test_those_that_compete_in_a_subject_run_one_after_the_other_and_take_turns_to_be_first(
        self,
    ):
        programs = [program("p", "a.x/asyncio", "a.y/asyncio"), program("q", "a.x/go", "a.y/go")]
        self.measure(programs, 2)
        self.assertEqual(
            self.order,
            [("p", "a.x"), ("q", "a.x"), ("p", "a.y"), ("q", "a.y"),
             ("q", "a.x"), ("p", "a.x"), ("q", "a.y"), ("p", "a.y")],
        )  # fmt: skip
        self.assertEqual(self.kept.samples("a.x/go"), [1.0, 1.0])

    def test_what_is_judged_has_three_rounds_before_all_else_has_one(self):
        both = program("p", "a.x/asyncio", "a.x/bare", "a.y/asyncio")
        judged = {"a.x/asyncio"}
        self.measure([both], 7, budget=11, judged=lambda name: str(name) in judged)
        self.assertEqual(self.order[:5], [("p", "a.x")] * 3 + [("p", "a.x"), ("p", "a.y")])
        self.assertEqual(self.kept.samples("a.x/asyncio")[:4], [1.0, 1.0, 1.0, 1.0])
        # In the same round as what it may be compared with.
        self.assertEqual(self.kept.samples("a.x/bare")[:4], [None, None, None, 1.0])
        self.assertEqual(self.kept.samples("a.y/asyncio")[0], 1.0)

    def test_a_subject_of_which_everything_is_judged_is_not_begun_anew(self):
        programs = [program("p", "a.x/asyncio"), program("q", "a.x/go")]
        self.measure(programs, 3, budget=100, judged=lambda name: True)
        self.assertEqual(len(self.order), 6)
        self.assertEqual(self.kept.samples("a.x/go"), [1.0, 1.0, 1.0])

    def test_with_time_enough_nothing_has_rounds_of_its_own(self):
        self.measure([program("p", "a.x/asyncio", "a.x/bare")], 3,
                     judged=lambda name: name.contender == "asyncio")  # fmt: skip
        self.assertEqual(self.kept.samples("a.x/asyncio"), [1.0, 1.0, 1.0])

    def test_judged_rows_that_there_is_no_time_for_are_named(self):
        self.measure([program("p", "a.x/asyncio", "a.x/bare")], 3, budget=2,
                     judged=lambda name: name.contender == "asyncio")  # fmt: skip
        self.assertIn("a.x: no time was left for round 3", self.kept.left_out)
        missing = "a.x: no time was left for rows that are not judged"
        self.assertIn(missing, self.kept.left_out)

    def test_what_there_is_no_time_for_is_named(self):
        self.measure([program("p", "a.x/asyncio", "a.y/asyncio")], 5, budget=3)
        self.assertEqual(self.order, [("p", "a.x")])
        self.assertEqual(self.kept.left_out, ["a.y: no time was left"])
        self.assertEqual(self.kept.failures, [])

    def test_what_was_stopped_when_time_ran_out_has_not_failed(self):
        def run(program_run, subject):
            if program_run.command[0] == "q":
                raise OutOfTime
            return output(program_run, subject)

        self.measure([program("p", "a.x/go"), program("q", "a.x/tokio")], 1, run=run)
        self.assertEqual(self.kept.left_out, ["a.x: time ran out in round 1"])
        self.assertEqual(self.kept.failures, [])
        self.assertEqual(self.kept.spread("a.x/go").count, 1)

    def test_an_interrupt_keeps_what_was_measured_and_says_when_it_came(self):
        def run(program_run, subject):
            if len(self.order) > 3:
                raise KeyboardInterrupt
            return output(program_run, subject)

        with self.assertRaises(KeyboardInterrupt):
            self.measure([program("p", "a.x/go", "a.y/go")], 3, run=run)
        self.assertEqual(self.kept.left_out, ["all that was to follow: interrupted in round 2"])
        self.assertEqual(self.kept.spread("a.x/go").count, 2)

    def test_a_program_that_fails_is_named_once_and_stops_nobody_else(self):
        def run(program_run, subject):
            if program_run.command[0] == "p":
                raise Failed("exit status 1")
            return output(program_run, subject)

        self.measure([program("p", "a.x/asyncio"), program("q", "a.x/go")], 3, run=run)
        self.assertEqual(self.kept.failures, ["a.x, p: exit status 1"])
        self.assertEqual(self.kept.spread("a.x/go").count, 3)
