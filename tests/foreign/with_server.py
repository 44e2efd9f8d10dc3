#!/usr/bin/env python3
"""Runs a command beside a server, which is stopped at the end.

usage: with_server.py VARIABLE SERVER [ARGUMENT...] -- COMMAND [ARGUMENT...]

@SOCKET@ among the server's arguments stands for a Unix socket it shall listen on.  The command
finds its path in the environment variable VARIABLE, and starts when the server takes connections.
"""

import os
import signal
import socket
import subprocess
import sys
import tempfile
import time


def takes_connections(path):
    with socket.socket(socket.AF_UNIX) as probe:
        return probe.connect_ex(path) == 0


def wait_for(server, path, patience=30):
    give_up = time.monotonic() + patience
    while not takes_connections(path):
        if server.poll() is not None:
            sys.exit(f"{server.args[0]} ended with {server.returncode} instead of listening")
        if time.monotonic() > give_up:
            sys.exit(f"{server.args[0]} does not listen on {path}")
        time.sleep(0.01)


def main():
    variable, *rest = sys.argv[1:]
    split = rest.index("--")
    # A Meson that loses patience, or a person, must not leave the server behind.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(1))
    with tempfile.TemporaryDirectory() as folder:
        path = os.path.join(folder, "socket")
        arguments = [path if argument == "@SOCKET@" else argument for argument in rest[:split]]
        server = subprocess.Popen(arguments, stdout=subprocess.DEVNULL)
        try:
            wait_for(server, path)
            return subprocess.call(rest[split + 1 :], env={**os.environ, variable: path})
        finally:
            server.terminate()
            server.wait()


if __name__ == "__main__":
    sys.exit(main())
