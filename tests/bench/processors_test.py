import os
import unittest
from unittest import mock

from report import processors


class ProcessorsTest(unittest.TestCase):
    def test_what_is_measured_has_the_last_and_its_other_side_the_last_of_the_others(self):
        self.assertEqual(processors.measured({0, 1, 2, 3}), 3)
        self.assertEqual(processors.other({0, 1, 2, 3}, 3), 2)
        self.assertEqual(processors.other({0, 1, 2, 3}, 1), 3)
        self.assertEqual(processors.environment({0, 4}, 4), {"BENCH_OTHER_CPU": "0"})

    def test_with_one_processor_there_is_no_other_and_none_is_named(self):
        self.assertEqual(processors.measured({5}), 5)
        self.assertIsNone(processors.other({5}, 5))
        self.assertEqual(processors.environment({5}, 5), {})

    def test_what_the_caller_had_set_is_not_passed_on(self):
        with mock.patch.dict(os.environ, {"BENCH_OTHER_CPU": "9", "HOME": "/h"}):
            self.assertEqual(processors.inherited().get("HOME"), "/h")
            self.assertNotIn("BENCH_OTHER_CPU", processors.inherited())
