"""Runs one benchmark program once, on one processor, and returns the JSON it writes."""

import json
import math
import os
import pathlib
import shutil
import signal
import subprocess
import tempfile

PATIENCE = 600  # seconds; what takes longer hangs


class Failed(Exception):
    """A program that did not say what it had measured."""


def quiet_processor():
    """The last of those we may use: the first serves most interrupts."""
    return max(os.sched_getaffinity(0))


def command(program, subject, seconds, processor):
    """What to run, without the file to write to."""
    pinned = ["taskset", "-c", str(processor)] if shutil.which("taskset") else []
    return [
        *pinned,
        *program.command,
        program.filter(subject),
        f"--benchmark_min_time={seconds}",
        "--benchmark_enable_random_interleaving=true",
        "--benchmark_format=json",
    ]


def run(program, subject, seconds, processor, patience=math.inf):
    """The parsed JSON of the program's rows in one subject.  Raises Failed, after `patience` seconds
    at the latest."""
    with tempfile.TemporaryDirectory() as folder:
        # Not from stdout alone: what is measured may write there, too.
        out = pathlib.Path(folder) / "out.json"
        written = [f"--benchmark_out={out}", "--benchmark_out_format=json"]
        said = output(
            [*command(program, subject, seconds, processor), *written],
            program.environ(),
            min(patience, PATIENCE),
        )
        try:
            return json.loads(out.read_text(encoding="utf-8") if out.exists() else said)
        except json.JSONDecodeError as error:
            raise Failed(f"no JSON: {error}") from error


def output(arguments, environment, patience):
    """What a command says.  Raises Failed."""
    try:
        process = subprocess.Popen(
            arguments,
            env=environment,
            start_new_session=True,  # so that it can be ended with all it has started
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
    except OSError as error:
        raise Failed(str(error)) from error
    try:
        said, complained = process.communicate(timeout=patience)
    except subprocess.TimeoutExpired as error:
        os.killpg(process.pid, signal.SIGKILL)
        process.communicate()
        raise Failed(f"stopped after {patience:.0f} s") from error
    if process.returncode != 0:
        last = (complained.strip().splitlines() or ["it said nothing"])[-1]
        raise Failed(f"exit status {process.returncode}: {last}")
    return said
