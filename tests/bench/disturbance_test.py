import unittest

from report.disturbance import TICKS, Disturbance, busy, in_words


class DisturbanceTest(unittest.TestCase):
    def share(self, *figures):
        watched = Disturbance(0)
        watched.began = (0.0, 0.0, 0.0, 0.0)
        watched.figures = lambda: figures
        return watched.share()

    def test_a_processor_is_busy_unless_it_is_idle_or_waits(self):
        stat = "cpu  9 9 9 50 60 9 9 9 9 9\ncpu1 100 20 30 5000 7000 4 5 6 100 0\nintr 1\n"
        self.assertEqual(busy(stat, "cpu1"), 165 / TICKS)
        self.assertEqual(busy(stat, "cpu"), 54 / TICKS)

    def test_what_is_neither_idle_nor_ours_is_a_disturbance(self):
        self.assertEqual(self.share(10.0, 8.0, 8.0, 5.0), (0.3, 0.3))

    def test_what_ours_did_elsewhere_does_not_hide_a_disturbance(self):
        # Another program took 3 s here while ours took 5 s here and 4 s elsewhere.
        self.assertEqual(self.share(10.0, 8.0, 12.0, 9.0), (0.0, 0.3))

    def test_others_took_no_more_than_the_processor_was_busy(self):
        self.assertEqual(self.share(10.0, 2.0, 40.0, 2.0), (0.0, 0.2))

    def test_bounds_are_named_unless_they_agree(self):
        self.assertEqual(in_words(0.0, 0.3), "at least 0%, at most 30%")
        self.assertEqual(in_words(0.301, 0.304), "30%")
