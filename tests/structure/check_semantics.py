#!/usr/bin/env python3
"""Checks that docs/semantics.md and the tests tell of the same rules and cases.

usage: check_semantics.py SOURCE_ROOT

An entry of the page begins with `- **C16.**`.  The beginning of a test's name says which ones it
holds: `C16_Name`, `S49_C55_Name`, or `Pitfall11_12_Name` for two of one family.  Every id of a test
has its entry, and every entry has a test.  An entry that no test can hold says so, with the reason,
after *No test:*, and is named here.  The ids in comments and documents have their entries, too.

Likewise, every page that a comment or a document cites is there.
"""

import collections
import pathlib
import re
import sys

PAGE = "docs/semantics.md"
NO_TEST_POSSIBLE = {"Hazard16", "Hazard18"}

FAMILY = r"(?:C|S|P|L|R|N|Q|Hazard|Pitfall)"
ENTRY = re.compile(rf"^- \*\*({FAMILY}\d+)\.\*\*((?:.|\n)*?)(?=\n- |\n\n|\Z)", re.M)
PART = re.compile(rf"({FAMILY}?)(\d+)")
TEST = re.compile(r"^TEST(?:_F|_P)?\(\s*\w+,\s*(\w+)\)", re.M)
MENTION = re.compile(rf"(?<![A-Za-z0-9_]){FAMILY}\d+(?![A-Za-z0-9])")
COMMENT = re.compile(r"//.*")
CITED = re.compile(r"[\w./:-]+\.md\b")
CODE_BLOCK = re.compile(r"^```.*?^```", re.M | re.S)

SOURCES = (
    "backends",
    "bench",
    "concurrency",
    "core",
    "examples",
    "io",
    "observable",
    "resource",
    "tests",
)
SUFFIXES = (".h", ".cc", ".md", ".py", ".txt", ".build", ".in")
# Pages that a tool writes.
WRITTEN_LATER = {"summary.md"}


def ids_of(name):
    """The ids at the beginning of a test's name."""
    family = ""
    for part in name.split("_"):
        match = PART.fullmatch(part)
        if not match or not (match[1] or family):
            return
        family = match[1] or family
        yield family + match[2]


def entries_of(text):
    """The page's entries by id; and what is wrong with them."""
    entries = {}
    wrong = []
    for id_, what in ENTRY.findall(text):
        if id_ in entries:
            wrong.append(f"{PAGE}: {id_} has two entries")
        entries[id_] = " ".join(what.split())
    return entries, wrong


def tests_by_id(root):
    tests = collections.defaultdict(list)
    for path in sorted((root / "tests").rglob("*.cc")):
        for name in TEST.findall(path.read_text(encoding="utf-8")):
            for id_ in ids_of(name):
                tests[id_].append(name)
    return tests


def compare(entries, tests):
    """Yields what page and tests do not agree on."""
    for id_, names in tests.items():
        if id_ not in entries:
            yield f"{PAGE}: no entry for {id_}, which {names[0]} is named after"
    for id_, what in entries.items():
        excused = "*No test:* " in what
        if excused and id_ not in NO_TEST_POSSIBLE:
            yield f"{PAGE}: {id_} is not among those that check_semantics.py takes without a test"
        if id_ in tests and excused:
            yield f"{PAGE}: {id_} has a test, {tests[id_][0]}, and says that it has none"
        if id_ not in tests and not excused:
            yield f"{PAGE}: no test is named after {id_}"
    for id_ in NO_TEST_POSSIBLE - entries.keys():
        yield f"{PAGE}: {id_}, which needs no test, has no entry"


def texts(root):
    """Every source and document of the project, with its path."""
    paths = [*root.iterdir(), *(root / "docs").iterdir()]
    for module in SOURCES:
        paths += (root / module).rglob("*")
    for path in sorted(set(paths)):
        if path.suffix in SUFFIXES and path.is_file():
            yield path, path.read_text(encoding="utf-8")


def mentioned(path, text):
    """The ids in the comments of a source, or in a document outside its code."""
    if path.suffix == ".md":
        text = CODE_BLOCK.sub("", text)
    elif path.suffix in (".h", ".cc"):
        text = "\n".join(COMMENT.findall(text))
    else:
        return []
    return sorted(set(MENTION.findall(text)))


def is_there(root, path, cited):
    return any((base / cited).is_file() for base in (root, root / "docs", path.parent))


def check_mentions(root, entries):
    for path, text in texts(root):
        name = path.relative_to(root)
        for id_ in mentioned(path, text):
            if id_ not in entries:
                yield f"{name}: {id_} has no entry in {PAGE}"
        for cited in CITED.findall(text):
            if "://" in cited or cited in WRITTEN_LATER:
                continue
            if not is_there(root, path, cited):
                yield f"{name}: there is no {cited}"


def main():
    root = pathlib.Path(sys.argv[1]).resolve()
    entries, wrong = entries_of((root / PAGE).read_text(encoding="utf-8"))
    tests = tests_by_id(root)
    wrong += compare(entries, tests)
    wrong += check_mentions(root, entries)
    named = sum(len(names) for names in tests.values())
    print("\n".join(wrong) or f"{len(entries)} rules and cases, {named} tests named after them")
    return 1 if wrong or not named else 0


if __name__ == "__main__":
    sys.exit(main())
