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

from epsinas.errors import InputError, one_line, shown
from epsinas.files.whole import atomic, check_unpacked, existing


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
    failed, which it has not everywhere), both float64. Further columns are free. No two rows agree in the first five
    columns.
    """
    table = read_table(path, PERFORMANCE)
    measures = [column.name for column in PERFORMANCE.measures if column.name in table]
    if table[measures].isna().all(axis=None):
        raise InputError(f"{path}: column {measures[0]}: found no value in any row, expected that of some training")
    return table


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
        header = pd.read_csv(path, header=None, nrows=1, dtype=str).iloc[0].tolist()  # pandas renames what comes twice
    except (OSError, ValueError) as error:
        raise InputError(f"{path}: not a readable CSV file: {one_line(error)}") from error
    for name in ("architecture", "score"):
        if name not in table:
            raise InputError(f"{path}: column {name} is missing; found {_listed([str(column) for column in table])}")
    for name in ("architecture", "dataset", "score"):
        if header.count(name) > 1:
            raise InputError(f"{path}: column {name} appears twice; found {_listed(header)}")
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
            raise InputError(f"{path}: column {name}: row {row}: found {_found(values.iloc[row])}, expected {expected}")
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
    return _conform(_read(path), schema, Path(path))


def count_rows(path: str | Path) -> int:
    """Return how many rows a Parquet table has, of which nothing else is read.

    Raises:
        InputError: there is no such file, or it is no Parquet file.
    """
    return _opened(path).metadata.num_rows


def distinct_rows(path: str | Path, columns: Sequence[str], values: Sequence[str] = ()) -> list[tuple[Any, ...]]:
    """Return every combination of values that some columns of a Parquet table have, in the order of appearance.

    Args:
        path: of the file.
        columns: whose combinations are wanted.
        values: other columns, of which those that are there have a value in one of the rows that count.

    Raises:
        InputError: there is no such file, it is no Parquet file, or a column is missing.
    """
    known = _opened(path).schema_arrow.names
    for name in columns:
        if name not in known:
            raise InputError(f"{path}: column {name} is missing; found {_listed(known)}")
    present = [name for name in values if name in known]
    table = _read(path, [*columns, *present])
    if present:
        empty = [pc.is_null(table[name], nan_is_null=True).to_numpy() for name in present]
        table = table.filter(~np.logical_and.reduce(empty))
    combinations = table.group_by(list(columns), use_threads=False).aggregate([]).select(list(columns))
    return [tuple(row.values()) for row in combinations.to_pylist()]


def _opened(path: str | Path) -> pq.ParquetFile:
    """Open a table whose columns hold plain values, and take no more memory than they should."""
    path = existing(path)
    try:
        metadata = pq.read_metadata(path)
        columns = [metadata.schema.column(number) for number in range(metadata.num_columns)]
        for column in columns:
            if column.max_repetition_level or column.path != column.name:
                name = shown(column.path.partition(".")[0])[1:-1]
                raise InputError(f"{path}: column {name}: found lists or records, expected plain values")
        check_unpacked(path, _unpacked(metadata, columns), path.stat().st_size)
        # Texts stay as numbers in a list of those that there are, until it is known how long they are together.
        texts = [column.name for column in columns if column.physical_type == "BYTE_ARRAY"]
        return pq.ParquetFile(path, metadata=metadata, read_dictionary=texts)
    except (OSError, pa.ArrowException, UnicodeDecodeError) as error:
        raise InputError(f"{path}: not a readable Parquet file: {one_line(error)}") from error


def _unpacked(metadata: pq.FileMetaData, columns: Sequence[pq.ColumnSchema]) -> int:
    """Return how many bytes a table's values take, texts apart, however often the file repeats one."""
    total = 0
    for group in map(metadata.row_group, range(metadata.num_row_groups)):
        for number, column in enumerate(columns):
            part = group.column(number)
            total += max(part.num_values, group.num_rows) * max(8, column.length) + part.total_uncompressed_size
    return total


def _read(path: str | Path, columns: Sequence[str] | None = None) -> pa.Table:
    """Read a table, or some of its columns."""
    file = _opened(path)
    try:
        # Not pq.read_table, which makes columns of folder names such as "split=valid".
        table, characters = file.read(columns=None if columns is None else list(columns)), 0
        for number, values in enumerate(table.columns):
            if pa.types.is_dictionary(values.type):
                for chunk in values.chunks:
                    if pa.types.is_string(values.type.value_type) or pa.types.is_binary(values.type.value_type):
                        lengths = pc.binary_length(chunk.dictionary).cast(pa.int64())
                        characters += pc.sum(lengths.take(chunk.indices)).as_py() or 0
                check_unpacked(path, characters, Path(path).stat().st_size)
                table = table.set_column(number, table.column_names[number], values.cast(values.type.value_type))
        table.validate(full=True)  # such as that texts are texts
    except (OSError, pa.ArrowException) as error:
        raise InputError(f"{path}: not a readable Parquet file: {one_line(error)}") from error
    return table


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
    try:
        frame = table.to_pandas(ignore_metadata=True)
    except ValueError as error:  # such as a date that pandas has none for
        raise InputError(f"{path}: not a table of plain columns: {one_line(error)}") from error
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
        raise InputError(message % f"row {row}: found {_found(found)}")


def _found(value: Any) -> str:
    """Return a value of a table for a message, a text without quotes."""
    if value is None or value is pd.NA:
        return "null"
    text = shown(value.item() if isinstance(value, np.generic) else value)
    return text[1:-1] if isinstance(value, str) and len(value) <= 60 else text


def _refuse_duplicates(frame: pd.DataFrame, key: tuple[str, ...], path: Path) -> None:
    repeated = np.flatnonzero(frame.duplicated(list(key)))
    if repeated.size:
        row = repeated[0]
        what = ", ".join(f"{name} {_found(frame[name].iloc[row])}" for name in key)
        raise InputError(f"{path}: row {row}: found {what} a second time, expected one row for each")


def _listed(names: list[str]) -> str:
    listed = ", ".join(shown(name)[1:-1] for name in names[:40]) + ", ..." * (len(names) > 40)
    return listed or "no columns"
