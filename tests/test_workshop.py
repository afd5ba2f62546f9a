"""What the table of programs takes for installed, with a made-up dpkg and with none."""

import battery  # noqa: F401 (finds the workshop)
import pytest
import workshop
from programs import Whole

# Understands the one format that it is asked for.
DPKG_QUERY = r"""#!/bin/sh
[ "$3" = '${db:Status-Status} ${Version}\n' ] || exit 2
case $4 in
twice) printf 'installed 1.2-3\ninstalled 1.2-3\n' ;;
removed) printf 'config-files 1.2-3\n' ;;
half) printf 'config-files 1.2-2\ninstalled 1.2-3\n' ;;
never) printf 'not-installed \n' ;;
*) exit 1 ;;
esac
"""


@pytest.fixture
def dpkg(tmp_path, monkeypatch):
    (tmp_path / "dpkg-query").write_text(DPKG_QUERY)
    (tmp_path / "dpkg-query").chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}:/usr/bin:/bin")


def program(package, *command):
    return Whole(package, package, "made up", command or ("sh",))


@pytest.mark.parametrize(
    "package, version",
    [("twice", "1.2-3"), ("half", "1.2-3"), ("removed", None), ("never", None), ("other", None)],
)
def test_version_of_a_package(dpkg, package, version):
    assert workshop.installed_version(package) == version


def test_a_package_of_two_architectures_is_not_missing(dpkg):
    assert workshop.missing_packages([program("twice"), program("removed")]) == ["removed"]


def test_without_dpkg_a_program_is_missing_whose_command_is(tmp_path, monkeypatch):
    monkeypatch.setenv("PATH", str(tmp_path))
    programs = [program("one", "sh", "-c", "true"), program("two", "no-such-command")]
    programs += [program("three", "/bin/*sh"), program("four", "/usr/lib/gcc/*/none/cc1")]
    assert workshop.missing_packages(programs) == ["four", "two"]
