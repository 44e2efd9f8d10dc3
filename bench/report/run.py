"""Runs one benchmark program once, on one processor, and returns the JSON it writes."""

import json
import math
import os
import pathlib
import shutil
import signal
import subprocess
import tempfile

from . import processors

PATIENCE = 600  # seconds; what takes longer hangs


class Failed(Exception):
    """A program that did not say what it had measured."""


class OutOfTime(Exception):
    """A program that was stopped although nothing was wrong with it: there was no time left."""


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


def environment(program, processor):
    """The variables that a program is given on top of ours."""
    return {
        **processors.environment(processors.allowed(), processor),
        **dict(program.environment),
    }


def run(program, subject, seconds, processor, left=math.inf):
    """The parsed JSON of the program's rows in one subject.

    Raises Failed, and OutOfTime if that takes longer than the seconds that are left.
    """
    with tempfile.TemporaryDirectory() as folder:
        # Not from stdout alone: what is measured may write there, too.
        out = pathlib.Path(folder) / "out.json"
        written = [f"--benchmark_out={out}", "--benchmark_out_format=json"]
        said = output(
            [*command(program, subject, seconds, processor), *written],
            {**processors.inherited(), **environment(program, processor)},
            PATIENCE,
            left,
        )
        try:
            return json.loads(out.read_text(encoding="utf-8") if out.exists() else said)
        except json.JSONDecodeError as error:
            raise Failed(f"no JSON: {error}") from error


def output(arguments, environ, patience, left=math.inf):
    """What a command says.  Nothing that it started outlives this, however it ends.

    Raises Failed if it fails or takes longer than `patience`, and OutOfTime after the seconds that
    are left.
    """
    try:
        process = subprocess.Popen(
            arguments,
            env=environ,
            start_new_session=True,  # so that it can be ended with all it has started
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
    except OSError as error:
        raise Failed(str(error)) from error
    with process:
        try:
            said, complained = process.communicate(timeout=min(patience, left))
        except subprocess.TimeoutExpired as error:
            if left < patience:
                raise OutOfTime from error
            raise Failed(f"stopped after {patience:.0f} s") from error
        finally:
            end(process)
    if process.returncode != 0:
        last = (complained.strip().splitlines() or ["it said nothing"])[-1]
        raise Failed(f"exit status {process.returncode}: {last}")
    return said


def end(process):
    """Ends a process with all it has started; as it leads a session, they are one group."""
    try:
        os.killpg(process.pid, signal.SIGKILL)
    except ProcessLookupError:
        pass  # it has ended and left nobody behind
    process.wait()
