"""What each benchmark is about, for the reader: subjects.json holds a title and a sentence."""

import json
import pathlib

LIST = pathlib.Path(__file__).with_name("subjects.json")


def load():
    return json.loads(LIST.read_text(encoding="utf-8"))


def title(listed, subject):
    """Its title, or the subject's name in words if nobody gave it one."""
    return listed.get(subject, {}).get(
        "title", subject.split(".")[1].replace("_", " ").capitalize()
    )


def about(listed, subject):
    return listed.get(subject, {}).get("about", "")
