"""The numbers that the paper prints, as data."""

from importlib.resources import files

import pandas as pd


def read_published() -> pd.DataFrame:
    """Read the 860 numbers in the tables of Gracheva (2024), arXiv 2302.04406v2.

    Returns:
        `table` int, `block`, `row`, `column`, `value` (text, with the digits that are printed), `spread` (the number
        after +-, empty where there is none) and `original_authors_value` (what the table gives between brackets).
    """
    with files("epsinas").joinpath("data/published.csv").open("rb") as file:
        return pd.read_csv(file, dtype=str, keep_default_na=False).astype({"table": int})
