import json
import pathlib
import tempfile
import unittest

from report import record
from report.collect import Sample


def recorded(*rounds):
    kept = record.Record(taken="now", settings={})
    for number, times in enumerate(rounds):
        kept.add(number, {name: Sample(time, {}) for name, time in times.items()})
    return kept


class RecordTest(unittest.TestCase):
    def test_samples_stand_at_the_number_of_their_round(self):
        kept = recorded({"a.b/x": 1.0}, {"a.b/y": 5.0}, {"a.b/x": 3.0}, {"a.b/y": 7.0})
        self.assertEqual(kept.samples("a.b/x"), [1.0, None, 3.0, None])
        self.assertEqual(kept.samples("a.b/y"), [None, 5.0, None, 7.0])

    def test_a_row_that_is_not_there_has_no_samples(self):
        self.assertIsNone(recorded({"a.b/x": 1.0}).spread("a.b/z"))

    def test_what_was_left_out_for_the_same_reason_is_said_together(self):
        lines = ["a.x: no time was left", "all: interrupted: twice", "a.y: no time was left"]
        self.assertEqual(
            record.by_reason(lines), ["no time was left: a.x, a.y", "all: interrupted: twice"]
        )

    def test_counters_are_measures_of_their_own(self):
        kept = recorded()
        kept.add(0, {"a.b/x": Sample(1.0, {"p99_us": 4.0})})
        self.assertEqual(kept.measures("a.b"), ["p99_us"])
        self.assertEqual(kept.spread("a.b/x", "p99_us").median, 4.0)

    def test_what_is_saved_is_loaded(self):
        kept = recorded({"a.b/x": 1.0}, {"a.b/x": 2.0})
        with tempfile.TemporaryDirectory() as folder:
            path = pathlib.Path(folder) / "run.json"
            record.save(kept, path)
            self.assertEqual(record.load(path), kept)

    def test_what_is_saved_replaces_nothing(self):
        first, second = recorded({"a.b/x": 1.0}), recorded({"a.b/x": 2.0})
        with tempfile.TemporaryDirectory() as folder:
            path = pathlib.Path(folder) / "run.json"
            self.assertEqual(record.save(first, path), path)
            other = record.save(second, path)
            self.assertEqual(other.name, "run-2.json")
            self.assertEqual([record.load(path), record.load(other)], [first, second])

    def test_what_is_no_run_is_refused_by_name(self):
        run = {"taken": "now", "settings": {}, "format": record.FORMAT}
        others = [{**run, "colour": 1}, {**run, "rows": []}, {**run, "rows": {"row": {}}}, [], {}]
        texts = ["no JSON", "\xff", *map(json.dumps, [*others, {"format": record.FORMAT}])]
        with tempfile.TemporaryDirectory() as folder:
            path = pathlib.Path(folder) / "other.json"
            path.write_text(json.dumps(run), encoding="utf-8")
            self.assertEqual(record.load(path).taken, "now")
            for text in texts:
                with self.subTest(text):
                    path.write_text(text, encoding="latin-1")
                    with self.assertRaisesRegex(record.Unreadable, "other.json"):
                        record.load(path)
            for nothing in (path.parent, path.with_name("missing.json")):
                with self.subTest(nothing):
                    with self.assertRaisesRegex(record.Unreadable, nothing.name):
                        record.load(nothing)
