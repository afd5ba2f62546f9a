"""scripts/deps against a made-up dpkg and apt: what is taken for installed, which of several names
is installed, what is named instead, and what an ordinary user and other systems are told."""

import os
import subprocess

import pytest

from places import REPO

DEPS = REPO / "scripts" / "deps"

# INSTALLED holds a line "PACKAGE ARCHITECTURE STATUS" for each of its architectures.
DPKG_QUERY = """#!/bin/sh
for package in "$@"; do :; done
format=${2#-f=}
grep "^$package " "$INSTALLED" | while read -r name architecture status; do
    case $format in
    '${db:Status-Status} ${Architecture}'*) printf '%s %s' "$status" "$architecture" ;;
    *) printf 'other format: %s' "$format" ;;
    esac
    case $format in *'\\n') echo ;; esac
done
grep -q "^$package " "$INSTALLED"
"""
# OFFERED holds what can be installed; all that was is told to LOG.
APT_GET = """#!/bin/sh
[ "$1" = install ] || exit "${UPDATE_STATUS:-0}"
simulates=no packages=
for word in "$@"; do
    case $word in
    --simulate) simulates=yes ;;
    install | -*) ;;
    *) grep -qx "$word" "$OFFERED" || { echo "E: Unable to locate package $word"; exit 100; }
       packages="$packages $word" ;;
    esac
done
[ $simulates = yes ] || echo "$packages" >>"$LOG"
"""
TOOLS = {
    "dpkg-query": DPKG_QUERY,
    "dpkg": "#!/bin/sh\necho amd64\n",
    "apt-get": APT_GET,
    "id": "#!/bin/sh\necho ${AS_USER:-0}\n",
    "sudo": "#!/bin/sh\nexit 1\n",
}
NEEDED = "sh dirname grep sed tr cut sort cat mktemp rm tail"

BOOKWORM = "libtbbmalloc2 libclang-rt-dev libjemalloc2 libmimalloc2.0 libtcmalloc-minimal4"
TRIXIE = "libtbbmalloc2 libclang-rt-dev libjemalloc2 libmimalloc3 libtcmalloc-minimal4t64"


class System:
    """A made-up system: what is installed, what apt offers, and what it was told to install."""

    def __init__(self, folder):
        self.folder = folder
        self.path = folder / "bin"
        self.path.mkdir()
        for tool in NEEDED.split():
            (self.path / tool).symlink_to(f"/bin/{tool}")
        for tool, text in TOOLS.items():
            (self.path / tool).write_text(text)
            (self.path / tool).chmod(0o755)
        for file in ("installed", "offered", "log"):
            (folder / file).write_text("")

    def installs(self, *packages, architecture="amd64", status="installed"):
        with open(self.folder / "installed", "a") as file:
            for package in packages:
                print(package, architecture, status, file=file)

    def offers(self, packages):
        (self.folder / "offered").write_text("\n".join(packages.split()) + "\n")

    def installed(self):
        """What apt was told to install."""
        return set((self.folder / "log").read_text().split())

    def run(self, *purposes, **environment):
        """(status, stdout, stderr) of scripts/deps."""
        files = {name: str(self.folder / name.lower()) for name in ("INSTALLED", "OFFERED", "LOG")}
        done = subprocess.run(
            [DEPS, *purposes],
            env={"PATH": str(self.path), **files, **environment},
            capture_output=True,
            text=True,
        )
        return done.returncode, done.stdout, done.stderr


@pytest.fixture
def system(tmp_path):
    return System(tmp_path)


def test_a_package_of_two_architectures_is_installed(system):
    system.installs("black", "clang-format", "flake8")
    system.installs("black", "clang-format", architecture="i386")
    assert system.run("lint", AS_USER="1000") == (0, "", "")


def test_a_package_for_all_architectures_is_installed(system):
    system.installs("black", "clang-format", "flake8", architecture="all")
    assert system.run("lint") == (0, "", "")


def test_a_package_of_another_architecture_alone_is_missing(system):
    system.offers("black clang-format flake8")
    system.installs("black", "clang-format")
    system.installs("flake8", architecture="i386")
    assert system.run("lint") == (0, "installing flake8\n", "")
    assert system.installed() == {"flake8"}


def test_a_package_that_was_removed_is_missing(system):
    system.offers("black")
    system.installs("clang-format", "flake8")
    system.installs("black", status="config-files")
    system.run("lint")
    assert system.installed() == {"black"}


@pytest.mark.parametrize("release", [BOOKWORM, TRIXIE])
def test_the_names_of_the_release_are_installed(system, release):
    system.offers(release)
    status, _, err = system.run("rivals")
    assert (status, err) == (0, "")
    assert system.installed() == set(release.split())


def test_any_of_the_names_will_do(system):
    system.installs(*BOOKWORM.replace("rt-dev", "rt-14-dev").split())
    assert system.run("rivals") == (0, "", "")


def test_a_rival_that_is_not_there_is_named_and_the_others_installed(system):
    system.offers("libtbbmalloc2 libclang-rt-19-dev libjemalloc2")
    status, _, err = system.run("rivals")
    assert status == 0
    assert err.splitlines() == [
        "deps: apt knows no libmimalloc3 or libmimalloc2.0: going on without",
        "deps: apt knows no libtcmalloc-minimal4t64 or libtcmalloc-minimal4: going on without",
    ]
    assert system.installed() == {"libtbbmalloc2", "libclang-rt-19-dev", "libjemalloc2"}


def test_what_is_needed_and_not_there_is_named_and_the_rest_installed(system):
    system.offers("black flake8")
    status, _, err = system.run("lint")
    assert (status, err) == (2, "deps: apt knows no clang-format, which is needed\n")
    assert system.installed() == {"black", "flake8"}


def test_old_lists_will_do_where_new_ones_cannot_be_fetched(system):
    system.offers("black clang-format flake8")
    status, _, err = system.run("lint", UPDATE_STATUS="1")
    assert status == 0 and "going on with the lists that are there" in err
    assert system.installed() == {"black", "clang-format", "flake8"}


def test_an_ordinary_user_is_told_the_command(system):
    system.offers(TRIXIE + " black flake8 clang-format")
    system.installs("black")
    status, _, err = system.run("lint", AS_USER="1000")
    command = "  sudo apt-get install --no-install-recommends clang-format flake8\n"
    assert (status, err) == (2, "deps: missing packages; install them with:\n" + command)
    assert system.installed() == set()


def test_an_ordinary_user_is_told_even_before_apt_has_lists(system):
    status, _, err = system.run("lint", AS_USER="1000")
    assert status == 2 and err.endswith(" black clang-format flake8\n")


def test_what_is_optional_stops_no_ordinary_user(system):
    system.offers(TRIXIE)
    status, _, err = system.run("rivals", AS_USER="1000")
    assert status == 0 and "libmimalloc3" in err


@pytest.mark.parametrize("absent", ["dpkg-query", "apt-get"])
def test_another_system_is_told_what_is_needed_and_goes_on(system, absent):
    (system.path / absent).unlink()
    status, out, err = system.run("bench", "test")
    assert (status, out) == (0, "")
    assert "  Google Benchmark\n" in err and "  Zstandard\n" in err and "libzstd-dev" not in err


def test_an_unknown_purpose_is_refused(system):
    status, _, err = system.run("lint", "luck")
    assert status == 2 and err.startswith("deps: luck: not one of bench gate test")


def test_all_that_the_release_has_under_one_name_is_known_to_apt():
    """The table itself, where there is an apt with lists to ask."""
    if not os.path.exists("/usr/bin/apt-cache"):
        pytest.skip("no apt-cache")
    known = set(
        subprocess.run(["apt-cache", "pkgnames"], capture_output=True, text=True).stdout.split()
    )
    if "chromium" not in known:
        pytest.skip("apt has no lists")
    table = DEPS.read_text().split("<<'END'\n")[1].split("\nEND\n")[0]
    for line in table.splitlines():
        names = line.split()[1].removesuffix("?").split("|")
        assert known.intersection(names), line
