"""`make install` and `make uninstall`: the command works for another user, from any folder, through
a link, in a tree that nobody writes to; and nothing of it is left at the end."""

import json
import os
import shutil
import subprocess
import tempfile
from pathlib import Path

import pytest
from places import REPO

from frontend import version

PREFIX = "/opt/spanbench"
HOME = f"{PREFIX}/lib/spanbench"
NOBODY = ["setpriv", "--reuid=65534", "--regid=65534", "--clear-groups"]
BUILT = REPO / "build" / "release" / "replay-jemalloc"


def environment(**variables):
    """That of somebody who has nothing of ours set; nor of the make that may run the tests."""
    ours = ("MAKE", "SPANBENCH", "PYTHON")
    kept = {k: v for k, v in os.environ.items() if not k.startswith(ours)}
    return {**kept, **variables}


def make(target, destdir, *variables):
    """Runs make."""
    command = ["make", "-C", REPO, "--no-print-directory", f"DESTDIR={destdir}", f"PREFIX={PREFIX}"]
    done = subprocess.run(
        [*command, *variables, target], env=environment(), capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr
    return done


def listing(folder):
    """Everything below a folder, with what a change would show in."""
    return sorted((str(p), p.lstat().st_mtime_ns, p.lstat().st_mode) for p in folder.rglob("*"))


@pytest.fixture
def place():
    """A folder that everybody can reach, as pytest's are not."""
    folder = Path(tempfile.mkdtemp(prefix="spanbench-installed-"))
    folder.chmod(0o755)
    yield folder
    subprocess.run(["chmod", "-R", "u+w", folder], check=True)
    shutil.rmtree(folder)


@pytest.fixture(scope="module")
def installed():
    """DESTDIR of an installation that nobody may write to."""
    if not BUILT.exists():
        pytest.skip(f"{BUILT}: not built")
    folder = Path(tempfile.mkdtemp(prefix="spanbench-installed-"))
    folder.chmod(0o755)
    make("install", folder)
    subprocess.run(["chmod", "-R", "a-w", folder], check=True)
    yield folder
    subprocess.run(["chmod", "-R", "u+w", folder], check=True)
    shutil.rmtree(folder)


@pytest.fixture
def visitor(installed, place):
    """A function that runs the command through a link in PATH, in a folder of its user's, as
    another user where we may: (status, stdout, stderr)."""
    (place / "bin").mkdir()
    (place / "bin" / "spanbench").symlink_to(installed / f"{PREFIX[1:]}/bin/spanbench")
    own = place / "own"
    own.mkdir()
    is_root = os.geteuid() == 0
    if is_root:
        os.chown(own, 65534, 65534)
    variables = environment(PATH=f"{place}/bin:{os.environ['PATH']}", TMPDIR=str(own))
    variables.pop("HOME", None)

    def run(*words):
        command = [*(NOBODY if is_root else []), "spanbench", *map(str, words)]
        done = subprocess.run(command, cwd=own, env=variables, capture_output=True, text=True)
        return done.returncode, done.stdout, done.stderr

    run.folder = own
    return run


def test_another_user_records_replays_runs_and_reports(visitor, installed):
    before = listing(installed)
    assert visitor("--version")[0] == 0
    status, _, err = visitor("record", "-o", "my.trace", "--", "sort", "/etc/passwd")
    assert status == 0 and "my.trace: " in err
    wanted = ("-a", "glibc,span,span-fast", "-n", 2)
    status, out, err = visitor("replay", "my.trace", *wanted, "-o", "my.json")
    assert status == 0 and "span-fast" in out, err
    status, out, err = visitor("exec", *wanted, "--", "sort", "/etc/passwd")
    assert status == 0 and "span-fast" in out, err
    assert visitor("report", "my.json", "-o", "page")[:2] == (0, "page/report.html\n")
    assert visitor("run", "robson", "-a", "span,glibc", "-n", 1)[0] == 0
    assert visitor("micro", "--benchmark_filter=^pair/64$", "-a", "span-fast", "-n", 1)[0] == 0
    assert sorted(p.name for p in visitor.folder.iterdir()) == [
        *("my.curves", "my.json", "my.trace", "page"),
    ]
    assert listing(installed) == before


def test_results_tell_the_build_that_was_installed(visitor):
    visitor("record", "-o", "my.trace", "--", "sort", "/etc/passwd")
    status, out, err = visitor("replay", "my.trace", "-a", "span", "-n", 1, "--json")
    assert status == 0, err
    context = json.loads(out)["context"]
    head = subprocess.run(["git", "-C", REPO, "rev-parse", "HEAD"], capture_output=True, text=True)
    assert context["commit"] == (head.stdout.strip() or "unknown")
    assert "(" in context["compiler"] and "-O2" in context["flags"]
    assert context["allocators"]["span"]["path"].endswith(f"{HOME}/programs/libspan.so")


def test_results_go_to_the_folder_where_one_is(visitor, installed):
    libraries = [installed / f"{HOME[1:]}/programs" / name for name in ("libspan.so", "libnull.so")]
    sides = ("--base", libraries[0], "--head", libraries[0])
    what = ("--workloads", "gawk", "--metrics", "peak_rss", "-n", 1)
    status, _, err = visitor("gate", *sides, *what)
    assert status == 0, err
    assert (visitor.folder / "results/latest/gate.json").exists()


@pytest.mark.parametrize(
    "words, what",
    [
        (("gate", "--base", "main"), "the revision main"),
        (("gate", "--save", "new.json"), "the working tree"),
        (("bisect", "v1", "v2", "--metric", "time", "gawk"), "the revision v1"),
    ],
)
def test_what_needs_a_checkout_says_so(visitor, words, what):
    told = f"spanbench: {what}: needs a checkout of spanbench, and this one is installed; "
    status, out, err = visitor(*words)
    assert (status, out, err.count("\n")) == (2, "", 1) and err.startswith(told)
    assert list(visitor.folder.iterdir()) == []


def test_what_is_missing_is_named(visitor, installed):
    programs = installed / HOME[1:] / "programs"
    visitor("record", "-o", "my.trace", "--", "sort", "/etc/passwd")
    os.chmod(programs, 0o755)
    (programs / "libnull.so").rename(programs / "away")
    try:
        status, _, err = visitor("replay", "my.trace", "-a", "span", "-n", 1)
    finally:
        (programs / "away").rename(programs / "libnull.so")
    assert (status, err) == (2, f"spanbench: {programs}/libnull.so: not installed\n")


def test_a_program_can_be_linked_with_it(installed, place):
    (place / "main.c").write_text(
        "#include <libspan.h>\nint main(void) { return span_malloc(9) == NULL; }\n"
    )
    lib = installed / f"{PREFIX[1:]}/lib"
    variables = environment(PKG_CONFIG_PATH=f"{lib}/pkgconfig", PKG_CONFIG_SYSROOT_DIR=installed)
    command = "cc main.c $(pkg-config --cflags --libs libspan-fast) -o main"
    done = subprocess.run(command, shell=True, cwd=place, env=variables, capture_output=True)
    assert done.returncode == 0, done.stderr
    shown = subprocess.run(["readelf", "-d", place / "main"], capture_output=True, text=True).stdout
    assert "[libspan-fast.so.0]" in shown
    run = [place / "main"]
    assert subprocess.run(run, env={"LD_LIBRARY_PATH": str(lib)}, check=False).returncode == 0


def test_uninstall_removes_what_was_installed_and_nothing_else(place):
    kept = place / PREFIX[1:] / "bin" / "mine"
    kept.parent.mkdir(parents=True)
    kept.write_text("mine")
    before = listing(place)
    make("install", place)
    assert (place / f"{PREFIX[1:]}/share/man/man1/spanbench.1").exists()
    cache = place / HOME[1:] / "frontend" / "__pycache__"
    assert any(cache.iterdir())
    (cache / "cli.cpython-399.pyc").write_text("of a Python that came later")
    make("uninstall", place)
    assert [name for name, *_ in listing(place)] == [name for name, *_ in before]
    done = subprocess.run(
        ["make", "-C", REPO, f"DESTDIR={place}", f"PREFIX={PREFIX}", "uninstall"],
        env=environment(),
        capture_output=True,
        text=True,
    )
    assert done.returncode and f"{HOME}/manifest: No such file" in done.stderr


def test_a_newer_version_takes_the_place_of_an_older_one(place):
    make("install", place)
    manifest = place / HOME[1:] / "manifest"
    old = place / HOME[1:] / "frontend" / "gone.py"
    old.write_text("")
    manifest.write_text(f"{HOME}/frontend/gone.py\n" + manifest.read_text())
    make("install", place)
    assert not old.exists() and "gone.py" not in manifest.read_text()
    make("uninstall", place)
    assert list(place.iterdir()) == []


def test_the_library_can_be_installed_alone(place):
    make("install-library", place, f"LIBDIR={PREFIX}/lib/x")
    files = sorted(p.name for p in place.rglob("*") if not p.is_dir())
    assert files == sorted(
        [
            *(f"libspan{kind}.{end}" for kind in ("", "-fast") for end in ("a", "pc", "so")),
            *(
                f"libspan{kind}.so.{end}"
                for kind in ("", "-fast")
                for end in ("0", version.VERSION)
            ),
            *("libspan.h", "manifest"),
        ]
    )
    pc = (place / f"{PREFIX[1:]}/lib/x/pkgconfig/libspan.pc").read_text()
    assert f"libdir={PREFIX}/lib/x\n" in pc and f"Version: {version.VERSION}\n" in pc
    make("uninstall", place, f"LIBDIR={PREFIX}/lib/x")
    assert list(place.iterdir()) == []
