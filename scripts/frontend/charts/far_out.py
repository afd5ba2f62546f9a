"""Where a logarithmic axis of ratios ends: it holds 1 and all figures, but for the few that lie so
far from the others that these would be squeezed together. Charts name those at its edge.
"""

import math

from frontend.figures import digest

FAR = 3.0  # times the next figure, at least; arbitrary
FEW = 4  # of so many figures one may be left out, and of fewer one too; arbitrary
LEAST_PAD = 0.04  # on each side, as a logarithm


def near(values):
    """(least, greatest) of the values and 1, without those that lie far out."""
    logs = sorted([0.0, *(math.log(value) for value in values if value > 0)])
    # Thrice, alternately for both ends: what is far out at one hides what is at the other.
    for _ in range(3):
        top = near_top(logs)
        logs = sorted(-log for log in logs if log <= top)
    low, high = -logs[-1], -logs[0]
    kept = [value for value in values if value > 0 and low <= math.log(value) <= high]
    return min((1.0, *kept)), max((1.0, *kept))  # themselves: exp(log(x)) need not be x


def greatest_near(values):
    """Of figures above zero, the greatest that is not far out: where an axis from zero ends."""
    least = min(values, default=1)
    return least * near([value / least for value in values])[1]


def near_top(logs):
    """The greatest of sorted logarithms that is not far out. What is lies beyond a gap that takes
    more of the axis than all that is on this side of it. 0, the reference, never is."""
    top = logs[-1]
    for i in range(1, min(max(1, len(logs) // FEW), len(logs) - 2) + 1):
        inner, outer = logs[-i - 1], logs[-i]
        if outer - inner > max(inner - logs[0], math.log(FAR)):
            top = max(0.0, inner)
    return top


def limits_of(estimates, others=(), pad=0.06, edges=(0, 0)):
    """Limits of an axis of ratios for the estimates and other values, with some room (a share). On
    a side on which something lies far out, `edges` (shares, left and right) are kept free."""
    medians = [estimate.median for estimate in estimates]
    low, high = near(medians)
    ends = [end for e in estimates if low <= e.median <= high for end in digest.ends(e)]
    logs = [math.log(min(max(end, low / FAR), high * FAR)) for end in (*ends, *others, 1.0)]
    pad = max(pad * (max(logs) - min(logs)), LEAST_PAD)
    left, right = min(logs) - pad, max(logs) + pad
    is_cut = min(medians, default=1) < low, max(medians, default=1) > high
    shares = [share if is_here else 0 for share, is_here in zip(edges, is_cut)]
    whole = (right - left) / (1 - sum(shares))
    return math.exp(left - shares[0] * whole), math.exp(right + shares[1] * whole)


def side(value, limits):
    """-1 or 1 if the value lies beyond the limits, on the left or the right, else 0."""
    return 1 if value > limits[1] else -1 if value < limits[0] else 0


def figure(value):
    """ "33.3×", as it stands at the edge."""
    return f"{digest.number_text(value)}×"


def arrowed(text, which):
    """The text with an arrow that points over the edge."""
    return f"{text} →" if which > 0 else f"← {text}"
