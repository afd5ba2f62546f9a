"""What compare prints for programs: all that its page says, and the rows that a page leaves out."""


def document(page, status):
    """The object that is printed; ratios are B / A."""
    return {
        "titles": page.titles,
        "is_paired": page.manner.is_paired,
        "margin": page.manner.margin,
        "status": status,
        "means": [comparison_facts(mean) for mean in page.means],
        "rows": [comparison_facts(row) for row in page.rows],
        "notes": page.notes,
    }


def comparison_facts(comparison):
    """One mean or row; what it does not have is left out."""
    told = {
        "name": comparison.name,
        "metric": comparison.asked,
        "verdict": comparison.verdict,
        "a": comparison.before,
        "b": comparison.after,
        **estimate_facts(comparison.ratio),
        "is_sure": comparison.is_sure,
        "rows": comparison.rows,
    }
    return {key: value for key, value in told.items() if value is not None}


def estimate_facts(estimate):
    """A ratio with its interval, and what that covers."""
    if estimate is None:
        return {}
    return {
        "ratio": estimate.median,
        "low": estimate.low,
        "high": estimate.high,
        "coverage": estimate.coverage,
        "n": estimate.n,
    }
