#!/usr/bin/env python3
"""Runs a GoogleTest program and reports each of its cases as a line of TAP.

usage: run_gtest.py PROGRAM [ARGUMENT...]

The program's own output becomes TAP comments, and that of a failed case goes to stderr too, where
Meson shows it.  A case during which the program dies has failed, and so has a run of no case at
all.  ASYNCIO_TEST_WRAPPER, if set, is put before the program.
"""

import os
import re
import shlex
import signal
import subprocess
import sys

# A case that prints without a newline has its verdict on the same line, so: not anchored.
EVENT = re.compile(r"\[( RUN      |       OK |  SKIPPED |  FAILED  )\] ([\w/]+\.[\w/]+)")


def main():
    command = shlex.split(os.environ.get("ASYNCIO_TEST_WRAPPER", "")) + sys.argv[1:]
    program = subprocess.Popen(
        command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, errors="replace"
    )
    count = 0
    failures = 0
    running = None
    said = []  # by the case that is running, or since the last one

    def report(verdict, note=""):
        nonlocal count, failures, running
        count += 1
        print(f"{verdict} {count} - {running}{note}", flush=True)
        if verdict != "ok":
            failures += 1
            sys.stderr.writelines(said)
        running = None
        said.clear()

    print("TAP version 13", flush=True)
    for line in program.stdout:
        print("#", line.rstrip("\n"), flush=True)
        said.append(line)
        event = EVENT.search(line)
        if not event:
            continue
        kind, name = event.group(1).strip(), event.group(2)
        if kind == "RUN":
            running = name
            del said[:-1]
        elif name == running:  # the closing summary repeats the names of failures
            if kind == "OK":
                report("ok")
            elif kind == "SKIPPED":
                report("ok", " # SKIP")
            else:
                report("not ok")

    status = program.wait()
    end = f"killed by {signal.Signals(-status).name}" if status < 0 else f"exit status {status}"
    if running:
        report("not ok", f" ({end} during this case)")
        print(f"Bail out! {end}; the cases after this one did not run", flush=True)
    elif count == 0:
        sys.stderr.writelines(said)
        print(f"Bail out! no case ran ({end})", flush=True)
        return 1
    else:
        print(f"1..{count}", flush=True)
        if status != 0 and not failures:
            sys.stderr.writelines([*said, end])
            return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
