"""Delta debugging (Zeller and Hildebrandt, 2002): which few of many units are needed for a test to
hold. It knows nothing of traces."""


def reduce_units(units, holds):
    """A list of some of the units, in order, for which holds(list) is true though it is for none
    that lacks one more of the pieces tried last: single units, unless holds raises an exception to
    end the search. It holds for all units."""
    pieces = 2
    while len(units) > 1:
        size = -(-len(units) // pieces)
        start, removed = 0, False
        while start < len(units):
            rest = units[:start] + units[start + size :]
            if rest and holds(rest):
                units, removed = rest, True
            else:
                start += size
        if size == 1 and not removed:
            break
        if not removed:
            pieces = min(2 * pieces, len(units))
        else:
            pieces = min(max(2, len(units) // size), len(units))
    return units


def ranges(units):
    """[(first, end)] of ascending numbers; end is not in it."""
    found = []
    for unit in units:
        if found and found[-1][1] == unit:
            found[-1][1] = unit + 1
        else:
            found.append([unit, unit + 1])
    return [tuple(pair) for pair in found]
