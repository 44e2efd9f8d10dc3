#!/usr/bin/env python3
"""Adds to a file that is followed.

usage: tail_follow_test.py TAIL_FOLLOW
"""

import os
import signal
import subprocess
import sys
import tempfile


def main():
    with tempfile.TemporaryDirectory() as folder:
        path = os.path.join(folder, "log")
        with open(path, "w") as log:
            print("one", file=log, flush=True)
            tail = subprocess.Popen([sys.argv[1], path], stdout=subprocess.PIPE, text=True)
            try:
                for line in ("one", "two", "three"):
                    got = tail.stdout.readline()
                    if got != line + "\n":
                        sys.exit(f"expected {line!r}, got {got!r}")
                    print({"one": "two", "two": "three"}.get(line, "rest"), file=log, flush=True)
                if tail.stdout.readline() != "rest\n":
                    sys.exit("the last line is missing")
                log.truncate(0)
                log.seek(0)
                print("anew", file=log, flush=True)
                if tail.stdout.readline() != "anew\n":
                    sys.exit("a file that began anew was not followed")
                tail.send_signal(signal.SIGTERM)
                if tail.wait(30) != 0:
                    sys.exit(f"it ended with {tail.returncode}")
            finally:
                tail.kill()
                tail.wait()


if __name__ == "__main__":
    main()
