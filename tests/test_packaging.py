"""What packaging/debian says of the project agrees with what the project says of itself. Building
the packages takes minutes: `make deb` does it, and lintian checks them there."""

import re
import shutil
import subprocess

import pytest
from places import REPO

DEBIAN = REPO / "packaging" / "debian"


def needs_of(purpose):
    """The packages that scripts/deps names first for a purpose."""
    table = (REPO / "scripts" / "deps").read_text()
    rows = re.findall(r"^([a-z0-9,]+) +([a-z0-9][^ ]*)  +\S", table, re.MULTILINE)
    return {package.split("|")[0] for purposes, package in rows if purpose in purposes.split(",")}


def stanza(name):
    """{field: text} of one paragraph of control; of the source if name is None."""
    wanted = f"Package: {name}\n" if name else "Source: "
    (text,) = [p for p in (DEBIAN / "control").read_text().split("\n\n") if wanted in f"{p}\n"]
    return dict(re.findall(r"^([A-Z][\w-]*):\s*((?:.*\n?)(?:^[ \t].*\n?)*)", text, re.MULTILINE))


def packages(field):
    """The names in a list of packages, without versions and variables."""
    return set(re.findall(r"^\s*([a-z0-9][a-z0-9.+-]*)", field.replace(",", "\n"), re.MULTILINE))


def test_what_the_front_end_imports_is_depended_on():
    modules = {name for name in needs_of("bench") if name.startswith("python3-")}
    assert len(modules) > 2
    assert modules <= packages(stanza("spanbench")["Depends"])
    assert modules <= packages(stanza(None)["Build-Depends"])


def test_what_is_compiled_against_is_built_against():
    libraries = {name for name in needs_of("bench") if re.match("lib|.*-dev$", name)}
    libraries -= {"libc6-dev"}  # of build-essential
    assert len(libraries) > 4
    assert libraries <= packages(stanza(None)["Build-Depends"])


def test_make_deb_installs_what_the_packages_are_built_from():
    needed = packages(stanza(None)["Build-Depends"]) - {"debhelper-compat"}
    assert needed | {"debhelper", "build-essential"} <= needs_of("bench") | needs_of("deb")


def test_the_library_is_named_by_its_version():
    makefile = (REPO / "Makefile").read_text()
    version = re.search(r"^SOVERSION := (\d+)$", makefile, re.MULTILINE)[1]
    assert stanza(f"libspan{version}")["Section"] == "libs\n"
    assert (DEBIAN / f"libspan{version}.install").exists()


@pytest.mark.parametrize("script", ["scripts/build_deb", "scripts/cgroup2_machine", "scripts/deps"])
def test_the_scripts_are_without_faults(script):
    try:
        done = subprocess.run(["shellcheck", REPO / script], capture_output=True, text=True)
    except FileNotFoundError:
        pytest.skip("shellcheck is not installed")
    assert (done.returncode, done.stdout) == (0, "")


def test_a_build_that_fails_is_told_with_its_log(tmp_path):
    if not shutil.which("dpkg-buildpackage"):
        pytest.skip("dpkg-buildpackage is not installed")
    for folder in ("scripts/frontend", "packaging"):
        (tmp_path / folder).mkdir(parents=True)
    script = tmp_path / "scripts" / "build_deb"
    script.write_bytes((REPO / "scripts" / "build_deb").read_bytes())
    script.chmod(0o755)
    (tmp_path / "scripts/frontend/version.py").write_text('VERSION = "9.9"\n')
    subprocess.run(["cp", "-r", DEBIAN, tmp_path / "packaging"], check=True)
    with open(tmp_path / "packaging/debian/control", "a") as control:
        control.write("\nPackage: nonsense\n")
    done = subprocess.run([script, "out"], cwd=tmp_path, capture_output=True, text=True)
    assert done.returncode == 1
    assert done.stderr.endswith(f"build_deb: {tmp_path}/out/build.log: the packages do not build\n")
