import unittest

from report.disturbance import TICKS, Disturbance, busy


class DisturbanceTest(unittest.TestCase):
    def test_a_processor_is_busy_unless_it_is_idle_or_waits(self):
        stat = "cpu  9 9 9 9 9 9 9 9 9 9\ncpu1 100 20 30 5000 7000 4 5 6 100 0\nintr 1\n"
        self.assertEqual(busy(stat, 1), 165 / TICKS)

    def test_what_is_neither_idle_nor_ours_is_a_disturbance(self):
        watched = Disturbance(0)
        watched.began = (0.0, 0.0, 0.0)
        watched.figures = lambda: (10.0, 8.0, 5.0)
        self.assertEqual(watched.share(), 0.3)
