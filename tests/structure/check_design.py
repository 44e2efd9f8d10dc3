"""Checks that every test named in a design note exists.

usage: check_design.py ROOT NOTE...

A name is written `Suite.Name`, `Suite.Prefix…`, or `L31_Name` and `L31_…` for a case by its id.
"""
import pathlib
import re
import sys

NAME = re.compile(r'`((?:[A-Z]\w*(?:Test|Conformance)\.?|[A-Z]\d+_)[^`]*)`')
DEFINITION = re.compile(r'^TEST(?:_F|_P)?\((\w+),\s*(\w+)\)', re.MULTILINE)


def main():
    root = pathlib.Path(sys.argv[1])
    tests = [
        f'{suite}.{name}'
        for source in sorted(root.glob('tests/**/*_test.cc'))
        for suite, name in DEFINITION.findall(source.read_text())
    ]
    missing = 0
    for note in sys.argv[2:]:
        for named in NAME.findall((root / note).read_text()):
            wanted = named.rstrip('…')
            if not any(
                test.startswith(wanted) if '.' in wanted else wanted in test for test in tests
            ):
                print(f'{note}: no test is called {named}')
                missing += 1
    return 1 if missing or not tests else 0


sys.exit(main())
