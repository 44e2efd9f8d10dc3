"""The whole command, on a program that measures nothing."""

import importlib.util
import json
import os
import pathlib
import re
import shutil
import signal
import subprocess
import sys
import tempfile
import unittest
import xml.etree.ElementTree

FAKE = pathlib.Path(__file__).with_name("fake_benchmark.py")
DRAWS = all(importlib.util.find_spec(package) for package in ("jinja2", "matplotlib"))


class InBuildFolder(unittest.TestCase):
    def setUp(self):
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.build = pathlib.Path(folder.name)
        self.declare(self.build)

    def declare(self, build, *command):
        (build / "meson-info").mkdir(parents=True)
        declared = [{"cmd": [*command, sys.executable, str(FAKE)], "env": {}}]
        listed = build / "meson-info" / "intro-benchmarks.json"
        listed.write_text(json.dumps(declared), encoding="utf-8")

    def command(self, *arguments):
        return [sys.executable, "-m", "report", "--build", str(self.build), *arguments]

    def ended(self, *arguments, **environment):
        return subprocess.run(
            self.command(*arguments), check=False, env={**os.environ, **environment}, text=True,
            stdout=subprocess.PIPE, stderr=subprocess.PIPE,
        )  # fmt: skip

    def refused(self, *arguments, status=2, **environment):
        """The last line that the command complains with; it must be no traceback."""
        ended = self.ended(*arguments, **environment)
        self.assertEqual(ended.returncode, status, ended.stderr)
        self.assertNotIn("Traceback", ended.stderr)
        return ended.stderr.splitlines()[-1]

    def kept(self, pattern="*.json"):
        return sorted((self.build / "bench-report").glob(pattern))


@unittest.skipUnless(DRAWS, "python3-jinja2 and python3-matplotlib are not installed")
class RunTest(InBuildFolder):
    def report(self, *arguments, **environment):
        ended = self.ended(*arguments, **environment)
        self.assertEqual(ended.returncode, 0, ended.stderr)
        return ended.stdout

    def page(self):
        return (self.build / "bench-report" / "report.html").read_text(encoding="utf-8")

    def test_a_run_prints_tables_and_writes_a_page_that_needs_nothing_else(self):
        printed = self.report("--rounds", "3")
        self.assertIn("12 ns ±0%, 0.35× go", printed)
        self.assertIn(f"report: {self.build}/bench-report/report.html", printed)
        page = self.page()
        self.assertEqual(len(re.findall("<svg", page)), 4)
        self.assertNotIn("<script", page)
        self.assertEqual(re.findall(r'(?:src|href)="(?!#)[^"]*"', page), [])
        ids = re.findall(r'\bid="([^"]*)"', page)
        self.assertEqual(len(ids), len(set(ids)))
        for figure in re.findall(r"<svg.*?</svg>", page, re.S):
            xml.etree.ElementTree.fromstring(figure)

    def test_the_page_says_what_was_typed_and_what_was_run(self):
        self.report("--rounds", "1")
        page = self.page().replace("&#39;", "'")
        self.assertIn(f"./dev bench --build {self.build} --rounds 1", page)
        self.assertIn("'--benchmark_filter=^core[.]yield/'", page)
        (kept,) = self.kept()
        self.assertIn("--rounds 1", json.loads(kept.read_text(encoding="utf-8"))["command"])

    def test_a_run_that_is_kept_can_be_shown_and_compared(self):
        self.report("--rounds", "3", "core.yield")
        (kept,) = self.kept()
        self.assertIn("core.yield: time per operation", self.report("--show", str(kept)))
        compared = self.report("--compare", str(kept), str(kept))
        self.assertEqual(compared.count("within the noise"), 3)
        # Files are named as seen from where ./dev was called.
        seen = self.report("--compare", kept.name, kept.name, CALLED_FROM=str(kept.parent))
        self.assertEqual(seen, compared)

    def test_an_earlier_run_can_be_shown_where_there_is_no_build(self):
        self.report("--rounds", "1", "core.yield")
        (kept,) = self.kept()
        with tempfile.TemporaryDirectory() as elsewhere:
            shutil.move(kept, pathlib.Path(elsewhere, "run.json"))
            shutil.rmtree(self.build / "bench-report")
            shutil.rmtree(self.build / "meson-info")
            self.report("--show", f"{elsewhere}/run.json")
            self.assertTrue(pathlib.Path(elsewhere, "run.html").exists())

    def test_another_build_is_measured_in_the_same_rounds_and_compared(self):
        printed = self.report("--rounds", "3", "--against", str(self.build), "core.pipes")
        self.assertEqual(printed.count("within the noise"), 6)
        self.assertEqual(len(self.kept()), 2)

    def test_a_run_of_a_part_replaces_no_page_and_lists_no_targets_of_what_it_left_out(self):
        self.report("--rounds", "1")
        whole = self.page()
        printed = self.report("--rounds", "1", "core.yield/")
        self.assertEqual(self.page(), whole)
        self.assertEqual(len(self.kept()), 2)
        self.assertEqual(len(self.kept("*.html")), 2)
        self.assertIn(f"{self.build}/bench-report/20", printed)
        self.assertIn("yield, 2 tasks", printed)
        self.assertNotIn("sleepers", printed)

    def test_an_interrupt_keeps_what_was_measured(self):
        with subprocess.Popen(
            self.command("--rounds", "2"), env={**os.environ, "FAKE_HANGS_IN": "core.?.?.?sleep/"},
            stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
            # Where the tests run in the background, it would be ignored.
            preexec_fn=lambda: signal.signal(signal.SIGINT, signal.default_int_handler),
        ) as process:  # fmt: skip
            for line in process.stderr:
                if "round 1: core.sleep" in line:
                    break
            process.send_signal(signal.SIGINT)
            said, complained = process.communicate(timeout=50)
        self.assertEqual(process.returncode, 130, complained)
        self.assertNotIn("Traceback", complained)
        self.assertIn("all that was to follow: interrupted in round 1", said)
        (kept,) = self.kept()
        self.assertIn("core.pipes/raw_libev/fds:1", json.loads(kept.read_text())["rows"])
        self.assertEqual(self.kept("*.html"), [kept.with_suffix(".html")])


class RefusalTest(InBuildFolder):
    def test_what_is_no_run_is_refused_by_name(self):
        run = self.build / "run.json"
        for text in ("", "no JSON", "[]", "{}", '{"format": 1, "taken": "x", "colour": 1}'):
            with self.subTest(text):
                run.write_text(text, encoding="utf-8")
                self.assertIn(f"{run} ", self.refused("--compare", str(run), str(run)))
                self.assertIn(f"{run} ", self.refused("--show", str(run)))
        for nothing in ("missing.json", "meson-info"):
            with self.subTest(nothing):
                nothing = str(self.build / nothing)
                self.assertIn("cannot be read", self.refused("--compare", nothing, nothing))
                self.assertIn("bench-report", self.refused("--show", nothing))

    def test_runs_that_share_nothing_cannot_be_compared(self):
        paths = []
        for row in ("a.x/go", "a.y/go"):
            paths.append(str(self.build / f"{row[2]}.json"))
            fields = {"taken": "x", "settings": {}, "format": 1, "rounds": 1}
            fields["rows"] = {row: {"time": [1.0]}}
            pathlib.Path(paths[-1]).write_text(json.dumps(fields), encoding="utf-8")
        self.assertIn("no row in common", self.refused("--compare", *paths, status=1))

    def test_arguments_that_mean_nothing_are_refused(self):
        self.assertIn("not a regular expression", self.refused("["))
        for rounds in ("0", "-1", "x"):
            with self.subTest(rounds):
                self.assertIn("1 or more", self.refused("--rounds", rounds))
        self.assertIn("no filter", self.refused("--compare", "a", "b", "core"))

    def test_a_filter_that_nothing_matches_is_an_error(self):
        self.assertIn("no such thing", self.refused("no such thing", status=1))

    def test_a_folder_without_a_build_is_refused(self):
        for folder in ("nowhere", "meson-info"):
            with self.subTest(folder):
                line = self.refused("--against", str(self.build / folder))
                self.assertIn(f"{self.build / folder} is no build folder", line)
        other = self.build / "other"
        self.declare(other, "/nowhere")
        self.assertIn(f"no benchmark in {other}", self.refused("--against", str(other), status=1))
