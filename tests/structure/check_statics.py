#!/usr/bin/env python3
"""Checks that no function of the library has a static that several threads would wait for.

usage: check_statics.py LIBRARY.a

A function-local static with an initializer that runs has a guard.  In a child that is forked while
another thread is in the initializer, the guard stays locked, and whoever comes there waits for
ever.  What is constinit has none, that of a thread_local is the thread's alone, and for what must
be made there is core/detail/immortal.h.
"""

import re
import subprocess
import sys

SYMBOL = re.compile(r"\s(OBJECT|TLS)\s+(?:LOCAL|GLOBAL|WEAK|UNIQUE)\s+\S+\s+\d+\s+(\S+)$", re.M)


def main():
    symbols = subprocess.run(
        ["readelf", "--symbols", "--wide", sys.argv[1]],
        check=True,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
    ).stdout
    kinds = SYMBOL.findall(symbols)
    guarded = sorted(
        {name for kind, name in kinds if kind == "OBJECT" and name.startswith("_ZGVZ")}
    )
    readable = subprocess.run(
        ["c++filt", *guarded], check=True, stdout=subprocess.PIPE, text=True
    ).stdout
    print(readable.strip() if guarded else f"{len(kinds)} variables, none with a guard to wait at")
    return 1 if guarded or not kinds else 0


if __name__ == "__main__":
    sys.exit(main())
