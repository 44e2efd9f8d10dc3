"""The name of a benchmark: MODULE.SUBJECT/CONTENDER[/PARAMETER:VALUE...].

For instance core.wake_fd/asyncio@ev/descriptors:100.  All that compete in one subject with the same
parameters do the same work.
"""

import re
from typing import NamedTuple

NAME = re.compile(r"([a-z]\w*\.[a-z]\w*)/([a-z]\w*(?:@\w+)?)((?:/\w+:[\w.%-]+)*)")
# What Google Benchmark appends of its own accord; it is how the work was timed, not what it was.
DECORATION = re.compile(
    r"/(?:real_time|manual_time|process_time|(?:iterations|repeats|min_time|min_warmup_time):[^/]*)"
)


class Name(NamedTuple):
    subject: str
    contender: str
    parameters: tuple = ()  # of (name, value) pairs

    def __str__(self):
        return "/".join([self.subject, self.contender, *(f"{p}:{v}" for p, v in self.parameters)])


def parse(text):
    """Takes a name apart, without decorations; None if it is no such name."""
    match = NAME.fullmatch(DECORATION.sub("", text))
    if not match:
        return None
    subject, contender, rest = match.groups()
    return Name(
        subject, contender, tuple(tuple(part.split(":", 1)) for part in rest.split("/")[1:])
    )


def wanted(filters):
    """Does a name match one of the regular expressions?  All do if there are none."""
    return lambda name: not filters or any(re.search(f, str(name)) for f in filters)


def number(value):
    """A parameter's value as a number; None if it is a word."""
    try:
        return float(value)
    except ValueError:
        return None


def in_order(parameters):
    """A sort key that puts 1000 behind 20."""
    return [
        (parameter, number(value) is None, number(value) or 0, value)
        for parameter, value in parameters
    ]


def in_order_of_name(name):
    return (name.subject, in_order(name.parameters), name.contender)


def readable(parameters):
    """Parameters as a reader likes them: "tasks 10,000"."""
    return ", ".join(f"{parameter} {readable_value(value)}" for parameter, value in parameters)


def readable_value(value):
    return f"{int(value):,}" if value.isdigit() else value
