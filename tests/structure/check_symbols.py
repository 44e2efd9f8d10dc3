#!/usr/bin/env python3
"""Checks that the library defines nothing of the C library's, and exports only its own names.

usage: check_symbols.py COMPILER... -- LIBRARY

A library that defines malloc, read or __cxa_get_globals would change the host program it is linked
into.  Weak and unique definitions are let pass: instantiations of standard templates are shared by
design.
"""

import pathlib
import subprocess
import sys


def defined(path, *options):
    """Maps each symbol that `path` defines for others to its type letter."""
    output = subprocess.run(
        ["nm", "--defined-only", "--extern-only", "--format=posix", *options, path],
        check=True,
        stdout=subprocess.PIPE,
        text=True,
    ).stdout
    symbols = {}
    for line in output.splitlines():
        fields = line.split()
        if len(fields) >= 2 and len(fields[1]) == 1:
            symbols[fields[0].split("@")[0]] = fields[1]
    return symbols


def main():
    split = sys.argv.index("--")
    compiler, library = sys.argv[1:split], pathlib.Path(sys.argv[split + 1])
    shared = library.suffix != ".a"
    symbols = defined(library, *(["--dynamic"] if shared else []))
    strong = {name for name, kind in symbols.items() if kind not in "WVwvu"}
    wrong = []

    for runtime in ("libc.so.6", "libm.so.6", "libstdc++.so.6", "libgcc_s.so.1"):
        path = subprocess.run(
            [*compiler, f"-print-file-name={runtime}"],
            check=True,
            stdout=subprocess.PIPE,
            text=True,
        ).stdout.strip()
        if not pathlib.Path(path).is_absolute():
            continue  # this compiler uses another one
        theirs = defined(path, "--dynamic")
        wrong += [f"defines {name}, which is {runtime}'s" for name in sorted(strong & set(theirs))]

    # The linker adds these to shared objects on some systems.
    for name in sorted(strong - {"_init", "_fini", "_edata", "_end", "__bss_start"}):
        # Mangled names of namespace asyncio, its nested ones, and their type information.
        if "7asyncio" not in name:
            wrong.append(f"exports {name}, which is not in namespace asyncio")

    print("\n".join(wrong) or f"{len(symbols)} symbols, all the library's own")
    return 1 if wrong or not symbols else 0


if __name__ == "__main__":
    sys.exit(main())
