"""trace info: one JSON object of counts, and clear words about files that are no traces."""

import json
import subprocess

import pytest

from places import BUILD

KEYS = set(
    "ops by_kind failed null_frees handoffs threads slots peak_live final_live final_slots"
    " duration_ns bytes_requested file_bytes bytes_per_op blocks version realloc_share"
    " aligned_share origin losses sizes top_sizes lifetimes thread_ops failed_by_kind"
    " frees_by_owner frees_by_other_pairs reallocs resizes_of_a_block lifetimes_ops lifetimes_bytes"
    " columns allocations freed_blocks mean_lifetime mean_lifetime_ops mean_lifetime_bytes peak"
    " live_curve".split()
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


def test_at_most_64_threads_and_20_sizes_are_listed(tmp_path):
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
    assert len(info["top_sizes"]) == 20


def info_of_calls(folder, text, *options):
    """What is said of the calls of this text."""
    command = [BUILD / "trace", "import", "-", "-o", folder / "c.trace"]
    subprocess.run(command, input=text.encode(), check=True, capture_output=True)
    return json.loads(run_info(*options, folder / "c.trace").stdout)


def test_all_sizes(tmp_path):
    text = "".join(f"1: malloc {hex(16 * i)} {i}\n" for i in range(1, 41))
    text += "1: malloc 0x10000 5000000\n1: realloc 0x20000 0x10000 5000000\n"
    info = info_of_calls(tmp_path, text, "--all-sizes")
    assert len(info["all_sizes"]) == 41 and info["other_sizes"] == 0
    assert info["all_sizes"][0] == info["top_sizes"][0] == {"size": 5000000, "count": 2}
    assert {item["size"] for item in info["all_sizes"][1:]} == set(range(1, 41))


def test_lifetimes_in_operations_and_bytes(tmp_path):
    """The first block lives for three operations (a free(NULL) is one) and 20 + 7 bytes."""
    info = info_of_calls(
        tmp_path,
        "1: malloc 0x10 10\n1: malloc 0x20 20\n1: free 0x0\n1: realloc 0x20 0x20 7\n1: free 0x10\n",
    )
    assert info["allocations"] == 2 and info["freed_blocks"] == 1
    assert (info["mean_lifetime"], info["mean_lifetime_ops"]) == (1, 4)
    assert info["mean_lifetime_bytes"] == 27
    assert info["lifetimes_ops"] == [{"from": 4, "to": 7, "count": 1}]
    assert info["lifetimes_bytes"] == [{"from": 16, "to": 31, "count": 1}]


def test_reallocs(tmp_path):
    info = info_of_calls(
        tmp_path,
        "1: malloc 0x10 10\n1: realloc 0x10 0x10 30\n1: realloc 0x10 0x10 30\n"
        "1: realloc 0x10 0x10 4\n1: realloc 0x0 0x10 99\n1: realloc 0x10 0x10 5\n"
        "1: realloc 0x0 0x10 0\n1: realloc 0x20 0x0 8\n",
    )
    assert info["reallocs"] == {
        **{"grow": 2, "shrink": 1, "same": 1, "to_zero": 1, "of_null": 1, "failed": 1},
        "bytes_grown": 21,
    }
    assert info["failed_by_kind"] == {"realloc": 1}
    assert info["resizes_of_a_block"] == [
        {"from": 0, "to": 0, "count": 1},
        {"from": 4, "to": 7, "count": 1},
    ]


def test_who_frees_whose(trace):
    """Thread 1 frees half of what thread 0 made; thread 0 resizes one of them."""
    info = info_of(trace)
    assert info["frees_by_owner"] == [
        {"owner": 0, "by": 1, "count": 50},
        {"owner": 0, "by": 0, "count": 1},
    ]
    assert info["frees_by_other_pairs"] == 0


def test_a_resize_hands_a_block_over(tmp_path):
    text = (
        "1: malloc 0x10 1\n2: realloc 0x10 0x10 2\n2: free 0x10\n1: malloc 0x10 1\n1: free 0x10\n"
    )
    pairs = info_of_calls(tmp_path, text)["frees_by_owner"]
    found = {(pair["owner"], pair["by"]): pair["count"] for pair in pairs}
    assert found == {(0, 1): 1, (1, 1): 1, (0, 0): 1}


def test_the_live_curve_and_its_peak(tmp_path):
    lines = [f"1: malloc {hex(16 * i)} 10" for i in range(1, 2001)]
    lines += [f"1: free {hex(16 * i)}" for i in range(1, 2001)]
    info = info_of_calls(tmp_path, "\n".join(lines))
    curve = info["live_curve"]
    assert 400 <= len(curve) <= 500 and curve[-1]["ops"] == info["ops"] == 4001
    assert max(point["peak"] for point in curve) == info["peak_live"] == 20000
    assert info["peak"] == {"op": 2000, "time_ns": 0, "blocks": 2000}
    assert curve[-1]["live"] == curve[-1]["blocks"] == 0
    assert all(point["live"] == 10 * point["blocks"] <= point["peak"] for point in curve)


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
    assert b"usage: trace info [--all-sizes] FILE" in done.stderr
