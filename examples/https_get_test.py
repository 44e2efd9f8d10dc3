#!/usr/bin/env python3
"""Fetches a page from a server of Python's, and fails to from one with another name.

usage: https_get_test.py HTTPS_GET OPENSSL
"""

import http.server
import os
import ssl
import subprocess
import sys
import tempfile
import threading

PAGE = b"<h1>Hello over TLS</h1>\n"


class Pages(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        self.send_response(200 if self.path == "/hello" else 404)
        self.end_headers()
        self.wfile.write(PAGE)

    def log_message(self, *_):
        pass


class Server(http.server.ThreadingHTTPServer):
    def shutdown_request(self, request):
        try:
            request.unwrap()  # announces the end
        except OSError:
            pass
        super().shutdown_request(request)


def make_certificate(openssl, folder):
    certificate, key = (os.path.join(folder, name) for name in ("certificate.pem", "key.pem"))
    subprocess.run(
        [openssl, "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256"]
        + ["-nodes", "-days", "1", "-subj", "/CN=test", "-addext"]
        + ["subjectAltName=DNS:example.org", "-out", certificate, "-keyout", key],
        check=True,
        stderr=subprocess.DEVNULL,
    )
    return certificate, key


def fetch(program, host, port, roots):
    return subprocess.run(
        [program, host, "127.0.0.1", str(port), "/hello", roots],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        timeout=50,
        check=False,
    )


def main():
    program, openssl = sys.argv[1:]
    with tempfile.TemporaryDirectory() as folder:
        certificate, key = make_certificate(openssl, folder)
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(certificate, key)
        server = Server(("127.0.0.1", 0), Pages)
        server.socket = context.wrap_socket(server.socket, server_side=True)
        threading.Thread(target=server.serve_forever, daemon=True).start()
        got = fetch(program, "example.org", server.server_port, certificate)
        head, _, page = got.stdout.partition(b"\r\n\r\n")
        if got.returncode != 0 or not head.startswith(b"HTTP/1.0 200") or page != PAGE:
            sys.exit(f"not the page: {got}")
        got = fetch(program, "example.com", server.server_port, certificate)
        if got.returncode != 1 or got.stdout or b"ostname mismatch" not in got.stderr:
            sys.exit(f"not refused: {got}")
        server.shutdown()


if __name__ == "__main__":
    main()
