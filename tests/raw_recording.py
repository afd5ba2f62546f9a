"""Reads and makes raw recordings (workloads/raw.h) without any of our C code, for the tests of the
recorder and the compiler."""

import struct
from collections import namedtuple

KINDS = (
    "malloc calloc realloc free aligned_alloc memalign posix_memalign valloc pvalloc"
    " thread_start thread_end"
).split()
MORE_WORDS = {
    "calloc": 1,
    "realloc": 2,
    "aligned_alloc": 1,
    "memalign": 1,
    "posix_memalign": 1,
    "thread_start": 1,
}
UNIT = 64 << 10
MAGIC = 0x31574152424E5053
WINDOW_MAGIC = 0x574F444E49574152
ADDRESS_BITS = 48
LONG = 1 << 5
SITED = 1 << 6

Header = namedtuple(
    "Header",
    "magic version pid image parent start_stamp start_ns last_stamp last_ns end threads"
    " lost_ops lost_errno text",
)
Record = namedtuple("Record", "thread kind address size more stamp")


def read_header(data):
    """The header, its text as a dictionary."""
    fields = struct.unpack_from("<Q4I7Q2I", data)
    start = struct.calcsize("<Q4I7Q2I")
    text = data[start : start + fields[-1]].decode()
    return Header(*fields[:-1], dict(line.split("=", 1) for line in text.splitlines()))


def read_file(path):
    """The bytes as far as windows go; behind them the file is one large hole."""
    with open(path, "rb") as file:
        header = read_header(file.read(UNIT).replace(b"\xff", b"?"))
        file.seek(0)
        return file.read(header.end)


def read_window(data, offset, thread):
    """The records of one window; it changes hands at each thread_start."""
    end = offset + struct.unpack_from("<Q", data, offset + 8)[0]
    at = offset + 32
    while at < end and (word0 := struct.unpack_from("<Q", data, at)[0]) != 0:
        kind = KINDS[(word0 & 31) - 1]
        count = 2 + MORE_WORDS.get(kind, 0) + bool(word0 & LONG)
        words = struct.unpack_from(f"<{count}Q", data, at)
        at += 8 * count
        if word0 & SITED:
            (site,) = struct.unpack_from("<Q", data, at)
            at += 8 * (1 + (site >> ADDRESS_BITS))
        address, size = words[1] & ((1 << ADDRESS_BITS) - 1), words[1] >> ADDRESS_BITS
        if kind == "thread_start":
            thread = address
            continue
        size = words[-1] if word0 & LONG else size
        more = words[2 : 2 + MORE_WORDS.get(kind, 0)]
        yield Record(thread, kind, address, size, more, word0 >> 8)


def read_records(path):
    """All records of a file, window by window: in order for each thread."""
    data = read_file(path)
    records = []
    for offset in range(UNIT, len(data), UNIT):
        magic, bytes_, thread = struct.unpack_from("<QQI", data, offset)
        if magic == 0:
            continue
        assert magic == WINDOW_MAGIC and bytes_ <= UNIT
        records += read_window(data, offset, thread)
    return records


def make_record(kind, stamp, address=0, size=0, more=()):
    """The bytes of one record with a size below 65535."""
    word0 = KINDS.index(kind) + 1 | stamp << 8
    words = [word0, address | size << ADDRESS_BITS, *more]
    return struct.pack(f"<{len(words)}Q", *words)


def make_file(streams, text="program=made-up\n", lost=(0, 0)):
    """The bytes of a recording: streams[i] is the list of records of thread i."""
    end = UNIT * (1 + len(streams))
    fields = (MAGIC, 2, 100, 0, 0, 0, 0, 10**9, 10**9, end, len(streams), *lost, len(text))
    data = (struct.pack("<Q4I7Q2I", *fields) + text.encode()).ljust(UNIT, b"\0")
    for thread, records in enumerate(streams):
        window = struct.pack("<QQIIII", WINDOW_MAGIC, UNIT, thread, 0, 0, 0) + b"".join(records)
        data += window.ljust(UNIT, b"\0")
    return data
