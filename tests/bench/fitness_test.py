import itertools
import os
import unittest

from report import fitness

STEADY = fitness.summed_up([1.0] * 100)


def looks(slow_share, factor):
    """A hundred looks, of which so many took longer by a factor."""
    slow = int(100 * slow_share)
    return fitness.summed_up([1.0] * (100 - slow) + [factor] * slow)


class FitnessTest(unittest.TestCase):
    def test_a_steady_machine_is_fit(self):
        self.assertEqual(fitness.doubts(STEADY, STEADY), [])
        self.assertTrue(fitness.in_words(STEADY).startswith("fit to measure: "))

    def test_an_interrupt_now_and_then_does_no_harm(self):
        self.assertEqual(fitness.doubts(looks(0.05, 9.0)), [])

    def test_loops_that_are_often_slow_spoil_it_before_the_run_or_after(self):
        for before, after in ((looks(0.2, 1.5), STEADY), (STEADY, looks(0.2, 1.5))):
            (doubt,) = fitness.doubts(before, after)
            self.assertEqual(doubt, "one in ten equal loops took 1.50× the fastest or longer")

    def test_a_typical_loop_that_is_slower_than_the_fastest_spoils_it(self):
        (doubt,) = fitness.doubts(looks(0.8, 1.1))
        self.assertIn("half of equal loops took 1.10×", doubt)

    def test_other_programs_a_change_of_speed_and_a_governor_spoil_it(self):
        self.assertEqual(
            fitness.doubts(STEADY, fitness.summed_up([1.2] * 100), 0.4, "powersave"),
            ["other programs took 40% of the processor at least",
             "after the run a loop took 1.20× what it took before",
             "the frequency governor is powersave"],
        )  # fmt: skip
        self.assertEqual(fitness.doubts(STEADY, others=0.04, governor="performance"), [])

    def test_it_is_said_in_one_line(self):
        said = fitness.in_words(looks(0.2, 1.5), STEADY, 0.4, "powersave")
        self.assertTrue(said.startswith("not fit to measure: "))
        self.assertNotIn("\n", said)

    def test_a_look_leaves_us_where_we_may_run(self):
        before = os.sched_getaffinity(0)
        ticks = iter(range(10_000))
        found = fitness.look(max(before), clock=lambda: next(ticks))
        self.assertEqual(os.sched_getaffinity(0), before)
        self.assertEqual(found, (1, 1, 1))
        self.assertEqual(next(ticks), 2 * fitness.FEWEST_LOOKS)  # a second each is too long

    def test_a_look_takes_as_many_loops_as_there_is_time_for(self):
        for seconds, loops in ((1 / 8, 20), (1 / 64, 64), (1 / 4096, fitness.LOOKS)):
            with self.subTest(seconds):
                ticks = itertools.count(step=seconds)
                fitness.look(min(os.sched_getaffinity(0)), clock=lambda: next(ticks))
                self.assertEqual(next(ticks) / seconds, 2 * loops)
