"""The command that compares a study's files with what its provenance recorded: `epsinas verify`."""

import argparse
from pathlib import Path
from typing import Any

from epsinas.cli.options import add_command
from epsinas.errors import InputError

_VERIFY = """\
Compare the files of a study, data, scores, tables and figures, with the checksums (SHA-256) that provenance.json
recorded when they were made. Every file that is missing or has another content is printed, and the exit code is then 2.
Not compared are the report, logs and times, and files that were made later.

A table is made of scores that were checked for their columns and values when it was made, and never again: whatever
happens to a file after that, by a disk, an editor or another run, is what this finds.
"""


def add_verify(commands: Any) -> None:
    """Add the command."""
    parser = add_command(commands, "verify", help="compare a study's files with their checksums", description=_VERIFY)
    parser.add_argument("results", metavar="results/STUDY", type=Path, help="the study's folder, with provenance.json")
    parser.set_defaults(run=_verify)


def _verify(options: argparse.Namespace) -> None:
    from epsinas.study.provenance import verify  # imports pandas

    if problems := verify(options.results):
        print(*problems, sep="\n")
        raise InputError(f"{options.results}: found {len(problems)} files that are not as they were made")
    print(f"epsinas: {options.results}: every file is as it was made")
