#!/usr/bin/env python3
"""Checks what the switch of stacks claims of itself when control flow is to be protected.

usage: check_switch.py COMPILER... -- SOURCE

With -fcf-protection every object has a note of what it is good with, and a program runs with what
all of its objects claim.  The switch is good with indirect branch tracking.  A processor's shadow
stack would take it for an attack: if it claimed that too, a program of ours would die by its first
task.
"""

import pathlib
import re
import subprocess
import sys
import tempfile

OTHERS = "int main() { return 0; }\n"


def claims(path):
    """The features that the note of an object, library or program claims, as a set of names."""
    notes = subprocess.run(
        ["readelf", "--notes", "--wide", path], check=True, stdout=subprocess.PIPE, text=True
    ).stdout
    found = re.search(r"x86 feature: (.*)", notes)
    return set(re.split(r",\s*", found.group(1).strip())) if found else set()


def main():
    split = sys.argv.index("--")
    compiler, source = sys.argv[1:split], sys.argv[split + 1]
    wrong = []
    with tempfile.TemporaryDirectory() as folder:
        there = pathlib.Path(folder)

        def compile_as(name, *arguments):
            subprocess.run([*compiler, *arguments, "-o", there / name], check=True)
            return claims(there / name)

        def expect(what, right, found):
            if found != right:
                wrong.append(f"{what}: claims {sorted(found)}, not {sorted(right)}")

        expect("unprotected", set(), compile_as("plain.o", "-c", "-fcf-protection=none", source))
        for kind, right in {"branch": {"IBT"}, "return": set(), "full": {"IBT"}}.items():
            protection = f"-fcf-protection={kind}"
            expect(protection, right, compile_as("switch.o", "-c", protection, source))
        (there / "others.cc").write_text(OTHERS, encoding="utf-8")
        others = compile_as("others.o", "-c", "-fcf-protection=full", there / "others.cc")
        expect("this compiler's own objects", {"IBT", "SHSTK"}, others)
        linked = compile_as("linked.o", "-r", "-nostdlib", there / "others.o", there / "switch.o")
        expect("what both are linked into", {"IBT"}, linked)
    print("\n".join(wrong) or "indirect branch tracking where asked for, and no shadow stack")
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
