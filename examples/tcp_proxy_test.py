#!/usr/bin/env python3
"""Talks through the proxy to a server that answers when it has read everything.

usage: tcp_proxy_test.py TCP_PROXY
"""

import signal
import socket
import subprocess
import sys
import threading


def answer(listener):
    connection, _ = listener.accept()
    with connection, connection.makefile("rwb") as stream:
        question = stream.read()  # up to the end, which the proxy passes on
        stream.write(question[::-1])


def main():
    target = socket.create_server(("127.0.0.1", 0))
    threading.Thread(target=answer, args=(target,), daemon=True).start()
    to = f"127.0.0.1:{target.getsockname()[1]}"
    proxy = subprocess.Popen([sys.argv[1], "--to", to], stdout=subprocess.PIPE, text=True)
    try:
        port = int(proxy.stdout.readline().rpartition(":")[2])
        with socket.create_connection(("127.0.0.1", port), timeout=30) as client:
            question = b"0123456789" * 100_000
            client.sendall(question)
            client.shutdown(socket.SHUT_WR)
            with client.makefile("rb") as stream:
                if stream.read() != question[::-1]:
                    sys.exit("the answer is not the target's")
        proxy.send_signal(signal.SIGTERM)
        if proxy.wait(30) != 0:
            sys.exit(f"the proxy ended with {proxy.returncode}")
    finally:
        proxy.kill()
        proxy.wait()


if __name__ == "__main__":
    main()
