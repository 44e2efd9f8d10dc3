import json
import pathlib
import tempfile
import unittest
from unittest import mock

from report import building, names, programs
from report.run import Failed

ROWS = ["core.yield/asyncio/tasks:2", "core.yield/boost_fiber/tasks:2", "core.program/asyncio@ev",
        "echo.idle/asyncio@ev", "echo.idle/go"]  # fmt: skip
OTHERS = ["bench/peers/go_peer", "bench/peers/tokio_peer", "bench/program/program_asyncio",
          "bench/program/program_libuv"]  # fmt: skip


class BuildingTest(unittest.TestCase):
    def setUp(self):
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.build = pathlib.Path(folder.name)
        self.write("intro-targets", [
            {"id": target, "filename": [f"{self.build}/{target}"]}
            for target in [building.OWN, "tests/core_tests", *OTHERS]
        ])  # fmt: skip
        own = {"cmd": [f"{self.build}/{building.OWN}"], "env": {}}
        go, tokio, *small = OTHERS
        self.write("intro-benchmarks", [
            {**own, "name": "bench core.yield", "depends": [building.OWN]},
            {**own, "name": "bench core.program", "depends": [building.OWN, *small]},
            {**own, "name": "bench echo.idle", "depends": [building.OWN, go, tokio]},
            {"cmd": ["/usr/bin/env", go], "env": {}, "name": "bench peer go", "depends": [go]},
            {"cmd": ["/usr/bin/env", tokio], "env": {}, "name": "bench peer tokio",
             "depends": [tokio]},
        ])  # fmt: skip

    def write(self, name, listed):
        path = self.build / "meson-info" / f"{name}.json"
        path.parent.mkdir(exist_ok=True)
        path.write_text(json.dumps(listed), encoding="utf-8")

    def needed(self, *filters):
        rows = list(map(names.parse, ROWS))
        return building.needed(self.build, rows, names.wanted(filters))

    def test_without_names_everything_that_takes_part_is_built_and_no_test(self):
        self.assertEqual(self.needed(), OTHERS)

    def test_a_peer_is_built_if_it_could_have_a_row_of_that_name(self):
        go, tokio, *_ = OTHERS
        self.assertEqual(self.needed("core.yield"), [go, tokio])
        self.assertEqual(self.needed("yield/go"), [go])
        self.assertEqual(self.needed("yield/asyncio"), [])

    def test_what_a_subject_starts_is_built_if_its_contender_is_wanted(self):
        go, tokio, ours, libuv = OTHERS
        self.assertEqual(self.needed("core.program"), [ours, libuv])
        self.assertEqual(self.needed("core.program/libuv"), [libuv])
        self.assertEqual(self.needed("core.program/asyncio@ev"), [ours])
        self.assertEqual(self.needed("echo.idle/tokio"), [tokio])

    def test_a_peer_is_not_built_for_a_subject_that_it_does_not_know(self):
        rows = list(map(names.parse, ROWS))
        self.assertEqual({row.subject for row in programs.known_to("go", rows)}, {"core.yield"})
        self.assertEqual(programs.known_to("uvloop", rows), rows)  # has no folder of its own

    def test_ours_is_built_first_and_asked_then(self):
        ran = []
        with mock.patch.object(
            programs, "listed_rows", lambda program: {row: names.parse(row) for row in ROWS}
        ):
            for wanted in ("yield/go", "yield/asyncio"):
                building.make(
                    self.build, "usual", names.wanted([wanted]),
                    run=lambda command, check: ran.append(command[1:]),
                )  # fmt: skip
        # That it cannot list its rows is for whoever measures to report.
        with mock.patch.object(programs, "listed_rows", side_effect=Failed("broken")):
            building.make(
                self.build, "usual", names.wanted([]),
                run=lambda command, check: ran.append(command[1:]),
            )  # fmt: skip
        ours, go = ["build", "release", building.OWN], ["build", "release", OTHERS[0]]
        self.assertEqual(ran, [ours, go, ours, ours])
