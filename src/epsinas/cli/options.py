"""What the commands have in common: options, and how results are written."""

from __future__ import annotations

import argparse
import contextlib
import io
import os
import sys
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any, TextIO

import numpy as np

from epsinas.errors import InputError
from epsinas.files.arrays import read_array
from epsinas.files.whole import atomic
from epsinas.metrics.base import LABELS, Metric, find_metric

if TYPE_CHECKING:
    import pandas as pd


def add_command(commands: Any, name: str, **texts: str) -> argparse.ArgumentParser:
    """Add a command with the lines of its description and its examples as they are."""
    parser: argparse.ArgumentParser = commands.add_parser(
        name, formatter_class=argparse.RawDescriptionHelpFormatter, **texts
    )
    return parser


def add_import_option(parser: argparse.ArgumentParser) -> None:
    """Add modules of one's own."""
    parser.add_argument(
        "--import",
        dest="modules",
        action="append",
        default=[],
        metavar="MODULE",
        help="a module of one's own that registers search spaces or metrics; may be repeated",
    )


def add_metric_options(parser: argparse.ArgumentParser, metrics: Iterable[Metric]) -> None:
    """Add the metric, one of these or one's own, and what some metrics need."""
    names = ", ".join(metric.name for metric in metrics)
    parser.add_argument(
        "--metric",
        default="epsilon",
        metavar="NAME",
        help=f"one of {names} (default epsilon), or package.module:function for one's own, of a network and a batch",
    )
    parser.add_argument(
        "--labels", metavar="LABELS.npy", help="integers (N,), one for each image, where a metric needs them"
    )
    parser.add_argument("--seed", type=int, default=0, metavar="S", help="of random numbers (default 0)")


def chosen_metric(options: argparse.Namespace) -> tuple[Metric, np.ndarray | None]:
    """Return the metric and the labels that `add_metric_options` asked for."""
    metric = find_metric(options.metric)
    labels = None if options.labels is None else read_array(options.labels, "labels")
    if labels is None and LABELS in metric.needs:
        raise InputError(f"--labels: found none, expected LABELS.npy; the metric {metric.name} needs them")
    return metric, labels


def check_seed(seed: int) -> None:
    """Raise `InputError` where a seed is negative."""
    if seed < 0:
        raise InputError(f"--seed: found {seed}, expected 0 or more")


def add_zeros_option(parser: argparse.ArgumentParser) -> None:
    """Add what becomes of entries that are 0."""
    parser.add_argument(
        "--zeros",
        default="masked",
        choices=["masked", "kept"],
        help="leave entries that are 0 after normalisation out, as the published numbers do (default), or keep them",
    )


def add_output_option(parser: argparse.ArgumentParser) -> None:
    """Add where a table goes; see `check_output` and `opened_output`."""
    parser.add_argument("--output", metavar="FILE.csv", help="default: standard output")


def check_output(file: str | None, option: str = "--output") -> None:
    """Find before the work what would keep its result from being written."""
    if file is None:
        check_standard_output()
        return
    path = Path(file)
    if not path.name or (path.exists() and not path.is_file()):
        raise InputError(f"{option}: found {str(path)!r}, expected the name of a file")
    if path.exists() and not os.access(path, os.W_OK):
        raise InputError(f"{option}: {path} cannot be written: read-only")
    folder = next(parent for parent in Path(os.path.realpath(path)).parents if parent.exists())
    if not folder.is_dir() or not os.access(folder, os.W_OK):
        raise InputError(f"{option}: {path} cannot be written, {folder} is not a writable folder")


def check_standard_output() -> None:
    """Raise `InputError` where the program began with its standard output closed."""
    if sys.__stdout__ is None:
        raise InputError("standard output: found it closed, expected it to be open")


@contextlib.contextmanager
def opened_output(file: str | None) -> Iterator[TextIO]:
    """Write to standard output or to a file that appears only when it is complete."""
    if file is None:
        yield sys.stdout
        sys.stdout.flush()
        return
    with atomic(file) as temporary:
        buffer = io.StringIO()
        yield buffer
        temporary.write_text(buffer.getvalue(), encoding="utf-8")


def digits(score: float) -> str:
    """Return all digits of a score, or nothing where there is none."""
    return "" if np.isnan(score) else repr(float(score))


def write_choice(table: pd.DataFrame, output: str | None, given: str) -> None:
    """Write all windows of weights that were tried, and say which was chosen for what was given."""
    from epsinas.weights import chosen_pair

    with opened_output(output) as file:
        table.to_csv(file, index=False)
    low, high = chosen_pair(table, given)
    print(f"epsinas: chosen weights {low:g} {high:g}", file=sys.stderr)
