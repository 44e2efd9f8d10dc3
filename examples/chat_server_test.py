#!/usr/bin/env python3
"""Talks over the chat server, and has it end while somebody is connected.

usage: chat_server_test.py CHAT_SERVER
"""

import signal
import socket
import subprocess
import sys


def enter(port, name):
    guest = socket.create_connection(("127.0.0.1", port), timeout=30).makefile("rw", newline="\n")
    expect(guest, "Your name?")
    print(name, file=guest, flush=True)
    return guest


def expect(guest, line):
    got = guest.readline()
    if got != line + "\n":
        sys.exit(f"expected {line!r}, got {got!r}")


def main():
    server = subprocess.Popen([sys.argv[1]], stdout=subprocess.PIPE, text=True)
    try:
        port = int(server.stdout.readline().rpartition(":")[2])
        ann = enter(port, "Ann")
        bob = enter(port, "Bob")
        expect(ann, "Bob comes in")
        print("Hello!", file=bob, flush=True)
        expect(ann, "Bob: Hello!")
        cat = enter(port, "Cat")
        for guest in (ann, bob):
            expect(guest, "Cat comes in")
        cat.close()
        for guest in (ann, bob):
            expect(guest, "Cat leaves")
        server.send_signal(signal.SIGTERM)
        # Both are idle, so both are let go, one after the other.
        farewells = [guest.read() for guest in (ann, bob)]
        if sorted(farewell.endswith("Goodbye.\n") for farewell in farewells) != [True, True]:
            sys.exit(f"no goodbye: {farewells}")
        ann.close()
        bob.close()
        rest = server.stdout.read()
        if server.wait(30) != 0 or rest != "everybody has left\n":
            sys.exit(f"the server ended with {server.returncode}, and said {rest!r}")
    finally:
        server.kill()
        server.wait()


if __name__ == "__main__":
    main()
