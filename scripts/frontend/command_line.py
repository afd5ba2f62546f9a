"""The parser of a command line: argparse, but for its complaints. They are one line, they guess
what was meant, and they say where help is; no name of a type or a function of ours is in them."""

import argparse
import os
import re
import sys

from frontend.failure import BAD_INPUT
from frontend.guess import meant

WIDTH = 80  # of what is no terminal
NEGATIVE = re.compile(r"-(\d+\.?\d*|\.\d+)")  # a value, not an option, as argparse sees it


class Parser(argparse.ArgumentParser):
    """Parses the words of one verb."""

    def __init__(self, prog, **facts):
        super().__init__(prog, formatter_class=formatter, allow_abbrev=False, **facts)

    def parse(self, words, has_command=False):
        """The options that the words are; with has_command, the rest of the line is one."""
        unknown = self.unknown_option(words, has_command)
        if unknown:
            known = self._option_string_actions
            self.error(f"{unknown}: no such option{meant(unknown, known)}")
        if self.has_empty_operand(words, has_command):
            self.error("'': an empty word where a name is meant")
        parse = self.parse_known_args if has_command else self.parse_known_intermixed_args
        options, left = parse(words)
        if left:
            self.error(f"{left[0]}: one word too many")
        return options

    def name_command(self):
        """Lets the usage say of the rest of the line what it is; argparse has three dots there."""
        text = self.format_usage().removeprefix("usage: ")
        self.usage = text.rstrip().removesuffix("...") + "[--] CMD [ARGUMENT...]"

    def options(self):
        """The actions that are options, help included."""
        return [action for action in self._actions if action.option_strings]

    def operands(self):
        """The actions that are words without a dash."""
        return [action for action in self._actions if not action.option_strings]

    def unknown_option(self, words, has_command):
        """The first option that there is not, or None. Looked for before argparse does, which
        complains of what else is missing, as it may be for this very reason."""
        previous = ""
        for word in words:
            is_command = has_command and not word.startswith("-") and not self.wants_value(previous)
            if word == "--" or is_command:
                return None
            if looks_like_option(word) and not self.action_of(word):
                return word.partition("=")[0]
            previous = word
        return None

    def has_empty_operand(self, words, has_command):
        """Whether a word that is no option's value, nor of the command, is empty: as a rule a
        variable that was not set. Python would take it for the current folder."""
        own = words[: words.index("--")] if has_command and "--" in words else words
        for previous, word in zip(["", *own], own):
            if not self.wants_value(previous):
                if not word:
                    return True
                if has_command and not word.startswith("-"):
                    return False
        return False

    def action_of(self, word):
        """What argparse does at an option: --name, --name=VALUE, -n or -nVALUE; or None."""
        name = word.partition("=")[0]
        known = self._option_string_actions
        return known.get(name) or (None if name.startswith("--") else known.get(name[:2]))

    def wants_value(self, word):
        """Whether the next word must be this one's value."""
        action = self._option_string_actions.get(word)
        return bool(action) and action.nargs not in (0, "?")

    def error(self, message):
        """Ends the command with the line that tells a usage error."""
        line = " ".join(message.removeprefix("argument ").splitlines())
        self.exit(BAD_INPUT, f"{self.prog}: {line} (see {self.prog} -h)\n")

    def _get_value(self, action, arg_string):
        """argparse's, but an empty word is no name, which Python would take for the current folder.
        Options of the type str or Path are names; others say themselves what they want."""
        is_name = bool(action.option_strings) and isinstance(action.type, type)
        if not arg_string and is_name and action.nargs is None:
            raise argparse.ArgumentError(action, "'': an empty word")
        return super()._get_value(action, arg_string)

    def _check_value(self, action, value):
        """argparse's, in other words."""
        if action.choices is not None and value not in action.choices:
            names = [str(choice) for choice in action.choices]
            what = f"{value}: not one of {', '.join(names)}{meant(str(value), names)}"
            raise argparse.ArgumentError(action, what)


def formatter(prog):
    """What lays out the help. argparse would load shutil, with all kinds of compression, to ask for
    the width of the terminal."""
    return argparse.RawDescriptionHelpFormatter(prog, width=columns() - 2)


def columns():
    """The width of the terminal, as shutil tells it."""
    given = os.environ.get("COLUMNS", "")
    if given.isdecimal() and int(given):
        return int(given)
    try:
        return os.get_terminal_size(sys.__stdout__.fileno()).columns or WIDTH
    except (AttributeError, ValueError, OSError):
        return WIDTH


def looks_like_option(word):
    """Whether argparse takes a word for an option, known or not."""
    return word[:1] == "-" and word != "-" and " " not in word and not NEGATIVE.fullmatch(word)
