"""Builds targets in a tree of spanbench, here or elsewhere, with the rules and flags of its
Makefile."""

import os
import subprocess

from frontend.failure import WORK_FAILED, Failure


def make(tree, folder, names, what, *variables):
    """Builds the files `names` of the tree into a folder (relative to the tree, or absolute);
    `what` is being built when it fails; variables are make's, NAME=VALUE."""
    jobs = f"-j{len(os.sched_getaffinity(0))}"
    targets = [f"{folder}/{name}" for name in names]
    command = ["make", "-C", str(tree), jobs, "MODE=release", f"B={folder}", *variables, *targets]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode:
        lines = done.stderr.splitlines()
        reasons = [line for line in lines if "error" in line] or lines or ["make failed"]
        raise Failure(f"{what}: does not build: {reasons[0]}", WORK_FAILED)
