#!/usr/bin/env python3
"""Runs an example and compares what it prints, byte by byte, with what it should.

usage: check_output.py PROGRAM EXPECTED_FILE [NAME=TEXT...]

@NAME@ in the file stands for TEXT.  The program must end with status 0.
"""

import difflib
import os
import pathlib
import subprocess
import sys


def signal_or_status(code):
    return f"signal {-code}" if code < 0 else f"status {code}"


def main():
    program, expected_file = sys.argv[1:3]
    expected = pathlib.Path(expected_file).read_bytes()
    for definition in sys.argv[3:]:
        name, text = definition.split("=", 1)
        expected = expected.replace(f"@{name}@".encode(), text.encode())

    # stderr goes on to the log: there may be hints in it, but no output that is promised.
    # Examples count on ready tasks running in the order they became ready.
    environment = {k: v for k, v in os.environ.items() if k != "ASYNCIO_SHUFFLE_SEED"}
    ended = subprocess.run(
        [program], env=environment, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, check=False
    )
    wrong = []
    if ended.returncode != 0:
        wrong.append(f"{program} ended with {signal_or_status(ended.returncode)}, not with 0")
    if ended.stdout != expected:
        wrong.append(f"{program} did not print what {expected_file} says:")
        wrong.extend(
            difflib.unified_diff(
                expected.decode(errors="backslashreplace").split("\n"),
                ended.stdout.decode(errors="backslashreplace").split("\n"),
                "expected",
                "printed",
                lineterm="",
            )
        )
    print("\n".join(wrong) or f"{len(expected.splitlines())} lines, as expected")
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
