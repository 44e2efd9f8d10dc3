import importlib.util
import re
import unittest

DRAWS = all(importlib.util.find_spec(package) for package in ("jinja2", "matplotlib"))
if DRAWS:
    from choice_test import descriptors
    from report import backends_table, page
    from report.tables import Cell, Table


@unittest.skipUnless(DRAWS, "python3-jinja2 and python3-matplotlib are not installed")
class PageTest(unittest.TestCase):
    def shown(self, **machine):
        kept = descriptors({"select": {10: 1.0, 1000: 9.0}, "ev": {10: 2.0, 1000: 2.0}})
        kept.settings["full"] = True
        kept.machine = {"processor": "p", "kernel": "k", "source": "s", "versions": {}, **machine}
        kept.left_out = ["a.x: no time was left", "a.y: no time was left"]
        targets = Table("Targets", ["work"], [[Cell("some work")]])
        return page.page(kept, backends_table.tables(kept), [targets])

    def test_it_opens_with_the_choice_of_a_backend(self):
        text = self.shown()
        headings = re.findall(r"<h[23][^>]*>([^<]*)", text)
        self.assertEqual(headings[0], "Which backend?")
        self.assertTrue(headings[1].startswith("10 active of 1,000 descriptors, beside"))
        self.assertEqual(headings[2:4], ["Targets", "Subjects"])
        first = text[: text.index("Targets")]
        self.assertEqual(first.count("<svg"), 1)
        self.assertIn("<b>Descriptors, ten of them active:</b> select is cheapest up to", first)

    def test_it_says_at_the_top_whether_the_machine_was_fit(self):
        text = self.shown(fitness="not fit to measure: too loud")
        said = text.index("This machine was not fit to measure: too loud.")
        self.assertLess(said, text.index("Which backend?"))
        self.assertNotIn("This machine was", self.shown())  # of a run that did not look

    def test_what_was_left_out_for_one_reason_is_one_line(self):
        self.assertIn("<li>no time was left: a.x, a.y</li>", self.shown())
