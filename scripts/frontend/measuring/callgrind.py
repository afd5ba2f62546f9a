"""Counts instructions and system calls of a measured program exactly, with valgrind's callgrind:
those between the first operation and the last, in the allocator and in what it calls.

Callgrind's file gives costs line by line of code, under the object (`ob=`) that the code is in; the
line after a `calls=` is what the callee cost, which is given again where the callee is. The format
is described in valgrind's manual ("Callgrind Format Specification").

Code that is in no section that callgrind knows, as .text, has no object there. Stubs of calls to
libraries are such code, and have no name but an address. tcmalloc's malloc and free are too, for it
has them in a section of its own; they have names.
"""

import re
import shutil
from collections import Counter

from frontend.failure import WORK_FAILED, Failure, blamed_on

# The function of each measuring program inside which is counted.
INSIDE = {"replay": "replayer_run", "workload": "crew_work"}
NAMED = re.compile(r"c?(ob|fn)=\((\d+)\)(?: (.*))?")
ADDRESS = re.compile(r"0x[0-9a-f]+|\?\?\?")
EVENTS = "events: Ir sysCount"
UNKNOWN = "???"  # code without an object: stubs of the program's calls to its libraries,
ELSEWHERE = "named code without an object"  # unless it has a name


def is_installed():
    """Whether there is a valgrind."""
    return shutil.which("valgrind") is not None


def command(program, output):
    """The words before those of the measured program; it writes to `output` what it counted."""
    return [
        *("valgrind", "--quiet", "--tool=callgrind", "--collect-systime=yes", "--dump-line=no"),
        *(f"--toggle-collect={INSIDE[program]}", f"--callgrind-out-file={output}"),
    ]


def read(path, program_path):
    """{instructions, system_calls} of the allocator in a file of callgrind's; program_path is the
    measuring program, whose own instructions are left out, as are the dynamic loader's."""
    with (
        blamed_on(path, WORK_FAILED),
        open(path, encoding="utf-8", errors="replace") as lines,
    ):
        costs, calls = by_object(lines)
    ours = {UNKNOWN, str(program_path)}
    mine = {name for name in costs if name in ours or "/ld-linux" in name}
    counted = sum(cost for name, cost in costs.items() if name not in mine)
    if not counted:
        raise Failure(f"{path}: callgrind counted nothing in the allocator", WORK_FAILED)
    return {"instructions": counted, "system_calls": calls}


def by_object(lines):
    """({object: instructions}, system calls) of the lines of a file."""
    costs, calls = Counter(), 0
    names, current, is_callee = {}, {}, False
    for line in lines:
        named = NAMED.match(line)
        if named:
            what, number, name = named.groups()
            names.setdefault((what, number), (name or "").strip())
            if line[0] != "c":
                current[what] = names[what, number]
        elif line.startswith("events:") and not line.startswith(EVENTS):
            raise Failure(f"callgrind counts {line.strip()}, not {EVENTS}", WORK_FAILED)
        elif line.startswith("calls="):
            is_callee = True
        elif line[0] in "0123456789+-*":
            if not is_callee:
                fields = [int(field) for field in line.split()[1:3]]
                costs[home(current)] += fields[0] if fields else 0
                calls += fields[1] if len(fields) > 1 else 0
            is_callee = False
    return costs, calls


def home(current):
    """The object of the current {"ob": object, "fn": function}, or what stands for it."""
    known = current.get("ob")
    is_named = known == UNKNOWN and not ADDRESS.fullmatch(current.get("fn", UNKNOWN))
    return ELSEWHERE if is_named else known
