"""The command that lays out a study: `epsinas init`."""

import argparse
import shlex
from collections.abc import Iterator
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from epsinas import __version__
from epsinas.cli.options import add_command
from epsinas.errors import InputError
from epsinas.files.whole import atomic

TEMPLATE = ("Snakefile", "config.yaml", "workflow", "profiles", "envs")
"""Files and folders of a study, in the wheel below `epsinas/template` and in a source tree at its root."""

_INIT = """\
Lay out a study: the workflow that makes every table and figure of the paper, as one edits it. DIR is made if it is
missing, and gets the files Snakefile and config.yaml and the folders workflow, profiles and envs; nothing is replaced.
config.yaml is the default study, and workflow/studies has others. `snakemake` in DIR runs it, which needs what
epsinas[workflow] installs.
"""


def add_init(commands: Any) -> None:
    """Add the command."""
    parser = add_command(commands, "init", help="lay out a study: Snakefile, config.yaml, workflow", description=_INIT)
    parser.add_argument("folder", metavar="DIR", type=Path, help="where to; . is the working directory")
    parser.set_defaults(run=_init)


def lay_out(folder: Path) -> None:
    """Write the workflow and the default study into a folder, which is made if it is missing.

    Raises `InputError` where the folder has one of the files or folders already, or cannot be written.

    Example:
        >>> from tempfile import TemporaryDirectory
        >>> with TemporaryDirectory() as folder:
        ...     lay_out(Path(folder) / "study")
        ...     print(*sorted(path.name for path in Path(folder).joinpath("study").iterdir()))
        Snakefile config.yaml envs profiles workflow
    """
    if folder.exists() and not folder.is_dir():
        raise InputError(f"{folder}: found a file, expected a folder or nothing")
    if there := [name for name in TEMPLATE if (folder / name).exists()]:
        raise InputError(f"{folder}: found {', '.join(there)} in it, expected a folder without them")
    source = _source()
    for path in _files(source):
        with atomic(folder / path.relative_to(source)) as temporary:
            temporary.write_bytes(path.read_bytes())


def _init(options: argparse.Namespace) -> None:
    lay_out(options.folder)
    steps = [f"cd {shlex.quote(str(options.folder))}", "snakemake --cores 2"]
    if find_spec("snakemake") is None:
        steps.insert(1, f"pip install 'epsinas[workflow]=={__version__}'")
    print(
        f"epsinas: {options.folder} has the study of the paper; config.yaml says what it does. To run it on two cores:"
    )
    print("  " + " && ".join(steps))


def _source() -> Path:
    """Return the folder that has the template: in an installed wheel its own, and otherwise the source tree."""
    package = Path(__file__).parents[1]
    template = package / "template"
    return template if template.is_dir() else package.parents[1]


def _files(source: Path) -> Iterator[Path]:
    """Yield the template's files, without what Python and Snakemake leave beside them."""
    for name in TEMPLATE:
        path = source / name
        for file in [path] if path.is_file() else sorted(path.rglob("*")):
            if file.is_file() and "__pycache__" not in file.parts:
                yield file
