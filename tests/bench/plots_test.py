import importlib.util
import math
import unittest

DRAWS = importlib.util.find_spec("matplotlib")
if DRAWS:
    from record_test import recorded
    from report import drawing, plots
    from report.collect import Sample


class Axis:
    """Notes what is drawn."""

    def __init__(self):
        self.drawn = []

    def plot(self, values, _rows, **_style):
        self.drawn.append(values)

    scatter = plot


@unittest.skipUnless(DRAWS, "python3-matplotlib is not installed")
class PlotsTest(unittest.TestCase):
    def test_an_axis_with_few_powers_of_ten_has_ticks_between_them(self):
        self.assertEqual(drawing.steps(30, 90, crowded=True), (1, 2, 5))
        self.assertEqual(drawing.steps(8, 99, crowded=True), (1, 2, 5))
        self.assertEqual(drawing.steps(8, 101, crowded=True), (1,))
        self.assertEqual(drawing.steps(8, 101, crowded=False), (1, 2, 5))
        self.assertEqual(drawing.steps(8, 1001, crowded=False), (1,))

    def test_a_latency_that_is_not_above_zero_is_not_drawn(self):
        axis = Axis()
        plots.latency(axis, 0, "go", [-3.0, 0.0, 7.0])
        for values in axis.drawn:
            self.assertEqual(list(map(math.isnan, values)), [True, True, False])
            self.assertEqual(values[2], 7.0)

    def test_there_is_no_panel_in_which_nothing_is_above_zero(self):
        kept = recorded()
        early = Sample(1.0, {"p50_us": -4.0, "p99_us": -1.0})
        kept.add(0, {"a.x/asyncio": early, "a.x/go": early})
        captions = [caption for caption, _ in plots.figures(kept, "a.x")]
        self.assertNotIn("latency percentiles", captions)
