#!/usr/bin/env python3
"""Has the server greet a client of Python's, and ends it.

usage: https_server_test.py HTTPS_SERVER OPENSSL
"""

import http.client
import signal
import socket
import ssl
import subprocess
import sys
import tempfile

from https_get_test import make_certificate


def main():
    program, openssl = sys.argv[1:]
    with tempfile.TemporaryDirectory() as folder:
        certificate, key = make_certificate(openssl, folder)
        server = subprocess.Popen([program, certificate, key], stdout=subprocess.PIPE, text=True)
        try:
            port = int(server.stdout.readline().rpartition(":")[2])
            context = ssl.create_default_context(cafile=certificate)
            context.set_alpn_protocols(["http/1.1"])
            plain = socket.create_connection(("127.0.0.1", port), timeout=30)
            with context.wrap_socket(plain, server_hostname="example.org") as client:
                client.sendall(b"GET / HTTP/1.1\r\nHost: example.org\r\n\r\n")
                answer = http.client.HTTPResponse(client)
                answer.begin()
                page = answer.read()
            if answer.status != 200 or page != b"Hello over TLS, 127.0.0.1!\n":
                sys.exit(f"status {answer.status}, page {page}")
            # One that waits for nothing does not hold it up.
            with socket.create_connection(("127.0.0.1", port), timeout=30):
                server.send_signal(signal.SIGTERM)
                if server.wait(30) != 0:
                    sys.exit(f"the server ended with {server.returncode}")
        finally:
            server.kill()
            server.wait()


if __name__ == "__main__":
    main()
