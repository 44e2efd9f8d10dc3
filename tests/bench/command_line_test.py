"""The whole command, on a program that measures nothing."""

import importlib.util
import json
import pathlib
import re
import subprocess
import sys
import tempfile
import unittest
import xml.etree.ElementTree

FAKE = pathlib.Path(__file__).with_name("fake_benchmark.py")
DRAWS = all(importlib.util.find_spec(package) for package in ("jinja2", "matplotlib"))


@unittest.skipUnless(DRAWS, "python3-jinja2 and python3-matplotlib are not installed")
class CommandLineTest(unittest.TestCase):
    def setUp(self):
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.build = pathlib.Path(folder.name)
        (self.build / "meson-info").mkdir()
        declared = [{"cmd": [sys.executable, str(FAKE)], "env": {}}]
        path = self.build / "meson-info" / "intro-benchmarks.json"
        path.write_text(json.dumps(declared), encoding="utf-8")

    def report(self, *arguments):
        return subprocess.run(
            [sys.executable, "-m", "report", "--build", str(self.build), *arguments],
            check=True, stdout=subprocess.PIPE, text=True,
        ).stdout  # fmt: skip

    def page(self):
        return (self.build / "bench-report" / "report.html").read_text(encoding="utf-8")

    def test_a_run_prints_tables_and_writes_a_page_that_needs_nothing_else(self):
        printed = self.report("--rounds", "3")
        self.assertIn("12 ns ±0%, 0.35× go", printed)
        page = self.page()
        self.assertEqual(len(re.findall("<svg", page)), 4)
        self.assertNotIn("<script", page)
        self.assertEqual(re.findall(r'(?:src|href)="(?!#)[^"]*"', page), [])
        ids = re.findall(r'\bid="([^"]*)"', page)
        self.assertEqual(len(ids), len(set(ids)))
        for figure in re.findall(r"<svg.*?</svg>", page, re.S):
            xml.etree.ElementTree.fromstring(figure)

    def test_a_run_that_is_kept_can_be_shown_and_compared(self):
        self.report("--rounds", "3", "core.yield")
        (kept,) = (self.build / "bench-report").glob("*.json")
        self.assertIn("core.yield: time per operation", self.report("--show", str(kept)))
        compared = self.report("--compare", str(kept), str(kept))
        self.assertEqual(compared.count("within the noise"), 3)

    def test_another_build_is_measured_in_the_same_rounds_and_compared(self):
        printed = self.report("--rounds", "3", "--against", str(self.build), "core.pipes")
        self.assertEqual(printed.count("within the noise"), 6)
        self.assertEqual(len(list((self.build / "bench-report").glob("*.json"))), 2)

    def test_a_filter_that_nothing_matches_is_an_error(self):
        with self.assertRaises(subprocess.CalledProcessError):
            self.report("no such thing")
