#!/usr/bin/env python3
"""Adds up what Meson's JSON test logs say, counting each GoogleTest case.

usage: count_results.py LOG...

Prints "N passed, N failed"; before it, if there is any, one line for each failure and one for what
was skipped.  A program that reports no cases of its own counts as one.  Exits with 1 if anything
failed or nothing passed.
"""

import json
import re
import sys

CASE = re.compile(r"^(ok|not ok) \d+ - (\S+)(.*)$", re.M)
START = re.compile(r"^#.*\[ RUN      \] (\S+)", re.M)


def main():
    passed = failed = 0
    skipped = []
    for path in sys.argv[1:]:
        try:
            with open(path, encoding="utf-8") as log:
                tests = [json.loads(line) for line in log]
        except FileNotFoundError:
            print(f"FAILED {path}: the tests were not run")
            failed += 1
            continue
        for test in tests:
            name, result = test["name"], test["result"]
            output = test.get("stdout") or ""
            cases = CASE.findall(output) if output.startswith("TAP version") else []
            bad = 0
            for verdict, case, note in cases:
                if verdict == "not ok":
                    print(f"FAILED {name}: {case}{note}")
                    bad += 1
                elif "# SKIP" in note:
                    skipped.append(f"{name}: {case}")
                else:
                    passed += 1
            failed += bad
            if result in ("OK", "EXPECTEDFAIL"):
                passed += not cases
            elif result == "SKIP":
                if not cases:
                    skipped.append(name)
            elif not bad:
                begun = START.findall(output) if result == "TIMEOUT" else []
                during = f" during {begun[-1]}" if begun else ""
                print(f"FAILED {name}: {result.lower()}{during}")
                failed += 1
    if skipped:
        print(f"{len(skipped)} skipped:", ", ".join(skipped))
    print(f"{passed} passed, {failed} failed")
    return 1 if failed or not passed else 0


if __name__ == "__main__":
    sys.exit(main())
