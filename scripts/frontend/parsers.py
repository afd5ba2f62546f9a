"""The parsers of all verbs at once, for what is made of them: the manual and the completion. The
command itself loads the parser of one verb only."""

from frontend import cli


def all_parsers():
    """{verb: its parser}, in the order of `spanbench -h`."""
    return {name: cli.load(name)[1] for name in cli.VERBS}


def options_of(parser):
    """The actions of a parser that are options, help included."""
    return [action for action in parser._actions if action.option_strings]


def operands_of(parser):
    """The actions of a parser that are words without a dash."""
    return [action for action in parser._actions if not action.option_strings]
