"""What a user may have meant by a word that nobody knows."""

from frontend.lazily import Lazy

difflib = Lazy("difflib")

MOST = 2  # words that are offered


def meant(word, known):
    """ "; did you mean replay?" where known words are much like this one, else nothing."""
    return offer(closest(word, known))


def offer(words):
    """ "; did you mean a or b?", or nothing without words."""
    return f"; did you mean {' or '.join(words)}?" if words else ""


def closest(word, known):
    """The known words that are most like this one, or begin with it; case and the dashes of
    options do not matter. One letter begins too many."""
    by_core = {core(name): name for name in known if name != word}
    wanted = core(word)
    like = difflib.get_close_matches(wanted, by_core, MOST)
    begun = [name for name in by_core if len(wanted) > 1 and name.startswith(wanted)]
    return [by_core[name] for name in dict.fromkeys([*like, *begun])][:MOST]


def core(word):
    """What is compared of a word."""
    return word.lstrip("-").lower()
