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

    def test_another_json_is_refused_by_name(self):
        with tempfile.TemporaryDirectory() as folder:
            path = pathlib.Path(folder) / "other.json"
            path.write_text("{}", encoding="utf-8")
            with self.assertRaisesRegex(ValueError, "other.json"):
                record.load(path)
