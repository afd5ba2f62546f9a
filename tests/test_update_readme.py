"""README.md's numbers: result files become the compact file of samples, documents and chart are
written from it and checked against it, the rest is left alone."""

import os
import shutil
import subprocess

import made_up_results
import pytest
from places import REPO, load_script

from frontend.figures import digest, results, samples

SCRIPT = REPO / "scripts" / "update_readme"
FEW = {"traces": ("git", "lua"), "allocators": ("span", "glibc", "jemalloc", "null"), "rounds": 7}
MARKERS = "<!-- numbers:begin -->\nold\n<!-- numbers:end -->"


@pytest.fixture
def readme(tmp_path):
    """A README with markers and results beside it."""
    made_up_results.write(tmp_path / "results" / "reference", **FEW)
    path = tmp_path / "README.md"
    path.write_text(f"# title\n\n{MARKERS}\n\ntail\n")
    tables_of(path).write_text(f"# tables\n\n{MARKERS}\n\ntail\n")
    return path


def tables_of(readme):
    """The document with the full tables."""
    return readme.parent / "method.md"


def samples_of(readme):
    """The compact file of samples."""
    return readme.parent / "results" / "readme.json"


def chart_of(readme):
    """The chart of the first screen."""
    return readme.parent / "results" / "frontier.svg"


def words_of(readme, options):
    """The script's arguments. It takes new samples from the result files unless it is told
    otherwise."""
    places = ["--readme", readme, "--tables", tables_of(readme), "--samples", samples_of(readme)]
    new = ["--from", readme.parent / "results" / "reference"]
    return [str(word) for word in (*places, *(options or new))]


@pytest.fixture
def write_numbers(monkeypatch, capsys):
    """A function that does what `update` does, but for the page, which takes most of the time."""
    script = load_script(SCRIPT)
    monkeypatch.setattr(script, "draw_page", lambda *_: None)

    def run(readme, *options):
        try:
            status = script.main(words_of(readme, options))
        except SystemExit as end:
            status = end.code
        return status, capsys.readouterr().err

    return run


def update(readme, *options):
    """Runs the script: (status, stderr)."""
    command = [SCRIPT, *words_of(readme, options)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    return done.returncode, done.stderr


def add_held_out(readme):
    """Puts results of traces that are held out beside the others."""
    apart = {"traces": ("jq", "cc1", "lua"), "allocators": ("span", "glibc"), "rounds": 9}
    path = made_up_results.write(readme.parent / "other", **apart)
    os.replace(path, readme.parent / "results" / "reference" / "held-out.json")


def test_numbers_are_written_and_the_rest_is_left(readme):
    """The page, which takes most of the time, is drawn here alone."""
    add_held_out(readme)
    assert update(readme) == (0, "")
    short, full = readme.read_text(), tables_of(readme).read_text()
    for text, title in ((short, "title"), (full, "tables")):
        assert text.startswith(f"# {title}\n\n<!-- numbers:begin -->\n")
        assert text.endswith("\n<!-- numbers:end -->\n\ntail\n") and "\nold\n" not in text
        for part in ("n = 7 ", "95.3 %", "Imaginary 9000", "commit 0123456789 (dirty)"):
            assert part in text
    for part in ("| git | ", "| lua | ", "| geometric mean |  | "):
        assert part in full and part not in short
    for part in (
        "|  | glibc | jemalloc",
        "| 2 traces: time per op | 1 | ",
        "\u2060–\u2060",
        "<br>worst ",
    ):
        assert part in short
    assert chart_of(readme).exists()
    page = (readme.parent / "results" / "reference" / "report.html").read_text()
    assert "<svg" in page and "results.json" in page and "held-out.json" in page
    assert "](results/frontier.svg)" in short and "null" not in short + full


def test_check_passes_what_was_written_and_fails_when_it_differs(readme, write_numbers):
    write_numbers(readme)
    written = readme.read_text()
    readme.write_text(f"# title\n\n{MARKERS}\n\ntail\n")
    assert write_numbers(readme, "--check")[0] == 1
    assert "\nold\n" in readme.read_text()
    readme.write_text(written)
    assert write_numbers(readme, "--check") == (0, "")
    for path, part in ((readme, "| 1 | "), (tables_of(readme), "| git | 1")):
        text = path.read_text()
        assert part in text
        path.write_text(text.replace(part, f"{part[:-1]}2"))
        status, err = write_numbers(readme, "--check")
        assert status == 1 and f"{path}: its numbers are not those of" in err
        path.write_text(text)


def test_check_sees_new_samples_and_a_chart_that_is_missing_or_another(readme, write_numbers):
    write_numbers(readme)
    chart, drawn = chart_of(readme), chart_of(readme).read_text()
    for text in (None, drawn.replace("<title>", "<title>9", 1)):
        chart.unlink(missing_ok=True)
        if text:
            chart.write_text(text)
        status, err = write_numbers(readme, "--check")
        assert status == 1 and f"{chart}: missing, or not drawn from" in err
    chart.write_text(drawn)
    assert write_numbers(readme, "--check") == (0, "")
    text = samples_of(readme).read_text()
    samples_of(readme).write_text(text.replace("2026-01-02", "2026-01-03"))
    assert write_numbers(readme, "--check")[0] == 1


def test_what_was_not_measured_anew_stays_as_it_was(readme, write_numbers):
    add_held_out(readme)
    write_numbers(readme)
    folder = readme.parent / "results" / "reference"
    (folder / "held-out.json").unlink()
    before = readme.read_text()
    status, err = write_numbers(readme)
    assert status == 0 and err == "update_readme: not measured anew: held-out\n"
    assert readme.read_text() == before and "held out" in before
    add_held_out(readme)
    (folder / "results.json").unlink()
    assert write_numbers(readme) == (0, "update_readme: not measured anew: results\n")
    assert readme.read_text() == before


def test_documents_follow_from_the_samples_alone(readme, write_numbers):
    """A row with failed rounds, one that failed, and programs are among them."""
    results_folder = readme.parent / "results" / "reference"
    made_up_results.write(results_folder, **FEW, failing={("git", "jemalloc")})
    measured = results.read(results_folder / "results.json")
    some = next(e for e in measured.benchmarks if e["name"] == "replay/lua/jemalloc")
    some.update(results.failed(some["name"], (0, 7), "timed out"))
    results.write(results_folder / "results.json", measured)
    path = made_up_results.write(readme.parent / "other", **FEW, kind="exec")
    os.replace(path, results_folder / "exec.json")
    assert write_numbers(readme) == (0, "")
    shutil.rmtree(results_folder)
    assert write_numbers(readme, "--check") == (0, "")
    assert "- jemalloc on lua: timed out" in tables_of(readme).read_text()


def test_samples_tell_what_the_result_files_told(tmp_path):
    path = made_up_results.write(tmp_path, **FEW, failing={("git", "jemalloc")})
    measured = results.read(path)
    (tmp_path / "samples.json").write_text(samples.to_text([measured]))
    (again,) = samples.read(tmp_path / "samples.json")
    assert again.path.stem == "results" and "null" not in again.allocators()
    before, after = (digest.digest(r, "replay") for r in (measured, again))
    assert (before.cells, before.overall, before.rounds) == (
        after.cells,
        after.overall,
        after.rounds,
    )


@pytest.mark.parametrize(
    "text, fault",
    [
        ("{", "no JSON"),
        ('{"sources": []}', "no file of samples"),
        ('{"sources": {"a": {"context": {}, "rows": {"replay/a/b": {}}}}}', "no file of samples"),
        ('{"sources": {"a": {"context": 1, "rows": {}}}}', "a: no result file"),
        ('{"sources": {}}', "no samples of replays or programs"),
        (None, "No such file"),
    ],
)
def test_damaged_samples_are_one_line(readme, text, fault, write_numbers):
    if text is not None:
        samples_of(readme).write_text(text)
    status, err = write_numbers(readme, "--check")
    assert (status, err.count("\n")) == (2, 1)
    assert f"update_readme: {samples_of(readme)}: " in err and fault in err


def test_check_takes_no_new_samples(readme, write_numbers):
    status, err = write_numbers(readme, "--check", "--from", readme.parent)
    assert status == 2 and "--check writes nothing" in err


def test_losing_rows_are_bold_and_failed_ones_are_kept(readme, write_numbers):
    reference = readme.parent / "results" / "reference"
    made_up_results.write(reference, **FEW, failing={("git", "jemalloc")})
    write_numbers(readme)
    lines = tables_of(readme).read_text().splitlines()
    git = next(line for line in lines if line.startswith("| git |")).split(" | ")
    lua = next(line for line in lines if line.startswith("| lua |")).split(" | ")
    assert git[3].startswith("**failed**")
    assert lua[2].startswith("**1.") and lua[3].startswith("0.")
    assert "- jemalloc on git: killed by signal 11 (SIGSEGV)" in lines
    assert any(line.startswith("| geometric mean") and "<br>1 of 2" in line for line in lines)


def test_a_row_that_too_few_rounds_show_is_not_bold(readme, write_numbers):
    made_up_results.write(readme.parent / "results" / "reference", **{**FEW, "rounds": 5})
    write_numbers(readme)
    lines = tables_of(readme).read_text().splitlines()
    rows = [line for line in lines if line.startswith("| lua |")]
    assert "<br>" in rows[0] and "**1." not in rows[0].partition("<br>")[0]


def test_programs_have_a_table_of_their_own(readme, write_numbers):
    reference = readme.parent / "results" / "reference"
    path = made_up_results.write(readme.parent / "other", **FEW, kind="exec")
    os.replace(path, reference / "exec.json")
    write_numbers(readme)
    assert "| 2 programs: wall time | 1 | " in readme.read_text()
    assert "2 programs measured both ways (on different input), under " in readme.read_text()
    assert " differ by 0.08 or less in 4 of 4 cases." in readme.read_text()
    assert "Of another commit" not in readme.read_text()
    text = tables_of(readme).read_text()
    assert text.index("Replayed traces") < text.index("Real programs")
    assert "| program | glibc, ms and MiB | span | jemalloc |" in text


def test_rows_of_another_commit_are_told(readme, write_numbers):
    path = made_up_results.write(readme.parent / "other", **FEW, kind="exec")
    older = path.read_text().replace(made_up_results.COMMIT, "fedcba9876543210")
    (readme.parent / "results" / "reference" / "exec.json").write_text(older)
    write_numbers(readme)
    text = readme.read_text()
    assert "Of another commit are the 2 programs: n = " in text and "commit fedcba9876 " in text


def test_what_is_held_out_is_a_row_of_means(readme, write_numbers):
    write_numbers(readme)
    frontier = chart_of(readme).read_bytes()
    add_held_out(readme)
    write_numbers(readme)
    assert "| 3 held out: time per op | 1 | – |" in readme.read_text()
    lines = tables_of(readme).read_text().splitlines()
    row = next(line for line in lines if line.startswith("| held out: ")).split(" | ")
    assert row[0].endswith(": 3 more") and row[1] == "" and row[3].strip(" |") == ""
    assert "1." in row[2] and "<br>" in row[2]
    assert sum(line.startswith("| trace |") for line in lines) == 1
    assert not any(line.startswith("| jq |") for line in lines)
    assert any(line.startswith("Held out: n = 9 ") for line in lines)
    assert chart_of(readme).read_bytes() == frontier
    assert "trust these most" in readme.read_text()


def test_what_was_held_out_once_is_told_apart(readme, write_numbers):
    reference = readme.parent / "results" / "reference"
    apart = {"traces": ("jq", "lua"), "allocators": ("span", "glibc"), "rounds": 6}
    path = made_up_results.write(readme.parent / "other", **apart)
    os.replace(path, reference / "once-held-out.json")
    write_numbers(readme)
    assert "| once held out: 2 more | " in tables_of(readme).read_text()
    assert "have been looked at since" in readme.read_text()
    assert "trust these most" not in readme.read_text()


def test_the_short_table_knows_no_more_than_five_allocators_and_their_versions(
    readme, write_numbers
):
    names = ("span", "span-fast", "glibc", "jemalloc", "mimalloc", "tcmalloc", "glibc-perturb")
    made_up_results.write(
        readme.parent / "results" / "reference", **{**FEW, "allocators": (*names, "null")}
    )
    write_numbers(readme)
    head = next(line for line in readme.read_text().splitlines() if line.startswith("|  | "))
    heads = [cell.strip() for cell in head.strip("|").split("|")][1:]
    shown = ["glibc", "span-fast", "jemalloc", "mimalloc", "tcmalloc"]
    assert [cell.split()[0] for cell in heads] == shown


@pytest.mark.parametrize("version, is_old", [("2.0.9+ds-2 (libm)", True), ("3.1 (libm)", False)])
def test_captions_tell_versions_and_which_is_old(readme, version, is_old, write_numbers):
    reference = readme.parent / "results" / "reference"
    path = made_up_results.write(reference, **{**FEW, "allocators": ("glibc", "mimalloc")})
    measured = results.read(path)
    measured.context["allocators"]["mimalloc"]["version"] = version
    results.write(path, measured)
    write_numbers(readme)
    for text in (readme.read_text(), tables_of(readme).read_text()):
        assert ("2.0.9, Debian's, is of 2022; measure a newer one with `-a " in text) == is_old
    number = version.partition("+")[0].partition(" ")[0]
    assert f"| mimalloc {number} |" in readme.read_text()
    assert f"Versions: mimalloc {number}.\n" in tables_of(readme).read_text()


@pytest.mark.parametrize(
    "text", ["no markers\n", MARKERS + MARKERS, "<!-- numbers:end --><!-- numbers:begin -->"]
)
def test_markers_must_be_there_once(readme, text, write_numbers):
    readme.write_text(text)
    status, err = write_numbers(readme)
    assert status == 2 and str(readme) in err and err.count("\n") == 1
    assert readme.read_text() == text


def test_missing_results_are_one_line(readme, write_numbers):
    (readme.parent / "results" / "reference" / "results.json").unlink()
    status, err = write_numbers(readme)
    assert status == 2 and "no result files" in err and err.count("\n") == 1


def test_the_project_s_own_numbers_are_current():
    done = subprocess.run([SCRIPT, "--check"], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr


def test_the_project_s_own_samples_are_compact():
    assert (REPO / "results" / "readme.json").stat().st_size < 300_000
