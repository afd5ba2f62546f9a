"""How wide words are, so that charts leave room for them, and words cut to the room there is."""

from functools import lru_cache

from matplotlib.font_manager import FontProperties
from matplotlib.textpath import text_to_path

FONT = "DejaVu Sans"
ELLIPSIS = "…"
POINTS = 72  # an inch


@lru_cache(maxsize=None)
def width_of(text, size, weight="normal"):
    """The inches that a line of text takes."""
    font = FontProperties(family=FONT, size=size, weight=weight)
    return text_to_path.get_text_width_height_descent(text, font, ismath=False)[0] / POINTS


def widest(texts, size, weight="normal"):
    """The inches that the widest of the texts takes; 0 if there are none."""
    return max((width_of(text, size, weight) for text in texts), default=0)


def fitted(text, inches, size, weight="normal"):
    """The text, without some of its middle if it is wider than that."""
    kept = len(text)
    shown = text
    while width_of(shown, size, weight) > inches and kept > 2:
        kept -= 1
        head = (kept + 1) // 2
        shown = text[:head] + ELLIPSIS + text[len(text) - (kept - head) :]
    return shown
