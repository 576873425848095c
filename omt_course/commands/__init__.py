"""The commands of ``omt``, one module each, and what their arguments share.

Each module has ``add(commands)``, which imports nothing heavy; a command imports what it needs
when it runs.
"""

import argparse
from pathlib import Path


class CommandError(Exception):
    """What the user has to know, in one sentence."""


def add_command(commands, name, run, help, *, after_interrupt=""):
    """Add one command: ``run(options)`` does it, ``after_interrupt`` says how to go on."""
    parser = commands.add_parser(name, help=help, description=help[0].upper() + help[1:] + ".")
    parser.set_defaults(run=run, after_interrupt=after_interrupt)
    return parser


def positive(text):
    """Read a positive integer, for argparse."""
    if not text.isdecimal() or int(text) < 1:
        raise argparse.ArgumentTypeError(f"expected a positive integer; got {text}")
    return int(text)


def output(*suffixes):
    """Return a reader of file names with one of these endings, for argparse."""

    def path(text):
        if Path(text).suffix not in suffixes:
            known = " or ".join(suffixes)
            raise argparse.ArgumentTypeError(f"expected a name ending in {known}; got {text}")
        return Path(text)

    return path
