"""Counts in sentences."""

import pytest

from frontend.counted import counted, plural


@pytest.mark.parametrize(
    "number, text", [(0, "0 threads"), (1, "1 thread"), (2, "2 threads"), (1200, "1,200 threads")]
)
def test_one_has_no_plural(number, text):
    assert counted(number, "thread") == text
    assert plural(number, "thread") == text.split()[1]
