"""What every script begins with: standard error goes to the rule's log, a user's mistake is one line in it."""

import contextlib
import sys

from epsinas.errors import InputError


@contextlib.contextmanager
def job(snakemake):
    """Run a script's body: log what it writes, and exit with 2 and one line where the input is wrong."""
    with open(snakemake.log[0], "w") as log, contextlib.redirect_stderr(log), contextlib.redirect_stdout(log):
        try:
            yield
        except InputError as error:
            print(f"epsinas: {error}", file=log)
            sys.exit(2)
