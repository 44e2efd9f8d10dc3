#!/usr/bin/env python3
"""Checks that the C++, Meson and CMake code in the documents is cut from files that are built.

usage: check_snippets.py SOURCE_ROOT COMPILE_COMMANDS [NOT_BUILT...]

NOT_BUILT are files that this build leaves out for want of a backend.

Every ```cpp, ```meson and ```cmake block of README.md, CONTRIBUTING.md, backends/README.md and
docs/ has on the line before it
    <!-- from examples/NAME.cc -->
and its lines stand, one after the other, in that file.  Indentation may differ as a whole.  A
header is built if a source beside it includes it.
"""

import json
import pathlib
import re
import sys
import textwrap

BLOCK = re.compile(r"^```(?:cpp|c\+\+|cc|meson|cmake)\b[^\n]*\n(.*?)^```", re.M | re.S)
BUILD_FILES = ("meson.build", "CMakeLists.txt")
SOURCE = re.compile(r"<!-- from (\S+) -->\n+\Z")


def lines_of(text):
    return [line.rstrip() for line in textwrap.dedent(text).strip("\n").splitlines()]


def contains(source, wanted):
    """Do the lines `wanted` stand in a row in `source`?"""
    lines = source.splitlines()
    for start in range(len(lines) - len(wanted) + 1):
        if lines_of("\n".join(lines[start : start + len(wanted)])) == wanted:
            return True
    return False


def is_built(path, compiled):
    if path.suffix != ".h":
        return path in compiled
    include = f'#include "{path.name}"'
    beside = [source for source in compiled if source.parent == path.parent]
    return any(include in source.read_text(encoding="utf-8").splitlines() for source in beside)


def main():
    root = pathlib.Path(sys.argv[1]).resolve()
    commands = json.loads(pathlib.Path(sys.argv[2]).read_text(encoding="utf-8"))
    compiled = {(pathlib.Path(c["directory"]) / c["file"]).resolve() for c in commands}
    compiled |= {(root / name).resolve() for name in sys.argv[3:]}
    wrong = []
    count = 0
    documents = [
        root / "README.md",
        root / "CONTRIBUTING.md",
        root / "backends/README.md",
        *sorted((root / "docs").rglob("*.md")),
    ]
    for document in documents:
        text = document.read_text(encoding="utf-8")
        for block in BLOCK.finditer(text):
            count += 1
            place = f"{document.relative_to(root)}:{text.count(chr(10), 0, block.start()) + 1}"
            source = SOURCE.search(text, 0, block.start())
            if not source:
                wrong.append(f"{place}: say where it is from: <!-- from examples/NAME.cc -->")
                continue
            path = (root / source.group(1)).resolve()
            if path.name not in BUILD_FILES and not is_built(path, compiled):
                wrong.append(f"{place}: {source.group(1)} is not compiled in this build")
            elif not contains(path.read_text(encoding="utf-8"), lines_of(block.group(1))):
                wrong.append(f"{place}: no longer stands like this in {source.group(1)}")
    print("\n".join(wrong) or f"{count} snippets, all cut from files that are built")
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
