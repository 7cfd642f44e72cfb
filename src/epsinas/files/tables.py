"""The tables that go from one stage to the next: what is in them, how to read, check and write them.

Every reader checks the whole file and raises `InputError`, in one line, at the first thing that is not as
described: the file, the column or array, the row (counted from 0), what was found and what was expected.
Writers check in the same way, then write beside the file and rename, so that no partial file is left behind.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from epsinas.errors import InputError, one_line
from epsinas.files.whole import atomic, existing


@dataclass(frozen=True)
class Column:
    """One column of a table: its Arrow type, and which values it admits. Bounds are inclusive."""

    name: str
    type: pa.DataType
    null: bool = False
    finite: bool = True
    minimum: float | None = None
    maximum: float | None = None
    choices: tuple[str, ...] = ()

    def admits(self, found: pa.DataType) -> bool:
        """Say whether values of the type `found` are of this column's kind, of whatever width."""
        if pa.types.is_dictionary(found):
            found = found.value_type
        if pa.types.is_integer(self.type):
            return pa.types.is_integer(found) or (self.null and pa.types.is_null(found))
        if pa.types.is_floating(self.type):
            return pa.types.is_floating(found) or pa.types.is_integer(found)
        return pa.types.is_string(found) or pa.types.is_large_string(found)


@dataclass(frozen=True)
class TableSchema:
    """A table's columns, those that identify a row, measures of which it has at least one, whether it may be empty."""

    columns: tuple[Column, ...]
    key: tuple[str, ...]
    measures: tuple[Column, ...] = ()
    empty: bool = False


_INDEX = Column("index", pa.int32(), minimum=0)
_DATASET = Column("dataset", pa.string())

ARCHITECTURES = TableSchema((_INDEX, Column("architecture", pa.string())), key=("index",))
PERFORMANCE = TableSchema(
    (
        _INDEX,
        _DATASET,
        Column("split", pa.string(), choices=("valid", "test")),
        Column("epochs", pa.int16(), minimum=0),
        Column("seed", pa.int8(), null=True),
    ),
    key=("index", "dataset", "split", "epochs", "seed"),
    measures=(
        # A training that failed has neither; that it took place is worth a row.
        Column("accuracy", pa.float64(), null=True, minimum=0, maximum=100),
        Column("loss", pa.float64(), null=True, minimum=0),
    ),
)
TRAINING_COST = TableSchema((_INDEX, Column("seconds", pa.float64(), minimum=0)), key=("index",))
PUBLISHED_SCORES = TableSchema(
    (_INDEX, _DATASET, Column("metric", pa.string()), Column("score", pa.float64(), null=True, finite=False)),
    key=("index", "dataset", "metric"),
)

COMPUTED_SCORES = TableSchema(
    (
        _INDEX,
        _DATASET,
        Column("inputs", pa.string()),
        Column("metric", pa.string()),
        Column("setting", pa.string()),
        Column("score", pa.float64(), null=True),
    ),
    key=("index", "dataset", "metric", "setting"),
)

CONSTANT_WEIGHT_SCORES = TableSchema(
    (
        _INDEX,
        _DATASET,
        Column("inputs", pa.string()),
        Column("metric", pa.string()),
        Column("precision", pa.string()),
        Column("score", pa.float64(), null=True),
    ),
    key=("index", "dataset", "metric", "precision"),
)

REASONS = ("", "disconnected", "underflow", "overflow", "constant", "failed")
"""Why a network has no score, empty where it has one; see `epsinas.metrics.base.REASONS`."""

SCORES = TableSchema(
    (
        _INDEX,
        Column("metric", pa.string()),
        Column("setting", pa.string()),
        Column("draw", pa.int16(), minimum=0),
        Column("score", pa.float64(), null=True),
        Column("error", pa.float64(), null=True, minimum=0, finite=False),
        Column("reason", pa.string(), choices=REASONS),
        Column("seconds", pa.float64(), minimum=0),
    ),
    key=("index", "metric", "setting", "draw"),
    empty=True,  # a chunk may be left without networks
)

TRAINING = TableSchema(
    (
        _INDEX,
        Column("seed", pa.int8(), minimum=0),
        Column("valid", pa.float64(), null=True, minimum=0, maximum=100),
        Column("test", pa.float64(), null=True, minimum=0, maximum=100),
        Column("loss", pa.float64(), null=True, finite=False),
        Column("seconds", pa.float64(), minimum=0),
        Column("status", pa.string(), choices=("ok", "non-finite")),
    ),
    key=("index", "seed"),
    empty=True,
)


def read_architectures(path: str | Path) -> pd.DataFrame:
    """Read `{space}.architectures.parquet`: `index` int32, unique; `architecture` text; others free."""
    return read_table(path, ARCHITECTURES)


def write_architectures(frame: pd.DataFrame, path: str | Path) -> None:
    """Check and write what `read_architectures` reads."""
    write_table(frame, path, ARCHITECTURES)


def read_performance(path: str | Path) -> pd.DataFrame:
    """Read `{space}.performance.parquet`, what the networks reach when they are trained.

    Columns: `index` int32, `dataset` text, `split` "valid" or "test", `epochs` int16, `seed` Int8 (null for
    the mean over the benchmark's seeds), and `accuracy` in percent or `loss` in nats (null where training
    failed), both float64. Further columns are free. No two rows agree in the first five columns.
    """
    return read_table(path, PERFORMANCE)


def write_performance(frame: pd.DataFrame, path: str | Path) -> None:
    """Check and write what `read_performance` reads."""
    write_table(frame, path, PERFORMANCE)


def read_training_cost(path: str | Path) -> pd.DataFrame:
    """Read `{space}.training-cost.parquet`: `index` int32, unique; `seconds` float64 of training."""
    return read_table(path, TRAINING_COST)


def write_training_cost(frame: pd.DataFrame, path: str | Path) -> None:
    """Check and write what `read_training_cost` reads."""
    write_table(frame, path, TRAINING_COST)


def read_published_scores(path: str | Path) -> pd.DataFrame:
    """Read `{space}.published-scores.parquet`, the scores that others published for their own metrics.

    Columns: `index` int32, `dataset` and `metric` text, `score` float64, null or infinite for none.
    """
    return read_table(path, PUBLISHED_SCORES)


def write_published_scores(frame: pd.DataFrame, path: str | Path) -> None:
    """Check and write what `read_published_scores` reads."""
    write_table(frame, path, PUBLISHED_SCORES)


def read_computed_scores(path: str | Path) -> pd.DataFrame:
    """Read `{space}.computed-scores.parquet`, the scores that this project computed for all networks once.

    Columns: `index` int32, of networks that stand for those that train alike, `dataset` whose images' shape and number
    of classes the networks had, `inputs`, what they saw, `metric` and `setting` text, `score` float64, null for none.
    """
    return read_table(path, COMPUTED_SCORES)


def write_computed_scores(frame: pd.DataFrame, path: str | Path) -> None:
    """Check and write what `read_computed_scores` reads."""
    write_table(frame, path, COMPUTED_SCORES)


def read_constant_weight_scores(path: str | Path) -> pd.DataFrame:
    """Read `{space}.constant-weight-scores.parquet`, as `read_computed_scores`, with `precision` for `setting`."""
    return read_table(path, CONSTANT_WEIGHT_SCORES)


def write_constant_weight_scores(frame: pd.DataFrame, path: str | Path) -> None:
    """Check and write what `read_constant_weight_scores` reads."""
    write_table(frame, path, CONSTANT_WEIGHT_SCORES)


def read_scores(path: str | Path) -> pd.DataFrame:
    """Read scores: a row for each network, metric, setting and draw of a batch; further columns are free.

    Columns: `index` int32, `metric` and `setting` text (`1e-07,1` for a pair of weights, empty for most metrics),
    `draw` int16, `score` float64, null for none, `error` float64, the estimate of the score's relative error by
    rounding (see `epsinas.metrics.rounding`), null where there is none, `reason`, why there is no score (REASONS), and
    `seconds` that it took, 0 for a network that has the score of another.
    """
    return read_table(path, SCORES)


def write_scores(frame: pd.DataFrame, path: str | Path) -> None:
    """Check and write what `read_scores` reads."""
    write_table(frame, path, SCORES)


def read_own_scores(path: str | Path, networks: pd.DataFrame, datasets: Sequence[str]) -> pd.DataFrame:
    """Read scores of one's own from a CSV with the columns `architecture` and `score`, and `dataset` where they differ.

    Args:
        path: of the file.
        networks: `index` and `architecture` of those that there are.
        datasets: whose names may occur.

    Returns:
        `index` int32, `dataset` text, empty where the file has none, and `score` float64, NaN for none.

    Raises:
        InputError: a column is missing, a score is no number, an architecture or data set is unknown or comes twice.
    """
    path = existing(path)
    try:
        table = pd.read_csv(path, dtype={"architecture": str, "dataset": str})
    except (OSError, ValueError) as error:
        raise InputError(f"{path}: not a readable CSV file: {one_line(error)}") from error
    for name in ("architecture", "score"):
        if name not in table:
            raise InputError(f"{path}: column {name} is missing; found {_listed([str(column) for column in table])}")
    score = pd.to_numeric(table["score"], errors="coerce")
    known = networks.set_index("architecture")["index"]
    dataset = table["dataset"].fillna("") if "dataset" in table else pd.Series("", index=table.index)
    architecture = table["architecture"].fillna("").str.strip()
    unknown = [
        ("score", score.isna() & table["score"].notna(), table["score"], "a number"),
        ("architecture", ~architecture.isin(known.index), table["architecture"], "one of the benchmark's networks"),
        ("dataset", ~dataset.isin(["", *datasets]), dataset, " or ".join(datasets)),
        ("architecture", pd.concat([architecture, dataset], axis=1).duplicated(), architecture, "each once"),
    ]
    for name, wrong, values, expected in unknown:
        if wrong.any():
            row = int(np.argmax(wrong.to_numpy()))
            raise InputError(f"{path}: column {name}: row {row}: found {values.iloc[row]}, expected {expected}")
    index = known[~known.index.duplicated()].reindex(architecture).to_numpy(np.int32)
    return pd.DataFrame({"index": index, "dataset": dataset, "score": score.astype(np.float64)})


def write_csv(frame: pd.DataFrame, path: str | Path) -> None:
    """Write a table as CSV, with full float64 digits and empty fields for missing values."""
    with atomic(path) as temporary:
        frame.to_csv(temporary, index=False)


def read_table(path: str | Path, schema: TableSchema) -> pd.DataFrame:
    """Read and check a Parquet table; columns that the schema names get the schema's types.

    Integers of another width are taken where their values fit.
    """
    path = existing(path)
    try:
        # Not pq.read_table, which makes columns of folder names such as "split=valid".
        table = pq.ParquetFile(path).read()
    except (OSError, pa.ArrowException) as error:
        raise InputError(f"{path}: not a readable Parquet file: {one_line(error)}") from error
    return _conform(table, schema, path)


def count_rows(path: str | Path) -> int:
    """Return how many rows a Parquet table has, of which nothing else is read.

    Raises:
        InputError: there is no such file, or it is no Parquet file.
    """
    return _opened(path).metadata.num_rows


def distinct_rows(path: str | Path, columns: Sequence[str]) -> list[tuple[Any, ...]]:
    """Return every combination of values that some columns of a Parquet table have, in the order of appearance.

    Raises:
        InputError: there is no such file, it is no Parquet file, or a column is missing.
    """
    file = _opened(path)
    for name in columns:
        if name not in file.schema_arrow.names:
            raise InputError(f"{path}: column {name} is missing; found {_listed(file.schema_arrow.names)}")
    try:
        table = file.read(columns=list(columns))
    except (OSError, pa.ArrowException) as error:
        raise InputError(f"{path}: not a readable Parquet file: {one_line(error)}") from error
    combinations = table.group_by(list(columns), use_threads=False).aggregate([]).select(list(columns))
    return [tuple(row.values()) for row in combinations.to_pylist()]


def _opened(path: str | Path) -> pq.ParquetFile:
    try:
        return pq.ParquetFile(existing(path))
    except (OSError, pa.ArrowException) as error:
        raise InputError(f"{path}: not a readable Parquet file: {one_line(error)}") from error


def write_table(frame: pd.DataFrame, path: str | Path, schema: TableSchema) -> None:
    """Check a table and write it as Parquet, without the data frame's own index."""
    path = Path(path)
    try:
        table = pa.Table.from_pandas(frame, preserve_index=False)
    except pa.ArrowException as error:
        raise InputError(f"{path}: not a table of plain columns: {one_line(error)}") from error
    frame = _conform(table, schema, path)
    with atomic(path) as temporary:
        frame.to_parquet(temporary, index=False)


def _conform(table: pa.Table, schema: TableSchema, path: Path) -> pd.DataFrame:
    """Return the table as a data frame with the schema's types, or say what is wrong with it."""
    measures = [column for column in schema.measures if column.name in table.column_names]
    if schema.measures and not measures:
        wanted = " or ".join(column.name for column in schema.measures)
        raise InputError(f"{path}: column {wanted} is missing; found {_listed(table.column_names)}")
    for column in (*schema.columns, *measures):
        if table.column_names.count(column.name) != 1:
            what = "appears twice" if column.name in table.column_names else "is missing"
            raise InputError(f"{path}: column {column.name} {what}; found {_listed(table.column_names)}")
        position = table.column_names.index(column.name)
        table = table.set_column(position, column.name, _cast(table[column.name], column, path))
    if not table.num_rows and not schema.empty:
        raise InputError(f"{path}: found 0 rows, expected at least one")
    # Without the metadata that pandas adds: it would take a column named `index` for the data frame's own.
    frame = table.to_pandas(ignore_metadata=True)
    frame = frame.drop(columns=[name for name in frame if name.startswith("__index_level_")])
    for column in schema.columns:
        if column.null and pa.types.is_integer(column.type):
            frame[column.name] = frame[column.name].astype(_nullable(column.type))
    _refuse_duplicates(frame, schema.key, path)
    return frame


def _nullable(kind: pa.DataType) -> str:
    """Return pandas' integer type with missing values for an Arrow integer type: `Int8` for int8."""
    return str(kind).replace("uint", "UInt").replace("int", "Int")


def _cast(values: pa.ChunkedArray, column: Column, path: Path) -> pa.ChunkedArray:
    """Return a column's values in its own type, every one of them admitted."""
    where = f"{path}: column {column.name}"
    if not column.admits(values.type):
        raise InputError(f"{where}: found values of type {values.type}, expected {column.type}")
    try:
        values = values.cast(column.type)
    except pa.ArrowInvalid as error:
        raise InputError(f"{where}: {one_line(error)}, expected {column.type}") from error
    if not column.null:
        _refuse(pc.is_null(values, nan_is_null=True), values, f"{where}: %s, expected a value")
    if column.finite and pa.types.is_floating(column.type):
        _refuse(pc.is_inf(values), values, f"{where}: %s, expected a finite number")
    if column.minimum is not None:
        _refuse(pc.less(values, column.minimum), values, f"{where}: %s, expected at least {column.minimum}")
    if column.maximum is not None:
        _refuse(pc.greater(values, column.maximum), values, f"{where}: %s, expected at most {column.maximum}")
    if column.choices:
        known = pc.is_in(values, value_set=pa.array(column.choices))
        _refuse(pc.invert(known), values, f"{where}: %s, expected {' or '.join(column.choices)}")
    return values


def _refuse(wrong: pa.ChunkedArray, values: pa.ChunkedArray, message: str) -> None:
    """Raise `message`, its %s filled with the first row that is wrong and what was found there."""
    row = pc.index(wrong, True).as_py()
    if row >= 0:
        found = values[row].as_py()
        raise InputError(message % f"row {row}: found {'null' if found is None else found}")


def _refuse_duplicates(frame: pd.DataFrame, key: tuple[str, ...], path: Path) -> None:
    repeated = np.flatnonzero(frame.duplicated(list(key)))
    if repeated.size:
        row = repeated[0]
        what = ", ".join(f"{name} {frame[name].iloc[row]}" for name in key)
        raise InputError(f"{path}: row {row}: found {what} a second time, expected one row for each")


def _listed(names: list[str]) -> str:
    return ", ".join(names) or "no columns"
