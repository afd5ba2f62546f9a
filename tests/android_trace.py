"""Traces of the tests' own, from lines in Android's form."""

import subprocess

from places import BUILD


def make_trace(folder, name, lines):
    """The path of a trace of the lines, in the folder."""
    source = folder / f"{name}.txt"
    source.write_text("\n".join(lines) + "\n")
    command = [BUILD / "trace", "import", source, "-o", folder / f"{name}.trace"]
    subprocess.run(command, check=True, capture_output=True)
    return folder / f"{name}.trace"
