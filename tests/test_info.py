"""trace info: one JSON object of counts, and clear words about files that are no traces."""

import json
import subprocess

import pytest

from places import BUILD

KEYS = set(
    "ops by_kind failed null_frees handoffs threads slots peak_live final_live final_slots"
    " duration_ns bytes_requested file_bytes bytes_per_op blocks version realloc_share"
    " aligned_share origin losses sizes top_sizes lifetimes thread_ops".split()
)

# Thread 1 makes 100 blocks, 90 of 16 and 10 of 1000 bytes; thread 2 frees the first 50 at once.
TEXT = (
    "".join(f"1: malloc {hex(16 * i)} {1000 if i % 10 == 0 else 16}\n" for i in range(1, 101))
    + "".join(f"2: free {hex(16 * i)}\n" for i in range(1, 51))
    + "1: realloc 0xffff0 0x640 70000\n1: memalign 0xfffff0 64 0\n3: thread_done 0x0\n"
)


def run_info(*arguments):
    """Runs build/.../trace info."""
    return subprocess.run([BUILD / "trace", "info", *arguments], capture_output=True, check=False)


@pytest.fixture(name="trace")
def trace_fixture(tmp_path):
    """TEXT as a trace."""
    path = tmp_path / "x.trace"
    command = [BUILD / "trace", "import", "-", "-o", path]
    subprocess.run(command, input=TEXT.encode(), check=True, capture_output=True)
    return path


def info_of(trace):
    """The JSON object."""
    done = run_info(trace)
    assert done.returncode == 0, done.stderr
    assert done.stderr == b""
    return json.loads(done.stdout)


def test_keys(trace):
    assert set(info_of(trace)) == KEYS


def test_totals(trace):
    info = info_of(trace)
    assert info["ops"] == 156 and isinstance(info["ops"], int)
    assert sum(info["by_kind"].values()) == info["ops"]
    assert info["by_kind"]["malloc"] == 100
    assert info["by_kind"]["free"] == 50
    assert info["threads"] == 3
    assert info["handoffs"] == 50
    assert info["slots"] == 100
    assert info["final_slots"] == 51
    assert info["peak_live"] == info["final_live"]
    assert info["final_live"] == 45 * 16 + 4 * 1000 + 70000
    assert info["bytes_requested"] == 90 * 16 + 10 * 1000 + 70000
    assert info["version"] == 1 and info["blocks"] == 1


def test_file_figures(trace):
    info = info_of(trace)
    assert info["file_bytes"] == trace.stat().st_size
    assert info["bytes_per_op"] == pytest.approx(info["file_bytes"] / 156, rel=1e-4)


def test_shares_are_of_calls(trace):
    info = info_of(trace)
    assert info["realloc_share"] == pytest.approx(1 / 152, rel=1e-4)
    assert info["aligned_share"] == pytest.approx(1 / 152, rel=1e-4)


def test_sizes(trace):
    info = info_of(trace)
    assert info["sizes"] == [
        {"from": 0, "to": 0, "count": 1},
        {"from": 16, "to": 31, "count": 90},
        {"from": 512, "to": 1023, "count": 10},
        {"from": 65536, "to": 131071, "count": 1},
    ]
    assert info["top_sizes"][:2] == [{"size": 16, "count": 90}, {"size": 1000, "count": 10}]
    assert {item["size"] for item in info["top_sizes"]} == {16, 1000, 0, 70000}


def test_lifetimes(trace):
    """Block i of 100 was freed when 100 - i others had been made after it."""
    lifetimes = {(item["from"], item["to"]): item["count"] for item in info_of(trace)["lifetimes"]}
    assert lifetimes == {(32, 63): 14, (64, 127): 36}


def test_thread_ops(trace):
    assert info_of(trace)["thread_ops"] == [
        {"thread": 0, "count": 103},
        {"thread": 1, "count": 51},
        {"thread": 2, "count": 2},
    ]


def test_at_most_64_threads_and_16_sizes_are_listed(tmp_path):
    path = tmp_path / "x.trace"
    text = "".join(f"{i}: malloc {hex(16 * i)} {i}\n" for i in range(1, 101))
    text += "100: free 0x640\n77: free 0x10\n77: free 0x20\n"
    command = [BUILD / "trace", "import", "-", "-o", path]
    subprocess.run(command, input=text.encode(), check=True, capture_output=True)
    info = info_of(path)
    assert len(info["thread_ops"]) == 64
    assert info["thread_ops"][:3] == [
        {"thread": 76, "count": 4},
        {"thread": 99, "count": 3},
        {"thread": 0, "count": 2},
    ]
    assert len(info["top_sizes"]) == 16


def test_missing_file(tmp_path):
    done = run_info(tmp_path / "none.trace")
    assert (done.returncode, done.stdout) == (2, b"")
    assert done.stderr.decode() == f"{tmp_path}/none.trace: No such file or directory\n"


def test_text_instead_of_a_trace():
    done = run_info(__file__)
    assert (done.returncode, done.stdout) == (2, b"")
    assert done.stderr.startswith(f"{__file__}: not a trace".encode())
    assert done.stderr.count(b"\n") == 1


def test_directory(tmp_path):
    done = run_info(tmp_path)
    assert done.returncode == 2
    assert done.stderr.decode() == f"{tmp_path}: Is a directory\n"


def test_damaged_block(trace):
    data = bytearray(trace.read_bytes())
    data[data.index(b"BLCK") + 60] ^= 1
    trace.write_bytes(data)
    done = run_info(trace)
    assert (done.returncode, done.stdout) == (2, b"")
    assert done.stderr.decode() == f"{trace}: block 0: damaged (checksum)\n"


def test_cut_trace(trace):
    trace.write_bytes(trace.read_bytes()[:-30])
    done = run_info(trace)
    assert (done.returncode, done.stdout) == (2, b"")
    assert done.stderr.startswith(f"{trace}: cut short".encode())


def test_output_that_cannot_be_written(trace):
    with open("/dev/full", "wb") as full:
        done = subprocess.run(
            [BUILD / "trace", "info", trace], stdout=full, stderr=subprocess.PIPE, check=False
        )
    assert done.returncode == 1
    assert done.stderr.decode() == "standard output: No space left on device\n"


@pytest.mark.parametrize("arguments", [[], ["a", "b"]])
def test_usage(arguments):
    done = run_info(*arguments)
    assert done.returncode == 2
    assert b"usage: trace info FILE" in done.stderr
