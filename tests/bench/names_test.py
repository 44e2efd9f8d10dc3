import unittest

from report import names
from report.names import Name


class NamesTest(unittest.TestCase):
    def test_a_name_has_a_subject_a_contender_and_parameters(self):
        self.assertEqual(
            names.parse("core.pipes/asyncio@ev/fds:100/active:1"),
            Name("core.pipes", "asyncio@ev", (("fds", "100"), ("active", "1"))),
        )

    def test_a_name_is_wanted_if_one_of_the_filters_matches_or_there_are_none(self):
        name = names.parse("core.pipes/asyncio@ev/fds:100")
        self.assertTrue(names.wanted([])(name))
        self.assertTrue(names.wanted(["echo", "@ev/"])(name))
        self.assertFalse(names.wanted(["echo"])(name))

    def test_parameters_may_be_absent(self):
        self.assertEqual(names.parse("core.switch/bare"), Name("core.switch", "bare"))

    def test_how_it_was_timed_is_no_part_of_a_name(self):
        for decoration in (
            "/real_time",
            "/manual_time",
            "/iterations:3/manual_time",
            "/min_time:0.100",
        ):
            with self.subTest(decoration):
                self.assertEqual(
                    str(names.parse("core.yield/go/tasks:2" + decoration)), "core.yield/go/tasks:2"
                )

    def test_what_does_not_follow_the_convention_is_no_name(self):
        for text in ("BM_Yield/2", "core.yield", "core.yield/asyncio/2", "yield/asyncio", ""):
            with self.subTest(text):
                self.assertIsNone(names.parse(text))

    def test_a_name_is_written_as_it_was_read(self):
        text = "core.timers/raw_libev/spread:uniform/pending:1000000"
        self.assertEqual(str(names.parse(text)), text)

    def test_parameters_are_ordered_as_numbers_and_words_come_last(self):
        columns = [(("n", "word"),), (("n", "1000"),), (("n", "20"),)]
        self.assertEqual(sorted(columns, key=names.in_order), [columns[2], columns[1], columns[0]])

    def test_parameters_are_readable(self):
        self.assertEqual(
            names.readable((("tasks", "10000"), ("stacks", "cold"))), "tasks 10,000, stacks cold"
        )
