#!/usr/bin/env python3
"""Checks that no line is too long, and no source of the library.

usage: check_lines.py SOURCE_ROOT

A line has at most 100 columns, but for the tables of Markdown, which cannot be broken.  A source or
header of the library has at most 450 lines: what is longer is more than one idea.
"""

import pathlib
import sys

COLUMNS = 100
LINES = 450
LIBRARY = ("backends", "concurrency", "core", "io", "observable", "resource")
SUFFIXES = (".S", ".build", ".cc", ".go", ".h", ".in", ".md", ".py", ".rs", ".sh", ".txt")
SCRIPTS = ("dev", "packages", "run")
NOT_OURS = (".git", "build", "subprojects")


def sources(folder):
    """Yields what people write in `folder`: neither data nor what a build has made."""
    for path in sorted(folder.iterdir()):
        if path.is_dir():
            made = path.is_symlink() or (path / "meson-private").exists()
            if not made and path.name not in NOT_OURS:
                yield from sources(path)
        elif path.suffix in SUFFIXES or path.name in SCRIPTS:
            yield path


def main():
    root = pathlib.Path(sys.argv[1]).resolve()
    wrong = []
    count = 0
    for path in sources(root):
        count += 1
        name = path.relative_to(root).as_posix()
        text = path.read_text(encoding="utf-8")
        lines = text.splitlines()
        for number, line in enumerate(lines, 1):
            table = path.suffix == ".md" and line.startswith("|")
            if len(line) > COLUMNS and not table:
                wrong.append(f"{name}:{number}: {len(line)} columns, more than {COLUMNS}")
        of_library = name.split("/")[0] in LIBRARY and path.suffix in (".S", ".cc", ".h")
        if of_library and len(lines) > LINES:
            wrong.append(f"{name}: {len(lines)} lines, more than {LINES}")
    print("\n".join(wrong) or f"{count} files, no line and no source too long")
    return 1 if wrong or not count else 0


if __name__ == "__main__":
    sys.exit(main())
