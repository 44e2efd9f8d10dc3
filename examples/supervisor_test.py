#!/usr/bin/env python3
"""Has the supervisor restart a program that fails twice, and end one that would go on.

usage: supervisor_test.py SUPERVISOR
"""

import os
import signal
import subprocess
import sys
import tempfile


def main():
    supervisor = sys.argv[1]
    with tempfile.TemporaryDirectory() as folder:
        # Each run removes one of two files, and fails if there was one.
        for name in "ab":
            open(os.path.join(folder, name), "w").close()
        script = f"cd {folder}; for f in a b; do test -e $f && rm $f && exit 3; done; exit 0"
        said = subprocess.run(
            [supervisor, "sh", "-c", script], stdout=subprocess.PIPE, text=True, timeout=30
        )
        expected = "sh exited with 3\nsh exited with 3\nsh exited with 0\n"
        if (said.returncode, said.stdout) != (0, expected):
            sys.exit(f"it ended with {said.returncode}, and said {said.stdout!r}")
    running = subprocess.Popen(
        [supervisor, "sh", "-c", "echo ready; tail -f /dev/null & wait"],
        stdout=subprocess.PIPE,
        text=True,
    )
    try:
        if running.stdout.readline() != "ready\n":
            sys.exit("the program was not started")
        running.send_signal(signal.SIGTERM)
        # The end of the output: tail, which has it too, is gone as well.
        rest = running.stdout.read()
        if running.wait(30) != 0 or rest != "":
            sys.exit(f"it ended with {running.returncode}, and said {rest!r}")
    finally:
        running.kill()
        running.wait()


if __name__ == "__main__":
    main()
