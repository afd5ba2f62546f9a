"""Where the tests find the project and what was built of it."""

import os
from pathlib import Path

REPO = Path(__file__).resolve().parent.parent
BUILD = Path(os.environ.get("SPANBENCH_BUILD", REPO / "build" / "release"))
