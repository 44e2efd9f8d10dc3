#!/usr/bin/env python3
"""Runs a command beside a server, which is stopped at the end.

usage: with_server.py VARIABLE SERVER [ARGUMENT...] -- COMMAND [ARGUMENT...]

In the server's arguments @SOCKET@ stands for a Unix socket it shall listen on, or @PORT@ for a port
of 127.0.0.1, which is free in TCP and UDP.  The command finds the path, or the port, in the
environment variable VARIABLE, and starts when the server takes connections.
"""

import os
import signal
import socket
import subprocess
import sys
import tempfile
import time


def takes_connections(address):
    family = socket.AF_UNIX if isinstance(address, str) else socket.AF_INET
    with socket.socket(family) as probe:
        return probe.connect_ex(address) == 0


def free_port():
    """One that is free for both kinds of sockets, though not held for us."""
    while True:
        with socket.socket() as tcp, socket.socket(type=socket.SOCK_DGRAM) as udp:
            tcp.bind(("127.0.0.1", 0))
            port = tcp.getsockname()[1]
            try:
                udp.bind(("127.0.0.1", port))
            except OSError:
                continue
            return port


def wait_for(server, address, patience=30):
    give_up = time.monotonic() + patience
    while not takes_connections(address):
        if server.poll() is not None:
            sys.exit(f"{server.args[0]} ended with {server.returncode} instead of listening")
        if time.monotonic() > give_up:
            sys.exit(f"{server.args[0]} does not listen on {address}")
        time.sleep(0.01)


def main():
    variable, *rest = sys.argv[1:]
    split = rest.index("--")
    # A Meson that loses patience, or a person, must not leave the server behind.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(1))
    with tempfile.TemporaryDirectory() as folder:
        path = os.path.join(folder, "socket")
        port = free_port()
        by_port = any("@PORT@" in argument for argument in rest[:split])
        arguments = [
            argument.replace("@SOCKET@", path).replace("@PORT@", str(port))
            for argument in rest[:split]
        ]
        server = subprocess.Popen(arguments, stdout=subprocess.DEVNULL)
        try:
            wait_for(server, ("127.0.0.1", port) if by_port else path)
            found = {variable: str(port) if by_port else path}
            return subprocess.call(rest[split + 1 :], env={**os.environ, **found})
        finally:
            server.terminate()
            server.wait()


if __name__ == "__main__":
    sys.exit(main())
