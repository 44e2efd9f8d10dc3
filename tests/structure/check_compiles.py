#!/usr/bin/env python3
"""Checks that programs compile, or that the compiler refuses them and says why.

usage: check_compiles.py FOLDER COMPILER...

The first line of each source in FOLDER is "// Compiles: WHY" or "// Does not compile: TEXT", where
TEXT stands in the compiler's message.
"""

import pathlib
import re
import subprocess
import sys

EXPECTED = re.compile(r"// (Compiles|Does not compile): (.+)")


def wrong_with(source, compiler):
    """What is wrong with the source, or None."""
    expected = EXPECTED.match(source.read_text(encoding="utf-8"))
    if not expected:
        return "says neither that it compiles nor that it does not"
    tried = subprocess.run(
        [*compiler, "-fsyntax-only", str(source)],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        text=True,
    )
    compiles = tried.returncode == 0
    if expected[1] == "Compiles":
        return None if compiles else "does not compile:\n" + tried.stderr
    if compiles:
        return "compiles"
    return None if expected[2] in tried.stderr else f"is refused otherwise:\n{tried.stderr}"


def main():
    folder, compiler = pathlib.Path(sys.argv[1]), sys.argv[2:]
    sources = sorted(folder.glob("*.cc"))
    wrong = []
    for source in sources:
        what = wrong_with(source, compiler)
        if what:
            wrong.append(f"{source.name}: {what}")
    print("\n".join(wrong) or f"{len(sources)} programs compile, or do not, as they say")
    return 1 if wrong or not sources else 0


if __name__ == "__main__":
    sys.exit(main())
