import importlib.util
import re
import unittest
import xml.etree.ElementTree

DRAWS = importlib.util.find_spec("matplotlib")
if DRAWS:
    from choice_test import descriptors
    from report import choice_plots


@unittest.skipUnless(DRAWS, "python3-matplotlib is not installed")
class ChoicePlotsTest(unittest.TestCase):
    def card(self, costs):
        (found,) = choice_plots.cards(descriptors(costs))
        xml.etree.ElementTree.fromstring(found["figure"])
        return found

    def test_a_card_has_a_title_an_answer_and_a_curve_for_each_backend(self):
        card = self.card({"select": {10: 1.0, 1000: 9.0}, "ev": {10: 2.0, 1000: 2.0}})
        self.assertEqual(card["title"], "Descriptors, ten of them active")
        self.assertIn("select is cheapest up to about", card["answer"])
        self.assertIn("var(--asyncio-select)", card["figure"])
        self.assertIn("var(--asyncio-ev)", card["figure"])
        self.assertNotIn("var(--asyncio-event)", card["figure"])

    def test_the_crossing_and_the_limit_are_marked(self):
        crossing = self.card({"select": {10: 1.0, 1000: 10.0}, "ev": {10: 10.0, 1000: 1.0}})
        at_hundred = re.findall(r">\s*100 *</text>", crossing["figure"])
        self.assertEqual(len(at_hundred), 2)  # the tick below, and the mark
        self.assertNotIn("its limit", crossing["figure"])
        limit = self.card({"select": {10: 1.0, 1000: 1.0}, "ev": {10: 2.0, 1000: 2.0, 9000: 2.0}})
        self.assertIn("its limit", limit["figure"])

    def test_noise_between_equals_is_not_blown_up_to_the_height_of_the_picture(self):
        low, high = choice_plots.span(1.0, 1.02)
        self.assertAlmostEqual(high / low, choice_plots.LEAST_SPAN)
        self.assertTrue(low < 1 < 1.02 < high)
        low, high = choice_plots.span(1.0, 1000.0)
        self.assertTrue(low < 1 and high > 1000)
        self.assertLess(high / low, 2000)

    def test_what_was_not_measured_has_no_card(self):
        self.assertEqual(choice_plots.cards(descriptors({"ev": {10: 1.0}})), [])
