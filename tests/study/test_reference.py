import pandas as pd
import pytest

from epsinas import InputError
from epsinas.study.reference import moved, report_moved

TABLE = {"metric": ["epsilon", "epsilon"], "rho": [0.85, 0.5], "networks": [9226, None], "milliseconds": [3.0, 4.0]}


@pytest.fixture
def folders(tmp_path):
    new, reference = tmp_path / "new", tmp_path / "reference"
    for folder in (new, reference):
        (folder / "tables").mkdir(parents=True)
        pd.DataFrame(TABLE).to_csv(folder / "tables" / "table1.csv", index=False)
    return new, reference


def change(folder, **columns):
    pd.DataFrame(TABLE | columns).to_csv(folder / "tables" / "table1.csv", index=False)


def test_the_same_tables(folders, capsys):
    assert moved(*folders).empty
    assert report_moved([str(folder) for folder in folders]) == 0
    assert "nothing moved against" in capsys.readouterr().out


def test_times_and_last_digits_do_not_count(folders):
    change(folders[0], milliseconds=[9.0, 9.0], rho=[0.854, 0.5])
    assert moved(*folders).empty


def test_times_in_the_ledger_do_not_count_either(folders):
    """There a row is a cell of a table, and the note says how long was measured."""
    cells = {"column": ["cost_hours", "spearman"], "reproduced": [0.04, 0.8], "note": ["42 s", ""]}
    for folder, changed in zip(folders, ({"reproduced": [0.03, 0.8], "note": ["34 s", ""]}, {}), strict=True):
        pd.DataFrame(cells | changed).to_csv(folder / "ledger.csv", index=False)
    assert moved(*folders).empty
    pd.DataFrame(cells | {"note": ["42 s", "another"]}).to_csv(folders[0] / "ledger.csv", index=False)
    assert moved(*folders)[["row", "column", "found"]].to_numpy().tolist() == [[1, "note", "another"]]


def test_what_moved_is_named(folders, capsys):
    change(folders[0], rho=[0.86, 0.5], metric=["epsilon", "synflow"])
    found = moved(*folders)
    assert found.to_numpy().tolist() == [
        ["tables/table1.csv", 1, "metric", "epsilon", "synflow"],
        ["tables/table1.csv", 0, "rho", 0.85, 0.86],
    ]
    assert report_moved([str(folder) for folder in folders]) == 1
    assert "2 values moved against" in capsys.readouterr().out


def test_missing_values_rows_columns_and_files_have_moved(folders):
    new, _ = folders
    change(new, networks=[9226, 5])
    assert moved(*folders)["column"].tolist() == ["networks"]
    pd.DataFrame(TABLE).head(1).to_csv(new / "tables" / "table1.csv", index=False)
    assert moved(*folders)[["reference", "found"]].to_numpy().tolist() == [["2 rows", "1 rows"]]
    pd.DataFrame(TABLE).drop(columns="rho").to_csv(new / "tables" / "table1.csv", index=False)
    assert moved(*folders)["found"].tolist() == ["no such column"]
    (new / "tables" / "table1.csv").unlink()
    assert moved(*folders)["found"].tolist() == ["no such file"]


def test_mistakes(tmp_path, capsys):
    with pytest.raises(InputError, match="found no tables, expected those of a reference"):
        moved(tmp_path, tmp_path)
    assert report_moved([str(tmp_path), str(tmp_path)]) == 2
    assert capsys.readouterr().err.startswith(f"epsinas: {tmp_path}: found no tables")
    assert report_moved([]) == 2
