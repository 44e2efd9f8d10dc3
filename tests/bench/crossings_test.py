import unittest

from report import crossings
from report.crossings import Point


def steady(n, **times):
    """Three rounds without noise."""
    return Point(n, {who: [time] * 3 for who, time in times.items()})


class CrossingsTest(unittest.TestCase):
    def cheapest(self, points):
        return [
            (found.first, found.last, set(found.equals())) for found in crossings.stretches(points)
        ]

    def test_the_cheapest_changes_where_the_curves_cross(self):
        points = [steady(10, a=1.0, b=2.0), steady(100, a=2.0, b=2.2), steady(1000, a=8.0, b=2.0)]
        self.assertEqual(self.cheapest(points), [(10, 100, {"a"}), (1000, 1000, {"b"})])
        before, after = crossings.stretches(points)
        crossed = crossings.crossing(before, after)
        self.assertTrue(100 < crossed < 200, crossed)

    def test_curves_that_are_straight_on_log_axes_cross_where_they_are_equal(self):
        points = [steady(10, a=1.0, b=10.0), steady(1000, a=10.0, b=1.0)]
        before, after = crossings.stretches(points)
        self.assertAlmostEqual(crossings.crossing(before, after), 100)

    def test_points_come_in_any_order(self):
        points = [steady(100, a=3.0, b=1.0), steady(10, a=1.0, b=2.0)]
        self.assertEqual(self.cheapest(points), [(10, 10, {"a"}), (100, 100, {"b"})])

    def test_those_that_differ_within_the_noise_are_equal(self):
        noisy = {"a": [1.0, 1.2, 0.9], "b": [1.1, 1.0, 1.0]}
        self.assertEqual(self.cheapest([Point(10, noisy)]), [(10, 10, {"a", "b"})])

    def test_what_noise_makes_of_single_points_changes_nothing(self):
        points = [steady(10, a=1.0, b=1.5), steady(20, a=1.05, b=1.0), steady(30, a=1.0, b=1.5)]
        self.assertEqual(self.cheapest(points), [(10, 30, {"a"})])
        points[1] = steady(20, a=1.5, b=1.0)
        self.assertEqual(len(self.cheapest(points)), 3)

    def test_a_difference_that_no_point_shows_alone_is_seen_in_all_of_them(self):
        # In each point another round is disturbed, so that one point alone proves nothing.
        points = []
        for number in range(4):
            disturbed = [1.2, 1.2, 1.2]
            disturbed[number % 3] = 1.0
            points.append(Point(10 + number, {"a": [1.0] * 3, "b": disturbed}))
            self.assertEqual(self.cheapest(points[-1:]), [(10 + number, 10 + number, {"a", "b"})])
        self.assertEqual(self.cheapest(points), [(10, 13, {"a"})])

    def test_many_points_do_not_make_up_for_rounds(self):
        (found,) = crossings.stretches([Point(n, {"a": [1.0], "b": [2.0]}) for n in range(10, 20)])
        self.assertFalse(found.is_certain())

    def test_neighbours_whose_best_are_equal_are_one(self):
        noisy = Point(10, {"a": [1.0, 0.5, 1.5], "b": [1.2, 1.4, 1.1]})
        other = Point(20, {"a": [1.2, 1.4, 1.1], "b": [1.0, 0.5, 1.5]})
        self.assertEqual(self.cheapest([noisy, other]), [(10, 20, {"a", "b"})])

    def test_one_that_ends_and_was_equal_begins_no_other_stretch(self):
        noisy = Point(10, {"a": [1.0, 0.5, 1.5], "b": [1.2, 1.4, 1.1], "c": [9.0] * 3})
        self.assertEqual(self.cheapest([noisy, steady(20, b=1.0, c=9.0)]), [(10, 20, {"a", "b"})])

    def test_one_that_is_certainly_dearer_at_half_of_its_points_is_dearer(self):
        # All in all it is uncertain how much dearer b is, for it depends on the number.
        points = [
            Point(10, {"a": [1.0] * 3, "b": [0.8, 2.0, 9.0]}),
            Point(20, {"a": [1.0] * 3, "b": [1.4, 1.41, 1.42]}),
        ]
        self.assertEqual(self.cheapest(points), [(10, 20, {"a"})])
        points.insert(1, points[0]._replace(n=15))
        self.assertEqual(self.cheapest(points), [(10, 20, {"a", "b"})])

    def test_one_that_is_certainly_much_dearer_somewhere_is_dearer(self):
        uncertain = {"a": [1.0] * 3, "b": [0.8, 2.0, 9.0]}
        points = [Point(n, uncertain) for n in range(10, 20)]
        self.assertEqual(self.cheapest(points), [(10, 19, {"a", "b"})])
        self.assertEqual(self.cheapest([*points, steady(20, a=1.0, b=2.0)]), [(10, 20, {"a"})])

    def test_the_point_next_to_a_crossing_may_be_uncertain(self):
        points = [
            steady(10, a=1.0, b=1.2),
            Point(20, {"a": [1.2, 1.9, 1.1], "b": [1.0, 1.0, 1.1]}),
            steady(30, a=3.0, b=1.0),
        ]
        self.assertEqual(self.cheapest(points), [(10, 10, {"a"}), (20, 30, {"b"})])

    def test_one_that_has_not_all_points_is_judged_by_those_it_has(self):
        (found,) = crossings.stretches([steady(10, a=1.0, b=1.0), steady(20, b=1.0)])
        self.assertEqual(found.equals(), {"a", "b"})
        self.assertEqual((found.whole("a"), found.whole("b")), (False, True))

    def test_of_too_few_rounds_what_is_a_few_percent_away_counts_as_equal(self):
        (found,) = crossings.stretches([Point(10, {"a": [1.0], "b": [1.04], "c": [1.06]})])
        self.assertEqual(found.equals(), {"a", "b"})
        self.assertFalse(found.is_certain())
        (found,) = crossings.stretches([steady(10, a=1.0, b=2.0)])
        self.assertTrue(found.is_certain())

    def test_one_that_ends_crosses_nobody(self):
        before, after = crossings.stretches([steady(10, a=1.0, b=2.0), steady(100, b=2.0)])
        self.assertIsNone(crossings.crossing(before, after))

    def test_one_that_begins_later_is_cheapest_from_there_on(self):
        before, after = crossings.stretches([steady(10, a=1.0), steady(100, a=3.0, b=2.0)])
        self.assertEqual(crossings.crossing(before, after), 100)

    def test_one_that_was_never_measured_together_with_the_best_is_not_its_equal(self):
        (found,) = crossings.stretches([Point(10, {"a": [1.0, None], "b": [None, 1.0]})])
        self.assertEqual(found.equals(), {"a"})
