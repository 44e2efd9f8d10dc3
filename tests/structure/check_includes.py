#!/usr/bin/env python3
"""Checks who includes whom: the arrows between modules, and between the rooms of the core.

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
    "io": ["core", "concurrency", "resource"],
    "tls": ["core", "concurrency", "resource", "io"],
}
# Modules that lie in the folder of another one, and what they are included as.
INSIDE = {"io/tls/": "tls/"}
# What core/detail is to the modules that stand on it: what templates and observation force.
DETAIL_OUTSIDE_CORE = {
    "concurrency": [
        "done_callbacks.h",
        "observation_hooks.h",
        "of_loop.h",
        "scope.h",
        "slot.h",
        "task_control.h",
    ],
    "resource": ["observation_hooks.h", "of_loop.h", "task_control.h", "thread_context.h"],
    "observable": [
        "fork_mutex.h",
        "immortal.h",
        "observation_hooks.h",
        "of_loop.h",
        "task_control.h",
    ],
    "backends": [],
    "io": [],
    "tls": [],
}
# All that a backend may know of the core: the contract, and what it is told and tells by.
CONTRACT = [
    "core/attach_options.h",
    "core/backend_registry.h",
    "core/errors.h",
    "core/event_loop_interface.h",
    "core/export.h",
    "core/time.h",
]
# Rooms below core/internal/ that may know only themselves and these, and what is above internal/.
ROOMS = {
    "fiber": [],
    "memory": ["fiber"],
    "reactor": [],
}
# A public floor: it stands on nothing but itself and these.
LOWLEVEL = ["core/export.h", "core/time.h", "core/unique_function.h"]
# The header of the loop is for who makes one; everybody else goes by rooms.h.
LOOP = "core/internal/loop.h"
MOST_WHO_KNOW_THE_LOOP = 5
# The umbrella header of each library, and whose headers it includes.
UMBRELLAS = {
    "asyncio.h": ["backends", "concurrency", "core", "observable", "resource"],
    "io/all.h": ["io"],
    "tls/all.h": ["tls"],
}
# Public headers that a user of the umbrella header must ask for by name.
OUTSIDE_UMBRELLA = ["core/test_clock.h"]

INCLUDE = re.compile(r'^[ \t]*#[ \t]*include[ \t]*([<"])([^>"]+)[>"]', re.M)


def included_as(name):
    """The path of a file as it is included."""
    for folder, prefix in INSIDE.items():
        if name.startswith(folder):
            return prefix + name[len(folder) :]
    return name


def lies_at(name):
    """The path in the tree of what is included by `name`."""
    for folder, prefix in INSIDE.items():
        if name.startswith(prefix):
            return folder + name[len(prefix) :]
    return name


def native(header):
    """Does this header belong to an event library or to Boost?"""
    return header in ("ev.h", "ev++.h", "event.h") or header.startswith(("event2/", "boost/"))


def room(path):
    """The room of a file below core/internal/, or None: fiber, memory...; "" for no folder."""
    match = re.match(r"core/internal/(?:(\w+)/)?", path)
    return match and (match.group(1) or "")


def check_core(name, target):
    """Yields what is wrong with a file of the core that includes `target`."""
    own, other = room(name), room(target)
    if own in ROOMS and other is not None and other not in [own] + ROOMS[own]:
        yield f"<{target}>: {own} may include only {', '.join([own] + ROOMS[own])} of the rooms"
    if name == "core/internal/rooms.h":
        yield f"<{target}>: rooms.h names the rooms, and includes none"
    if re.fullmatch(r"core/lowlevel/\w+\.h", name):
        if not target.startswith("core/lowlevel/") and target not in LOWLEVEL:
            yield f"<{target}>: lowlevel's headers stand on each other and {', '.join(LOWLEVEL)}"


def check_from_outside(module, target):
    """Yields what is wrong with a file of another module that includes `target` of the core."""
    if target.startswith("core/internal/"):
        yield f"<{target}>: the inside of the core is the core's; build on core/lowlevel"
    detail = re.fullmatch(r"core/detail/(.*)", target)
    if detail and detail.group(1) not in DETAIL_OUTSIDE_CORE[module]:
        yield f"<{target}>: {module} needs no more of core/detail than templates force"
    if module == "backends" and target not in CONTRACT:
        yield f"<{target}>: a backend knows the contract alone: {', '.join(CONTRACT)}"


def check_file(name, text, public):
    """Yields what is wrong with the includes of one file of a module."""
    module = name.split("/")[0]
    for quote, header in INCLUDE.findall(text):
        if header == "backend_table.h":
            if name != "core/backend_registry.cc":
                yield f"{header}: only core/backend_registry.cc may know the table of backends"
            continue
        if quote == '"':
            yield f'"{header}": write <asyncio/MODULE/NAME.h>'
            continue
        if native(header):
            host_header = re.fullmatch(r"backends/(libev/|libevent/)?\w+\.h", name)
            if name in public and not host_header:
                yield f"<{header}>: public headers stand on the standard library alone"
            elif module != "backends" and not header.startswith("boost/"):
                yield f"<{header}>: only backends/ may know an event library"
            continue
        if not header.startswith("asyncio/"):
            continue
        target = header[len("asyncio/") :]
        if target in UMBRELLAS:
            yield f"<{header}>: the umbrella header is for users; include what is used"
            continue
        to = target.split("/")[0]
        if to != module and to not in ARROWS[module]:
            yield f"<{header}>: {module} may include only {', '.join([module] + ARROWS[module])}"
        if "/internal/" in target and name in public:
            yield f"<{header}>: internal headers are not installed"
        if module == "tls" and re.match("io/(internal|detail)/", target):
            yield f"<{header}>: tls stands on io's public headers"
        if to == "core":
            yield from check_core(name, target) if module == "core" else check_from_outside(
                module, target
            )
        if to == "backends":
            # backends/libev.h belongs to backends/libev/.
            own, other = (re.split(r"[/.]", path)[1] for path in (name, target))
            if own != other:
                yield f"<{header}>: one backend may not know another"


def check_loop(texts):
    """Yields a complaint if too many files know how the loop is made up."""
    users = [name for name, text in texts.items() if f"<asyncio/{LOOP}>" in text]
    if len(users) > MOST_WHO_KNOW_THE_LOOP:
        yield f"{LOOP}: {len(users)} files include it, {MOST_WHO_KNOW_THE_LOOP} may: {users}"


def check_visitors(root):
    """Yields who looks into core/internal/ from tests and benchmarks that are not the core's."""
    for folder in ("tests", "bench", "examples"):
        for path in sorted((root / folder).rglob("*")):
            name = path.relative_to(root).as_posix()
            if path.suffix not in (".h", ".cc") or name.startswith(f"{folder}/core/"):
                continue
            if "asyncio/core/internal/" in path.read_text(encoding="utf-8"):
                yield f"{name}: only the core's own {folder} may look into core/internal/"


def check_umbrellas(root, public):
    """Yields what the umbrella headers lack."""
    for umbrella, modules in UMBRELLAS.items():
        text = (root / lies_at(umbrella)).read_text(encoding="utf-8")
        included = {header for _, header in INCLUDE.findall(text)}
        for header in public:
            if header in UMBRELLAS or header in OUTSIDE_UMBRELLA:
                continue
            if "/detail/" in header or "/lowlevel/" in header or header.startswith("backends/"):
                continue
            if header.split("/")[0] in modules and f"asyncio/{header}" not in included:
                yield f"{umbrella}: does not include <asyncio/{header}>"


def main():
    root = pathlib.Path(sys.argv[1]).resolve()
    public = sys.argv[2:]
    wrong = []
    texts = {
        included_as(path.relative_to(root).as_posix()): path.read_text(encoding="utf-8")
        for module in ARROWS
        for path in sorted((root / module).rglob("*"))
        if path.suffix in (".h", ".cc")
    }
    for name, text in texts.items():
        wrong += [f"{name}: {what}" for what in check_file(name, text, public)]
        unlisted = name.endswith(".h") and "/internal/" not in name and name not in public
        # A backend's own headers lie in its folder and are nobody else's.
        if unlisted and not name.startswith("backends/"):
            wrong.append(f"{name}: missing in its module's meson.build, so untested, not installed")
    for header in public:
        if "/internal/" in header:
            wrong.append(f"{header}: internal headers are never installed")
    wrong += check_loop(texts)
    wrong += check_visitors(root)
    wrong += check_umbrellas(root, public)
    examples = [*(root / "examples").rglob("*.cc"), *(root / "examples").rglob("*.h")]
    for path in sorted(examples):
        for _, header in INCLUDE.findall(path.read_text(encoding="utf-8")):
            if "/internal/" in header or "/detail/" in header:
                wrong.append(f"{path.name}: <{header}>: examples use the public API")
    print("\n".join(wrong) or f"{len(texts)} files, every arrow right")
    return 1 if wrong or not texts else 0


if __name__ == "__main__":
    sys.exit(main())
