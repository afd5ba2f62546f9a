"""What the templates of the page make of data, for tests; no test itself."""

from frontend.page import report


def flat(html):
    """HTML with each stretch of white space as one space, which is what a reader sees."""
    return " ".join(html.split())


def piece(template, macro, *arguments):
    """What a macro of a template says."""
    module = report.templates().get_template(f"{template}.html.j2").module
    return flat(getattr(module, macro)(*arguments))


def verdict(summary):
    """The sentences on a Digest."""
    return piece("verdict", "sentences", summary)


def remarks(summary):
    """What else is said of a Digest."""
    return piece("verdict", "remarks", summary)
