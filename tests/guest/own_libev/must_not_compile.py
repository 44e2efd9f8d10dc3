#!/usr/bin/env python3
"""Checks that the compiler refuses a source, and what it says.

usage: must_not_compile.py COMPILER... -- SOURCE MESSAGE
"""

import subprocess
import sys


def main():
    split = sys.argv.index("--")
    compiler, (source, message) = sys.argv[1:split], sys.argv[split + 1 :]
    run = subprocess.run(
        [*compiler, "-fsyntax-only", source], stderr=subprocess.PIPE, text=True, check=False
    )
    sys.stderr.write(run.stderr)
    if run.returncode == 0:
        print(f"{source} compiles")
    elif message not in run.stderr:
        print(f"the compiler does not say: {message}")
    else:
        return 0
    return 1


if __name__ == "__main__":
    sys.exit(main())
