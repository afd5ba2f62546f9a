"""Names and other foreign text where people read it: a control character is shown, not sent to the
terminal, and neither that nor a byte that is no UTF-8 ends a command."""

import codecs
import re

HANDLER = "visible"
# A newline with four blanks behind it is our own: a message goes on so.
HIDDEN = re.compile(r"\n(?!    )|[\x00-\x09\x0b-\x1f\x7f-\x9f\u2028\u2029\udc80-\udcff]")
BYTE = re.compile("[\udc80-\udcff]")
LETTERS = {"\n": "\\n", "\r": "\\r", "\t": "\\t"}


def visible(text):
    """The text with control characters and undecodable bytes as escapes: \\n, \\x1b, \\xff."""
    return HIDDEN.sub(escaped, str(text))


def escaped(match):
    """What is shown of one hidden character."""
    return LETTERS.get(match[0]) or as_byte(match[0])


def as_byte(character):
    """\\xff; a byte that could not be decoded is half a surrogate pair in Python's texts."""
    number = ord(character)
    return f"\\u{number:04x}" if 0xFF < number < 0xD800 else f"\\x{number & 0xFF:02x}"


def said(text, *names):
    """The lines that a tool said; these names in them, which may hold newlines, are visible."""
    for name in map(str, names):
        text = text.replace(name, visible(name)) if name else text
    return text.strip().splitlines()


def without_bytes(value):
    """A JSON value in whose texts bytes that are no UTF-8 are escapes."""
    if isinstance(value, dict):
        return {without_bytes(key): without_bytes(part) for key, part in value.items()}
    if isinstance(value, (list, tuple)):
        return list(map(without_bytes, value))
    return BYTE.sub(escaped, value) if isinstance(value, str) else value


def replace(error):
    """For streams, what cannot be encoded: bytes as they were named, else a question mark."""
    if not isinstance(error, UnicodeEncodeError):
        raise error
    wrong = error.object[error.start : error.end]
    shown = (as_byte(c) if "\udc80" <= c <= "\udcff" else "?" for c in wrong)
    return "".join(shown), error.end


codecs.register_error(HANDLER, replace)
