import json
import pathlib
import sys
import tempfile
import unittest

from report import names, programs


class ProgramsTest(unittest.TestCase):
    def setUp(self):
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.build = pathlib.Path(folder.name)
        (self.build / "meson-info").mkdir()

    def declare(self, *commands, peers=()):
        listed = [{"cmd": command, "env": {}} for command in commands]
        listed += [{"cmd": [peer], "env": {}, "name": f"bench peer {peer}"} for peer in peers]
        path = self.build / "meson-info" / "intro-benchmarks.json"
        path.write_text(json.dumps(listed), encoding="utf-8")

    def available(self, rows, wanted=lambda name: True):
        def list_rows(program):
            return {row: names.parse(row) for row in rows[program.command[0]]}

        return programs.available(self.build, "usual", wanted, list_rows)

    def test_a_program_that_is_declared_for_each_of_its_subjects_is_one_program(self):
        self.declare(["p", "--benchmark_filter=^a[.]x/"], ["p", "--benchmark_filter=^a[.]y/"])
        self.assertEqual(
            [p.command for p in programs.declared(self.build, "full")], [("p", "--extent=full")]
        )

    def test_what_was_built_is_found_in_the_build_folder(self):
        (self.build / "peers").mkdir()
        (self.build / "peers" / "p").touch()
        self.declare(["/usr/bin/env", "peers/p", "--loop=x"])
        (found,) = programs.declared(self.build, "usual")
        self.assertEqual(found.command[1:3], (str(self.build / "peers" / "p"), "--loop=x"))

    def test_a_row_belongs_to_the_first_program_that_has_it(self):
        self.declare(["p"], ["q"])
        found, failures = self.available({"p": ["a.x/go"], "q": ["a.x/go/real_time", "a.x/tokio"]})
        self.assertEqual([list(p.rows) for p in found], [["a.x/go"], ["a.x/tokio"]])
        self.assertEqual(failures, [])

    def test_only_wanted_rows_are_chosen_and_only_programs_that_have_any(self):
        self.declare(["p"], ["q"])
        rows = {"p": ["a.x/go/n:1", "a.y/go"], "q": ["a.y/tokio"]}
        found, _ = self.available(rows, lambda name: name.subject == "a.x")
        self.assertEqual([p.filter("a.x") for p in found], ["--benchmark_filter=^a[.]x/"])

    def test_a_filter_is_as_short_as_it_can_be(self):
        self.declare(["p"])
        rows = {"p": ["a.x/go/n:1", "a.x/go/n:2"]}
        (found,), _ = self.available(rows, lambda name: name.parameters == (("n", "1"),))
        self.assertEqual(found.filter("a.x"), "--benchmark_filter=^(a[.]x/go/n:1)$")
        self.assertEqual(found.ours({"a.x/go/n:1": 1, "a.x/go/n:2": 2}), {"a.x/go/n:1": 1})

    def test_a_peer_that_could_have_no_row_of_the_name_is_not_asked(self):
        self.declare(["p"], peers=["uvloop", "go"])
        rows = {"p": ["a.x/asyncio/n:1", "a.y/asyncio@ev"]}
        found, failures = self.available(rows, lambda name: "asyncio" in name.contender)
        self.assertEqual([p.command[0] for p in found], ["p"])
        # Those of "go" are in its source, where there is nothing of a.x.
        rows["uvloop"] = ["a.x/uvloop/n:1"]
        found, failures = self.available(rows, lambda name: name.contender in ("uvloop", "go"))
        self.assertEqual([p.command[0] for p in found], ["uvloop"])
        self.assertEqual(failures, [])

    def test_a_narrowed_program_measures_only_those_rows(self):
        self.declare(["p"])
        rows = {"p": ["a.x/go/n:1", "a.x/go/n:2", "a.y/go"]}
        (found,), _ = self.available(rows)
        narrowed = found.narrowed(lambda name: name.parameters != (("n", "2"),))
        self.assertEqual(narrowed.filter("a.x"), "--benchmark_filter=^(a[.]x/go/n:1)$")
        self.assertEqual(narrowed.filter("a.y"), "--benchmark_filter=^a[.]y/")
        self.assertEqual(found.filter("a.x"), "--benchmark_filter=^a[.]x/")
        self.assertEqual(found.narrowed(lambda name: False).subjects(), [])

    def test_a_program_that_cannot_run_is_reported(self):
        self.declare(["/nowhere/at_all"])
        found, failures = programs.available(self.build, "usual", lambda name: True)
        self.assertEqual(found, [])
        self.assertIn("/nowhere/at_all", failures[0])

    def test_a_program_is_called_by_what_is_ours_of_its_command(self):
        (self.build / "peers").mkdir()
        (self.build / "peers" / "p").touch()
        harness = programs.ROOT / "tests" / "bench" / "fake_benchmark.py"
        self.declare(
            ["/usr/bin/env", "peers/p"], ["/usr/bin/env", sys.executable, str(harness), "--loop=x"]
        )
        self.assertEqual(
            [p.label() for p in programs.declared(self.build, "usual")],
            ["peers/p", "tests/bench/fake_benchmark.py --loop=x"],
        )

    def test_a_program_that_cannot_list_is_called_by_its_own_name_and_quoted(self):
        peer = self.build / "peer.py"
        peer.write_text("import sys; sys.exit('no module named uvloop')", encoding="utf-8")
        self.declare(["/usr/bin/env", sys.executable, str(peer)])
        _, failures = programs.available(self.build, "usual", lambda name: True)
        self.assertEqual(
            failures,
            ["peer.py does not list its benchmarks: exit status 1: no module named uvloop"],
        )

    def test_a_folder_without_a_build_is_named(self):
        with self.assertRaisesRegex(programs.NoBuild, f"{self.build} is no build folder"):
            programs.declared(self.build, "usual")
        self.declare()
        with self.assertRaisesRegex(programs.NoBuild, "without benchmarks"):
            programs.declared(self.build, "usual")
