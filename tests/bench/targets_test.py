import unittest

from record_test import recorded
from report import names, targets


def judged(kept, **limit):
    return targets.judge(kept, "work", {"row": "a.x/asyncio", **limit})


class TargetsTest(unittest.TestCase):
    def setUp(self):
        self.kept = recorded(*[{"a.x/asyncio": 10.0, "a.x/go": 40.0}] * 3)

    def test_a_limit_is_of_another_row_or_absolute(self):
        self.assertTrue(judged(self.kept, at_most=0.25, of="a.x/go").reached)
        self.assertFalse(judged(self.kept, at_most=0.2, of="a.x/go").reached)
        self.assertTrue(judged(self.kept, at_most=10).reached)
        self.assertFalse(judged(self.kept, at_most=9).reached)

    def test_what_was_not_measured_is_neither_reached_nor_missed(self):
        self.assertIsNone(judged(self.kept, at_most=1, of="a.x/tokio").reached)
        self.assertIsNone(judged(self.kept, at_most=1, measure="p99_us").reached)

    def test_the_table_shows_what_is_missed_as_plainly(self):
        results = [
            judged(self.kept, at_most=0.2, of="a.x/go"),
            judged(self.kept, at_most=1, of="a.x/tokio"),
        ]
        table = targets.table(results)
        self.assertEqual(
            [cell.text for cell in table.rows[0]],
            ["work", "asyncio", "0.25×", "≤ 0.20× go", "missed"],
        )
        self.assertEqual(table.rows[1][-1].text, "not measured")
        self.assertEqual(targets.tally(results), "0 reached, 1 missed, 1 not measured")

    def test_every_row_says_what_it_is_about(self):
        table = targets.table([judged(self.kept, at_most=1), judged(self.kept, at_most=2)])
        self.assertEqual([row[0].text for row in table.rows], ["work", "work"])

    def test_only_what_was_asked_for_is_judged(self):
        listed = [{"work": "w", "limits": [{"row": "a.x/asyncio", "at_most": 1},
                                           {"row": "a.y/asyncio", "at_most": 1}]}]  # fmt: skip
        self.assertEqual(len(targets.results(self.kept, listed)), 2)
        self.kept.settings["filter"] = ["a.x"]
        (result,) = targets.results(self.kept, listed)
        self.assertEqual(result.target["row"], "a.x/asyncio")
        self.assertIsNone(targets.table([]))

    def test_a_verdict_hangs_on_our_rows_and_on_those_that_they_are_compared_with(self):
        limits = [
            {"row": "a.x/asyncio", "at_most": 1},
            {"row": "a.y/asyncio", "at_most": 1, "of": "a.y/go"},
        ]
        listed = [{"work": "w", "limits": limits}]
        self.assertEqual(targets.rows(listed), {"a.x/asyncio", "a.y/asyncio", "a.y/go"})

    def test_a_verdict_that_noise_could_turn_says_so(self):
        kept = recorded({"a.x/asyncio": 10.0}, {"a.x/asyncio": 20.0}, {"a.x/asyncio": 30.0})
        self.assertEqual(targets.verdict(judged(kept, at_most=19)).text, "missed, within the noise")

    def test_every_limit_in_the_list_names_rows(self):
        for entry in targets.load():
            for limit in entry["limits"]:
                with self.subTest(entry["work"]):
                    self.assertGreater(limit["at_most"], 0)
                    for row in filter(None, [limit["row"], limit.get("of")]):
                        self.assertIsNotNone(names.parse(row), row)
