"""How long one operation of a trace takes to replay, from which follows how many of them there is
time for. What is replayed for this counts for nothing else."""

import tempfile
import time
from pathlib import Path

from frontend.failure import WORK_FAILED, Failure
from frontend.measuring import replays, traces
from frontend.measuring.campaign import RunFailed

TIMED_OPS = 1_000_000  # that are replayed to see how long one takes; arbitrary


def seconds_per_op(trace, allocator, manner):
    """The seconds that a replay takes for each operation, with all that is around it."""
    with tempfile.TemporaryDirectory(prefix="spanbench-") as folder:
        timed = trace
        if trace.info["ops"] > 2 * TIMED_OPS:
            timed = traces.cut(trace, TIMED_OPS, Path(folder) / "timed.trace")
        began = time.monotonic()
        try:
            replays.one_pass("speed", timed, allocator, manner)
        except RunFailed as reason:
            raise Failure(f"{trace.name}: {reason}", WORK_FAILED) from reason
        return (time.monotonic() - began) / timed.info["ops"]
