import json
import pathlib
import tempfile
import unittest

from report import machine


class MachineTest(unittest.TestCase):
    def test_only_compilers_are_asked_for_their_version(self):
        with tempfile.TemporaryDirectory() as folder:
            build = pathlib.Path(folder)
            (build / "meson-info").mkdir()
            asked = build / "asked"
            sources = [
                {"language": "cpp", "compiler": ["echo", "compiler 1.2"]},
                {"language": "unknown", "compiler": ["touch", str(asked)]},
            ]
            path = build / "meson-info" / "intro-targets.json"
            path.write_text(json.dumps([{"target_sources": sources}]), encoding="utf-8")
            self.assertEqual(machine.compilers(build), "compiler 1.2 --version")
            self.assertFalse(asked.exists())
