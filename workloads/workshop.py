"""Where a program of a table finds its packages, its input and its environment: what recording,
checking and timing of real programs have in common. It runs nothing but what prepares an input.
"""

import glob
import os
import shlex
import shutil
import subprocess
import sys
import tempfile
from contextlib import contextmanager
from pathlib import Path
from random import Random

PATH = "/usr/bin:/bin"  # of the programs


class Failure(Exception):
    """What goes wrong, in one line, and the exit status that tells it."""

    def __init__(self, message, status=1):
        super().__init__(message)
        self.status = status


def installed_version(package):
    """The version of a package, of the first architecture that it is installed for; or None."""
    query = ["dpkg-query", "-W", "-f", "${db:Status-Status} ${Version}\\n", package]
    done = subprocess.run(query, capture_output=True, text=True, check=False)
    lines = map(str.split, done.stdout.splitlines())
    return next((version[0] for status, *version in lines if status == "installed"), None)


def missing_packages(programs):
    """The packages of the programs that are not installed, sorted; where there is no dpkg, those
    whose command is not there."""
    if not shutil.which("dpkg-query"):
        return sorted(program.package for program in programs if not can_be_run(program))
    wanted = {package for program in programs for package in program.packages()}
    return sorted(package for package in wanted if installed_version(package) is None)


def can_be_run(program):
    """Whether the file of a program's command is there."""
    return shutil.which(command_of(program)[0], path=PATH) is not None


def install(programs):
    """Installs the packages that are missing when this may, else tells the command that does."""
    missing = missing_packages(programs)
    if not missing:
        return
    command = ["apt-get", "install", "-y", "--no-install-recommends", *missing]
    if os.geteuid() != 0:
        raise Failure(f"packages are missing: sudo {' '.join(command)}", 2)
    environment = {**os.environ, "DEBIAN_FRONTEND": "noninteractive"}
    if subprocess.run(command, env=environment, stdout=sys.stderr, check=False).returncode != 0:
        raise Failure(f"apt-get could not install: {' '.join(missing)}")


@contextmanager
def workshop(program):
    """A temporary folder with the program's input in it."""
    with tempfile.TemporaryDirectory(prefix="corpus-") as name:
        fill(program, Path(name))
        yield Path(name)


def fill(program, folder):
    """Puts the program's input into the folder."""
    if program.generate:
        program.generate(folder, Random(program.name))
    for command in program.prepare:
        run_beside(program, command, folder)


def make_inputs(program, folder):
    """Makes the input for good; the shell command that runs the program on it."""
    folder.mkdir(parents=True)
    fill(program, folder)
    variables = [f"{name}={shlex.quote(text)}" for name, text in program.environment.items()]
    return f"cd {shlex.quote(str(folder))} && {shlex.join([*variables, *command_of(program)])}"


def environment_of(program, folder):
    """The environment that the program sees: nothing of this user's."""
    common = {"PATH": PATH, "HOME": str(folder), "LC_ALL": "C.UTF-8", "TZ": "UTC"}
    return {**common, **program.environment}


def command_of(program):
    """The program's command, with a pattern in the first word resolved."""
    found = sorted(glob.glob(program.command[0])) or [program.command[0]]
    return [found[0], *program.command[1:]]


def run_beside(program, command, folder):
    """Runs a command that is not measured."""
    environment = environment_of(program, folder)
    done = subprocess.run(
        command, cwd=folder, env=environment, stdin=subprocess.DEVNULL, capture_output=True
    )
    if done.returncode != 0:
        reason = done.stderr.decode(errors="replace").strip().splitlines()[-1:]
        raise Failure(f"{program.name}: {command[0]} failed: {' '.join(reason)}")
