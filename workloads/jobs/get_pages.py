"""Asks the server at web.sock for its 200 pages over and over, on several connections at a time,
then ends it."""

import os
import signal
import socket
from pathlib import Path

CONNECTIONS, ROUNDS, PAGES = 40, 600, 200


def ask(link, number):
    kind = "gzip" if number % 2 else "identity"
    link.sendall(
        f"GET /{number % PAGES}.html HTTP/1.1\r\nHost: x\r\nAccept-Encoding: {kind}\r\n"
        f"Cookie: user={number}\r\nUser-Agent: {'a' * (number % 300)}\r\n\r\n".encode()
    )


def take(link):
    """Reads one answer, whole or in chunks."""
    text = b""
    while b"\r\n\r\n" not in text:
        text += link.recv(1 << 16)
    head, _, body = text.partition(b"\r\n\r\n")
    lengths = [line for line in head.split(b"\r\n") if line.lower().startswith(b"content-length")]
    if lengths:
        while len(body) < int(lengths[0].split(b":")[1]):
            body += link.recv(1 << 16)
    else:
        while not body.endswith(b"0\r\n\r\n"):
            body += link.recv(1 << 16)


number = 0
for _ in range(ROUNDS):
    links = [socket.socket(socket.AF_UNIX) for _ in range(CONNECTIONS)]
    for link in links:
        link.connect("web.sock")
    for link in links:
        ask(link, number)
        number += 1
    for link in links:
        take(link)
        link.close()
os.kill(int(Path("nginx.pid").read_text()), signal.SIGQUIT)
