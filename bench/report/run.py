"""Runs one benchmark program once, on one processor, and returns the JSON it writes."""

import json
import os
import pathlib
import shutil
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


def run(program, subject, seconds, processor):
    """The parsed JSON of the program's rows in one subject.  Raises Failed."""
    with tempfile.TemporaryDirectory() as folder:
        # Not from stdout alone: what is measured may write there, too.
        out = pathlib.Path(folder) / "out.json"
        try:
            ran = subprocess.run(
                [
                    *command(program, subject, seconds, processor),
                    f"--benchmark_out={out}",
                    "--benchmark_out_format=json",
                ],
                env=program.environ(),
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=subprocess.PIPE,
                text=True,
                timeout=PATIENCE,
                check=False,
            )
        except (OSError, subprocess.TimeoutExpired) as error:
            raise Failed(str(error)) from error
        if ran.returncode != 0:
            last = (ran.stderr.strip().splitlines() or ["it said nothing"])[-1]
            raise Failed(f"exit status {ran.returncode}: {last}")
        try:
            return json.loads(out.read_text(encoding="utf-8") if out.exists() else ran.stdout)
        except json.JSONDecodeError as error:
            raise Failed(f"no JSON: {error}") from error
