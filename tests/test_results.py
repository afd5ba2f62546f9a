"""Result files: written whole, read back, refused when they are not what they should be."""

import json
import os
import shutil
import subprocess
from pathlib import Path

import pytest

from frontend.failure import Failure, io_failure
from frontend.figures import documents, results, together

COMPARE = Path("/usr/share/benchmark/compare.py")


def made_up():
    """Two traces, two allocators, two repetitions; one run failed."""
    entries = []
    for trace in ("a", "b"):
        for allocator, ms in (("glibc", 10.0), ("span", 20.0)):
            for i in range(2):
                name = f"replay/{trace}/{allocator}"
                figures = {"ops": 5, "ns_per_op": 2.0, "checksum": "00ff"}
                entries.append(results.sample(name, (i, 2), (ms + i, ms), figures))
    entries[-1] = results.failed("replay/b/span", (1, 2), "killed by signal 11 (SIGSEGV)")
    return results.Results({"date": "now", "warmups": []}, entries)


def test_what_is_written_is_read(tmp_path):
    results.write(tmp_path / "r.json", made_up())
    read = results.read(tmp_path / "r.json")
    assert [row.name for row in read.rows] == [
        "replay/a/glibc",
        "replay/a/span",
        "replay/b/glibc",
        "replay/b/span",
    ]
    row = read.row("replay", "b", "span")
    assert row.values("real_time") == [20.0]
    assert row.error == "killed by signal 11 (SIGSEGV)"
    assert read.row("replay", "a", "glibc").by_round("real_time") == {0: 10.0, 1: 11.0}
    assert (read.subjects("replay"), read.allocators()) == (["a", "b"], ["glibc", "span"])


def test_failed_entries_have_every_key_with_zeros(tmp_path):
    results.write(tmp_path / "r.json", made_up())
    entry = json.loads((tmp_path / "r.json").read_text())["benchmarks"][-1]
    assert entry["error_occurred"] is True and entry["error_message"]
    assert (entry["real_time"], entry["cpu_time"], entry["iterations"]) == (0, 0, 0)
    for key in ("repetitions", "repetition_index", "threads", "time_unit", "run_type", "run_name"):
        assert key in entry


def test_families_are_traces_and_instances_allocators(tmp_path):
    made = made_up()
    results.write(tmp_path / "r.json", made)
    numbers = [(e["family_index"], e["per_family_instance_index"]) for e in made.benchmarks]
    assert numbers == [(0, 0), (0, 0), (0, 1), (0, 1), (1, 0), (1, 0), (1, 1), (1, 1)]


def test_nothing_is_left_beside_the_file(tmp_path):
    results.check_writable(tmp_path / "r.json")
    assert os.listdir(tmp_path) == []
    results.write(tmp_path / "r.json", made_up())
    assert os.listdir(tmp_path) == ["r.json"]


def test_a_failed_write_keeps_the_old_file(tmp_path):
    results.write(tmp_path / "r.json", made_up())
    before = (tmp_path / "r.json").read_text()
    broken = made_up()
    broken.benchmarks[0]["real_time"] = float("nan")
    with pytest.raises(ValueError):
        results.write(tmp_path / "r.json", broken)
    assert (tmp_path / "r.json").read_text() == before


def test_a_write_that_breaks_off_leaves_nothing(tmp_path, monkeypatch):
    def refuse(*_):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("os.replace", refuse)
    with pytest.raises(Failure, match="r.json: No space left") as failure:
        results.write(tmp_path / "r.json", made_up())
    assert failure.value.status == 1
    assert os.listdir(tmp_path) == []


def test_a_full_disk_is_told():
    with pytest.raises(Failure, match="/dev/full: No space left"):
        results.write(Path("/dev/full"), made_up())


@pytest.mark.parametrize(
    "text, complaint",
    [
        ("", "no JSON"),
        ("[]", "an object is expected"),
        ("{}", "context is missing"),
        ('{"context": {}}', "benchmarks is missing"),
        ('{"context": {}, "benchmarks": [3]}', r"benchmarks\[0\]: an object"),
        ('{"context": {}, "benchmarks": [{"name": "x"}]}', r"benchmarks\[0\]: iterations"),
    ],
)
def test_what_is_no_result_file_is_refused(tmp_path, text, complaint):
    path = tmp_path / "r.json"
    path.write_text(text)
    with pytest.raises(Failure, match=complaint) as failure:
        results.read(path)
    assert failure.value.status == 2 and str(path) in str(failure.value)


def test_a_picture_is_no_result_file(tmp_path):
    path = tmp_path / "chart.png"
    path.write_bytes(b"\x89PNG\r\n\x1a\n")
    with pytest.raises(Failure) as failure:
        results.read(path)
    assert str(failure.value) == f"{path}: no result file: it is no text"


@pytest.mark.parametrize(
    "text, told",
    [
        (b"", "no JSON: it is empty"),
        (b" \n", "no JSON: it is empty"),
        (b"hello\nworld\n", "no JSON: it does not begin with {"),
        (b'{"context": {},\n "benchmarks": [,]}', "no JSON: line 2, column 17: Expecting value"),
        (b'{"context": {"load": NaN}}', "no JSON: NaN is no number"),
        (b'{"context": ' + b"9" * 5000 + b"}", "no JSON: a number has too many digits"),
        (b"\x89SPTRACE\x01", "no result file: it is a trace (`spanbench replay` measures with it)"),
        ("{}".encode("utf-16"), "no result file: it is no text"),
        (b"[" * 100000, "no result file: it is nested too deep"),
    ],
)
def test_what_a_file_is_instead_is_told(tmp_path, text, told):
    path = tmp_path / "r.json"
    path.write_bytes(text)
    with pytest.raises(Failure) as failure:
        results.read(path)
    assert str(failure.value) == f"{path}: {told}"


def test_a_mark_of_byte_order_is_no_fault(tmp_path):
    results.write(tmp_path / "r.json", made_up())
    (tmp_path / "r.json").write_bytes(b"\xef\xbb\xbf" + (tmp_path / "r.json").read_bytes())
    assert len(results.read(tmp_path / "r.json").benchmarks) == len(made_up().benchmarks)


def test_what_has_no_end_is_refused(monkeypatch):
    monkeypatch.setattr(documents, "MOST_BYTES", 1 << 20)
    with pytest.raises(Failure, match="^/dev/zero: no result file: it is larger than 1 GiB$"):
        results.read("/dev/zero")


def test_a_time_that_is_none_is_refused(tmp_path):
    made = made_up()
    made.benchmarks[2]["cpu_time"] = "fast"
    (tmp_path / "r.json").write_text(json.dumps({"context": {}, "benchmarks": made.benchmarks}))
    with pytest.raises(Failure, match=r"benchmarks\[2\]: cpu_time is no time"):
        results.read(tmp_path / "r.json")


def test_missing_file_and_folder_are_told(tmp_path):
    with pytest.raises(Failure, match="No such file"):
        results.read(tmp_path / "none.json")
    with pytest.raises(Failure, match="Is a directory"):
        results.check_writable(tmp_path)
    with pytest.raises(Failure, match="No such file"):
        results.check_writable(tmp_path / "none" / "r.json")


def test_curves_lie_where_the_context_says(tmp_path):
    made = made_up()
    made.context["curves"] = "curves"
    (tmp_path / "curves").mkdir()
    (tmp_path / "curves" / "a.span.csv").write_text("op,rss\n0,1\n5,2.5\n")
    results.write(tmp_path / "r.json", made)
    read = results.read(tmp_path / "r.json")
    assert read.curve("a", "span") == {"op": [0.0, 5.0], "rss": [1.0, 2.5]}
    assert read.curve("a", "glibc") is None


def test_google_benchmarks_own_tool_reads_our_files(tmp_path):
    if not COMPARE.exists():
        pytest.skip(f"{COMPARE}: not installed (package libbenchmark-tools)")
    made = made_up()
    results.write(tmp_path / "a.json", made)
    for entry in made.benchmarks:
        entry["real_time"] *= 2
    results.write(tmp_path / "b.json", made)
    files = [str(tmp_path / "a.json"), str(tmp_path / "b.json")]
    command = ["/usr/bin/python3", str(COMPARE), "--no-color", "benchmarks", *files]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    line = next(line for line in done.stdout.splitlines() if line.startswith("replay/a/span"))
    assert "+1.0000" in line and "+0.0000" in line


def test_a_full_disk_is_found_before_any_work(tmp_path):
    mount = ["mount", "-t", "tmpfs", "-o", "size=64k", "none", str(tmp_path)]
    if os.geteuid() != 0 or subprocess.run(mount, stderr=subprocess.DEVNULL).returncode != 0:
        pytest.skip("may not mount a file system")
    try:
        (tmp_path / "x.json").write_text("{}")
        for name in ("x.json", "y.json"):
            with pytest.raises(Failure, match="No space left on device"):
                results.check_writable(tmp_path / name)
        assert os.listdir(tmp_path) == ["x.json"]
    finally:
        subprocess.run(["umount", str(tmp_path)], check=True)


def test_what_cannot_be_kept_is_told_after_it_was_shown(tmp_path):
    measured = results.Results({}, [])
    results.keep("/dev/full", measured)
    with pytest.raises(Failure, match="/dev/full: No space left on device") as failure:
        results.check_kept(measured)
    assert failure.value.status == 1


def test_curves_that_cannot_be_moved_are_one_line(tmp_path, monkeypatch):
    def fail(*_):
        raise shutil.Error([("a", "b", "[Errno 28] No space left on device: 'b'"), ("c", "d", "e")])

    monkeypatch.setattr(together.shutil, "move", fail)
    with pytest.raises(Failure) as failure, together.folder_at(tmp_path / "to", tmp_path / "from"):
        pass
    assert str(failure.value) == f"{tmp_path}/to: No space left on device"
    assert not os.listdir(tmp_path)


def test_old_curves_stay_where_the_results_cannot_be_written(tmp_path):
    for name in ("old", "new"):
        (tmp_path / name).mkdir()
        (tmp_path / name / f"{name}.csv").write_text("op,rss,live\n")
    with pytest.raises(Failure), together.folder_at(tmp_path / "old", tmp_path / "new"):
        results.write("/dev/full", results.Results({}, []))
    assert [path.name for path in tmp_path.rglob("*.csv")] == ["old.csv"]


def test_files_are_written_together_or_not_at_all(tmp_path):
    (tmp_path / "a").write_text("before")
    with pytest.raises(Failure) as failure, together.files_in(tmp_path) as place:
        (place / "a").write_text("after")
        raise io_failure(OSError(28, "No space left on device"), place / "b", 1)
    assert str(failure.value) == f"{tmp_path}/b: No space left on device"
    with pytest.raises(Failure), together.files_in(tmp_path / "c" / "d") as place:
        raise OSError(28, "No space left on device")
    assert os.listdir(tmp_path) == ["a"] and (tmp_path / "a").read_text() == "before"
    with together.files_in(tmp_path) as place:
        (place / "a").write_text("after")
        (place / "c").mkdir()
        (place / "c" / "b").write_text("")
    assert (tmp_path / "a").read_text() == "after" and (tmp_path / "c" / "b").is_file()
    assert sorted(os.listdir(tmp_path)) == ["a", "c"]


@pytest.mark.parametrize("name", ["", "gate.json"])
def test_a_new_folder_goes_again_if_it_stays_empty(tmp_path, name):
    folder = tmp_path / "new" / "folder"
    with pytest.raises(Failure), together.no_empty_folder(folder):
        results.make_folder(folder)
        if name:
            (folder / name).write_text("{}")
        raise Failure("a full disk")
    assert folder.exists() == (tmp_path / "new").exists() == bool(name)
    assert tmp_path.exists()
