"""Durations of calls as people read them."""

UNITS = (("ns", 1), ("us", 1e3), ("ms", 1e6))


def duration_text(ns):
    """ "35 ns", "1.2 us", "3.4 ms": three digits at most, but for seconds; empty for None."""
    if ns is None:
        return ""
    name, scale = next((unit for unit in UNITS if ns / unit[1] < 999.5), UNITS[-1])
    value = ns / scale
    return f"{value:.3g} {name}" if value < 999.5 else f"{value:,.0f} {name}"
