"""The command line: `epsinas score`, `weights`, `diagnose`, `rank`, `init` and `verify`.

This module loads next to nothing, so that a signal finds it ready, also while the rest is imported.
"""

from __future__ import annotations

import os
import signal
import sys
from collections.abc import Sequence
from contextlib import suppress
from typing import TYPE_CHECKING

from epsinas.errors import InputError
from epsinas.interruption import end_on_signals

if TYPE_CHECKING:
    import argparse


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command line and return its exit code: 0, 2 for a mistake in the input, 130 when interrupted.

    Args:
        arguments: of the program where there are none; what its signals do is then decided here, too.
    """
    if arguments is None:
        _open_streams()
        end_on_signals()
        # A reader that closes the pipe early, such as head, ends this program like any other filter.
        with suppress(AttributeError):
            signal.signal(signal.SIGPIPE, signal.SIG_DFL)
    try:
        _run(arguments)
    except InputError as error:
        return _said(f"{error}")
    except MemoryError:
        return _said("memory ended; expected more of it, a smaller batch or fewer jobs")
    except OSError as error:
        if arguments is None:
            _drop_output()
        return _said(f"{error.filename or 'output'}: {error.strerror or error}")
    except KeyboardInterrupt:
        return _said("interrupted", 130)
    return 0


def _said(message: str, code: int = 2) -> int:
    """Print a line on standard error, which may be full, and return an exit code."""
    with suppress(OSError):
        print(f"epsinas: {InputError(message)}", file=sys.stderr, flush=True)
    return code


def _run(arguments: Sequence[str] | None) -> None:
    import argparse

    from epsinas.cli.options import add_import_option
    from epsinas.registry import import_all

    # Modules of one's own first: they may add search spaces to the options.
    first = argparse.ArgumentParser(add_help=False, allow_abbrev=False)
    add_import_option(first)
    import_all(first.parse_known_args(arguments)[0].modules)
    options = _parser().parse_args(arguments)
    options.run(options)
    sys.stdout.flush()


def _parser() -> argparse.ArgumentParser:
    import argparse

    from epsinas import __version__
    from epsinas.cli.init import add_init
    from epsinas.cli.models import add_diagnose
    from epsinas.cli.options import add_import_option
    from epsinas.cli.rank import add_rank
    from epsinas.cli.spaces import add_score, add_weights
    from epsinas.cli.verify import add_verify

    parser = argparse.ArgumentParser(
        prog="epsinas", description="Score neural networks without training them, reproducibly."
    )
    parser.add_argument("--version", action="version", version=f"epsinas {__version__}")
    add_import_option(parser)
    commands = parser.add_subparsers(dest="command", required=True, metavar="COMMAND")
    for add_command in (add_score, add_weights, add_diagnose, add_rank, add_init, add_verify):
        add_command(commands)
    return parser


def _open_streams() -> None:
    """Put something in the place of standard streams that are closed, lest the next file that is opened gets there."""
    for number, name in enumerate(("stdin", "stdout", "stderr")):
        try:
            os.fstat(number)
        except OSError:
            os.set_inheritable(os.open(os.devnull, os.O_RDWR), True)  # which takes the lowest number that is free
        if getattr(sys, name) is None:
            setattr(sys, name, open(number, "w" if number else "r", closefd=False))  # noqa: SIM115


def _drop_output() -> None:
    """Forget what cannot be written to standard output: Python would try again at its end, and complain."""
    try:
        sys.stdout.flush()
    except OSError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
