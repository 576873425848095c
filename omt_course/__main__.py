"""The command line: ``python -m omt_course``, also installed as ``omt``.

Results go to stdout and to files, progress and errors to stderr. Exit codes: 0 done, 1 failed,
2 wrong usage, 130 interrupted. Nothing heavy is imported before a command needs it.
"""

import argparse
import os
import sys

from omt_course import __version__
from omt_course.commands import CommandError, data, generate, solve, train


def main(arguments=None):
    """Run a command line and return its exit code.

    Parameters
    ----------
    arguments : list of str, optional
        ``sys.argv[1:]`` by default.

    Returns
    -------
    code : int
        0 done, 1 failed, 130 interrupted; wrong usage exits with 2.

    Examples
    --------
    >>> main(["--version"])
    Traceback (most recent call last):
    SystemExit: 0
    """
    options = _parser().parse_args(arguments)
    try:
        options.run(options)
        sys.stdout.flush()
    except KeyboardInterrupt:
        return _fail(f"interrupted{options.after_interrupt}", 130)
    except BrokenPipeError:  # the reader of our output, head for one, has had enough
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 0
    except (CommandError, ValueError, OSError, RuntimeError) as error:
        return _fail(_sentence(error), 1)
    return 0


def _sentence(error):
    """Return what an exception says, in one line."""
    if isinstance(error, OSError) and error.filename is not None:
        return f"{error.filename}: {error.strerror}"
    return " ".join(str(error).split())


def _fail(sentence, code):
    print(f"omt: {sentence}", file=sys.stderr)
    return code


def _parser():
    parser = argparse.ArgumentParser(
        prog="omt", description="Geometric optimal transport for generative models."
    )
    parser.add_argument("--version", action="version", version=f"omt_course {__version__}")
    commands = parser.add_subparsers(metavar="COMMAND", required=True)
    for module in (data, train, generate, solve):
        module.add(commands)
    return parser


if __name__ == "__main__":
    sys.exit(main())
