#!/usr/bin/env python3
"""Checks who includes whom.

usage: check_includes.py SOURCE_ROOT PUBLIC_HEADER...
"""

import pathlib
import re
import sys

# A module may include itself and these.
ARROWS = {
    "core": [],
    "concurrency": ["core"],
    "resource": ["core", "concurrency"],
    "observable": ["core", "concurrency"],
    "backends": ["core"],
}
# Public headers that a user of the umbrella header must ask for by name.
OUTSIDE_UMBRELLA = ["core/test_clock.h"]

INCLUDE = re.compile(r'^[ \t]*#[ \t]*include[ \t]*([<"])([^>"]+)[>"]', re.M)


def native(header):
    """Does this header belong to an event library or to Boost?"""
    return header in ("ev.h", "ev++.h", "event.h") or header.startswith(("event2/", "boost/"))


def check_file(name, text, public):
    """Yields what is wrong with the includes of one file of a module."""
    module = name.split("/")[0]
    for quote, header in INCLUDE.findall(text):
        if header == "backend_table.h":
            if name != "core/backends.cc":
                yield f"{header}: only core/backends.cc may know the table of backends"
            continue
        if quote == '"':
            yield f'"{header}": write <asyncio/MODULE/NAME.h>'
            continue
        if native(header):
            host_header = re.fullmatch(r"backends/\w+\.h", name)
            if name in public and not host_header:
                yield f"<{header}>: public headers stand on the standard library alone"
            elif module != "backends" and not header.startswith("boost/"):
                yield f"<{header}>: only backends/ may know an event library"
            continue
        if not header.startswith("asyncio/"):
            continue
        target = header[len("asyncio/") :]
        if target == "asyncio.h":
            yield f"<{header}>: the umbrella header is for users; include what is used"
            continue
        to = target.split("/")[0]
        if to != module and to not in ARROWS[module]:
            yield f"<{header}>: {module} may include only {', '.join([module] + ARROWS[module])}"
        if "/internal/" in target and name in public:
            yield f"<{header}>: internal headers are not installed"
        if to == "backends":
            # backends/libev.h belongs to backends/libev/.
            own, other = (re.split(r"[/.]", path)[1] for path in (name, target))
            if own != other:
                yield f"<{header}>: one backend may not know another"


def check_umbrella(root, public):
    """Yields what asyncio.h lacks."""
    text = (root / "asyncio.h").read_text(encoding="utf-8")
    included = {header for _, header in INCLUDE.findall(text)}
    for header in public:
        if header == "asyncio.h" or header in OUTSIDE_UMBRELLA:
            continue
        if "/detail/" in header or header.startswith("backends/"):
            continue
        if f"asyncio/{header}" not in included:
            yield f"asyncio.h: does not include <asyncio/{header}>"


def main():
    root = pathlib.Path(sys.argv[1]).resolve()
    public = sys.argv[2:]
    wrong = []
    files = [
        path
        for module in ARROWS
        for path in sorted((root / module).rglob("*"))
        if path.suffix in (".h", ".cc")
    ]
    for path in files:
        name = path.relative_to(root).as_posix()
        text = path.read_text(encoding="utf-8")
        wrong += [f"{name}: {what}" for what in check_file(name, text, public)]
        unlisted = path.suffix == ".h" and "/internal/" not in name and name not in public
        # A backend's own headers lie in its folder and are nobody else's.
        if unlisted and not re.match(r"backends/", name):
            wrong.append(f"{name}: not in its module's meson.build, so neither tested nor installed")
    for header in public:
        if "/internal/" in header:
            wrong.append(f"{header}: internal headers are never installed")
    wrong += check_umbrella(root, public)
    examples = [*(root / "examples").rglob("*.cc"), *(root / "examples").rglob("*.h")]
    for path in sorted(examples):
        for _, header in INCLUDE.findall(path.read_text(encoding="utf-8")):
            if "/internal/" in header or "/detail/" in header:
                wrong.append(f"{path.name}: <{header}>: examples use the public API")
    print("\n".join(wrong) or f"{len(files)} files, every arrow right")
    return 1 if wrong or not files else 0


if __name__ == "__main__":
    sys.exit(main())
