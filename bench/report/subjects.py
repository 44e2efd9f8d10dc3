"""What each benchmark is about, for the reader.

subjects.json may hold for each subject a `title`, a sentence (`about`), and what its time is the
time of (`time`), if that is not the operation.
"""

import json
import pathlib

LISTED = json.loads(pathlib.Path(__file__).with_name("subjects.json").read_text(encoding="utf-8"))


def title(subject):
    """Its title, or its name in words if nobody gave it one."""
    name = subject.split(".")[1].replace("_", " ")
    return LISTED.get(subject, {}).get("title", name.capitalize())


def about(subject):
    return LISTED.get(subject, {}).get("about", "")


def time(subject):
    return LISTED.get(subject, {}).get("time", "time per operation")
