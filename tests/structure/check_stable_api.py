#!/usr/bin/env python3
"""Checks that the headers mark as stable exactly what docs/stable_api.md lists.

usage: check_stable_api.py SOURCE_ROOT PUBLIC_HEADER...

The document's tables have one name in backquotes at the beginning of each row, and the first
sentence says how many there are.
"""

import pathlib
import re
import sys

MARK = "ASYNCIO_API_STABLE"
# What is marked is a type, or a function whose name stands before its first parenthesis.
TYPE = re.compile(r"(?:enum\s+)?(?:class|struct)\s+(?:ASYNCIO_API\s+)?" + MARK + r"\s+(\w+)")
FUNCTION = re.compile(MARK + r"\s+(?:[^;{}()]|\(auto\))*?(\w+)\s*\((?!auto\))")
ROW = re.compile(r"^\| `(\w+)` \|", re.M)
PROMISED = re.compile(r"These (\d+) APIs")


def marked(text):
    """Yields the name of each API that is marked in the text of a header."""
    for match in re.finditer(MARK, text):
        line_start = text.rfind("\n", 0, match.start()) + 1
        if text[line_start:].startswith("#define"):
            continue
        yield (TYPE.match(text, line_start) or FUNCTION.match(text, match.start())).group(1)


def main():
    root = pathlib.Path(sys.argv[1])
    headers = sys.argv[2:]
    in_headers = {}
    for header in headers:
        for name in marked((root / header).read_text(encoding="utf-8")):
            in_headers.setdefault(name, header)
    document = (root / "docs/stable_api.md").read_text(encoding="utf-8")
    listed = ROW.findall(document)

    wrong = [
        f"{in_headers[name]}: {name} is marked {MARK}, but docs/stable_api.md does not list it"
        for name in sorted(set(in_headers) - set(listed))
    ]
    wrong += [
        f"docs/stable_api.md: {name} is listed, but no header marks it {MARK}"
        for name in sorted(set(listed) - set(in_headers))
    ]
    wrong += [
        f"docs/stable_api.md: {name} is listed twice"
        for name in sorted(set(listed))
        if listed.count(name) > 1
    ]
    promised = PROMISED.search(document)
    if promised is None or int(promised.group(1)) != len(listed):
        wrong.append(f"docs/stable_api.md: says another number than the {len(listed)} it lists")
    print("\n".join(wrong) or f"{len(listed)} stable APIs, marked and listed")
    return 1 if wrong or not listed else 0


if __name__ == "__main__":
    sys.exit(main())
