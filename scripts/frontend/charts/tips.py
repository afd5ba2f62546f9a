"""What a mark of a chart says under the pointer: whose figure it is, the figure, its interval."""

from frontend.figures import digest


def ratio(summary, subject, name, measure):
    """A ratio to the reference of one subject."""
    estimate = digest.part(summary.cells[subject, name], measure, "_ratio")
    return f"{subject}, {name}\n{ratio_text(summary, estimate, measure)}"


def mean(summary, name, measure):
    """A geometric mean of ratios."""
    estimate = digest.part(summary.overall[name], measure, "_ratio")
    counted = digest.counted_text(summary, name)
    return f"geometric mean{counted}, {name}\n{ratio_text(summary, estimate, measure)}"


def ratio_text(summary, estimate, measure):
    """ "0.78 (0.76–0.80) of glibc's peak RSS"."""
    return digest.told_text(estimate, f"{summary.reference}'s {measure.name}")


def figure(summary, subject, name, measure):
    """An absolute figure of one subject."""
    estimate = digest.part(summary.cells[subject, name], measure)
    median = f"{digest.number_text(estimate.median)} {measure.unit}"
    interval = digest.interval(estimate, digest.number_text, " ({}–{})")
    return f"{subject}, {name}\n{measure.name} {median}{interval}"


def pair(summary, label, cell):
    """Both ratios of a cell, as a point of time against memory has them."""
    measures = ((cell.time_ratio, summary.time), (cell.rss_ratio, digest.RSS))
    lines = (ratio_text(summary, estimate, measure) for estimate, measure in measures)
    return "\n".join([label, *lines])
