"""Compare the tables of a run with those that are committed, and say what moved.

python -m epsinas.study.reference results/paper results/reference
"""

import sys
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pandas as pd

from epsinas.errors import InputError

OF_THE_MACHINE = ("cost_hours", "cost_origin", "milliseconds", "largest_difference")
"""Columns that depend on it: times, and how far scores with random weights are from those that the package has."""

ABSOLUTE, RELATIVE = 5e-3, 5e-3
"""A number that is farther off than the sum of these has moved: half a unit of the second digit of a correlation."""


def moved(new: Path, reference: Path) -> pd.DataFrame:
    """Compare every CSV file of a reference with the file of its name in a new run.

    Numbers may differ by ABSOLUTE + RELATIVE times the reference, since another machine rounds otherwise; texts may
    not.

    Args:
        new: folder of the run's results.
        reference: folder of the committed ones.

    Returns:
        A row for each value that moved: `file`, `row` (from 0), `column`, `reference` and `found`; a file that is
        missing or has other rows is one row.

    Raises:
        InputError: the reference has no tables.
    """
    files = sorted(path for path in reference.rglob("*.csv"))
    if not files:
        raise InputError(f"{reference}: found no tables, expected those of a reference")
    found = [difference for path in files for difference in _differences(new, reference, path.relative_to(reference))]
    return pd.DataFrame(found, columns=["file", "row", "column", "reference", "found"])


def _differences(new: Path, reference: Path, name: Path) -> list[tuple[str, int, str, object, object]]:
    expected = pd.read_csv(reference / name)
    if not (new / name).is_file():
        return [(str(name), 0, "", f"{len(expected)} rows", "no such file")]
    table = pd.read_csv(new / name)
    if len(table) != len(expected):
        return [(str(name), 0, "", f"{len(expected)} rows", f"{len(table)} rows")]
    differences: list[tuple[str, int, str, object, object]] = []
    for column in map(str, expected):
        if column in OF_THE_MACHINE:
            continue
        if column not in table:
            differences.append((str(name), 0, column, "a column", "no such column"))
            continue
        same = _agree(expected[column], table[column])
        if column in ("reproduced", "note") and "column" in expected:  # of the ledger, where a row is a cell of a table
            same = same | expected["column"].isin(OF_THE_MACHINE).to_numpy()
        for row in np.flatnonzero(~same):
            differences.append((str(name), int(row), column, expected[column][row], table[column][row]))
    return differences


def _agree(expected: pd.Series, found: pd.Series) -> np.ndarray:
    if pd.api.types.is_numeric_dtype(expected) and pd.api.types.is_numeric_dtype(found):
        return np.isclose(found.astype(float), expected.astype(float), rtol=RELATIVE, atol=ABSOLUTE, equal_nan=True)
    return (expected.fillna("").astype(str) == found.fillna("").astype(str)).to_numpy()


def report_moved(arguments: Sequence[str]) -> int:
    """Print what moved; return 0 where nothing did, 1 where something did, and 2 for a mistake."""
    if len(arguments) != 2:
        print("usage: python -m epsinas.study.reference RESULTS REFERENCE", file=sys.stderr)
        return 2
    new, reference = map(Path, arguments)
    try:
        found = moved(new, reference)
    except InputError as error:
        print(f"epsinas: {error}", file=sys.stderr)
        return 2
    if found.empty:
        print(f"{new}: nothing moved against {reference}")
        return 0
    print(found.to_string(index=False, max_colwidth=60))
    print(f"{new}: {len(found)} values moved against {reference}")
    return 1


if __name__ == "__main__":
    sys.exit(report_moved(sys.argv[1:]))
