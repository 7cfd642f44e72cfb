"""The command line: `epsinas score`, `epsinas weights`, `epsinas diagnose`, `epsinas rank`, `epsinas init`
and `epsinas verify`."""

import argparse
import contextlib
import signal
import sys
from collections.abc import Sequence

from epsinas import __version__
from epsinas.cli.init import add_init
from epsinas.cli.models import add_diagnose
from epsinas.cli.options import add_import_option
from epsinas.cli.rank import add_rank
from epsinas.cli.spaces import add_score, add_weights
from epsinas.cli.verify import add_verify
from epsinas.errors import InputError
from epsinas.registry import import_all


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command line and return its exit code: 0, 2 for a mistake in the input, 130 when interrupted."""
    # A reader that closes the pipe early, such as head, ends this program like any other filter.
    with contextlib.suppress(AttributeError, ValueError):
        signal.signal(signal.SIGPIPE, signal.SIG_DFL)
    try:
        # Modules of one's own first: they may add search spaces to the options.
        first = argparse.ArgumentParser(add_help=False, allow_abbrev=False)
        add_import_option(first)
        import_all(first.parse_known_args(arguments)[0].modules)
        options = _parser().parse_args(arguments)
        options.run(options)
    except InputError as error:
        print(f"epsinas: {error}", file=sys.stderr)
        return 2
    except OSError as error:
        print(f"epsinas: {error.filename or 'output'}: {error.strerror or error}", file=sys.stderr)
        return 2
    except KeyboardInterrupt:
        print("epsinas: interrupted", file=sys.stderr)
        return 130
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="epsinas", description="Score neural networks without training them, reproducibly."
    )
    parser.add_argument("--version", action="version", version=f"epsinas {__version__}")
    add_import_option(parser)
    commands = parser.add_subparsers(dest="command", required=True, metavar="COMMAND")
    for add_command in (add_score, add_weights, add_diagnose, add_rank, add_init, add_verify):
        add_command(commands)
    return parser
