"""Asks the name server at port 47653 for the names of zone.conf, and for many that are not there,
over UDP and TCP, then ends it."""

import os
import re
import signal
import socket
import struct
from pathlib import Path

ADDRESS = ("127.0.0.1", 47653)
ROUNDS = 60000


def question(number, name, kind):
    labels = b"".join(bytes([len(p)]) + p for p in name.encode().split(b"."))
    head = struct.pack(">6H", number & 0xFFFF, 0x100, 1, 0, 0, 0)
    return head + labels + struct.pack(">BHH", 0, kind, 1)


names = re.findall(r'"(\S+?)\. IN', Path("zone.conf").read_text())
links = [socket.socket(socket.AF_INET, socket.SOCK_DGRAM) for _ in range(16)]
for link in links:
    link.settimeout(2)
    link.connect(ADDRESS)
for number in range(ROUNDS):
    name = names[number * 7919 % len(names)]
    link = links[number % len(links)]
    asked = f"no{number}.{name}" if number % 5 == 0 else name
    link.send(question(number, asked, 1 + number % 3 * 14))
    link.recv(4096)
    if number % 10 == 0:
        with socket.create_connection(ADDRESS) as stream:
            words = question(number, name, 1)
            stream.sendall(struct.pack(">H", len(words)) + words)
            stream.recv(4096)
os.kill(int(Path("unbound.pid").read_text()), signal.SIGTERM)
