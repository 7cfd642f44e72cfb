"""Scores that someone gives: read in any form, each found its network, mistakes named by line."""

import ast
import csv
import math
import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from numbers import Integral, Real
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pandas as pd

from epsinas.errors import InputError, shown
from epsinas.files.whole import existing
from epsinas.spaces.base import Space
from epsinas.spaces.nas_bench_101 import NasBench101
from epsinas.spaces.nas_bench_201 import EDGES, OPERATIONS, NasBench201
from epsinas.spaces.nas_bench_nlp import NasBenchNLP

NASLIB_OPERATIONS = ("skip_connect", "none", "nor_conv_3x3", "nor_conv_1x1", "avg_pool_3x3")
"""What NASLib's numbers of operations mean."""

ABSENT, UNDEFINED, INFINITE = "absent", "nan", "infinite"
"""Why a network has no score: it was not given, its score is empty or NaN, or it is infinite."""

_NONE = ("", "nan", "none", "null", "na", "n/a", "-")
_INDEX = re.compile(r"[+-]?\d+")
_HASH = re.compile(r"[0-9a-f]{32}")


class Given(NamedTuple):
    """Scores of a benchmark's networks.

    Attributes:
        scores: float64 by the benchmark's index, NaN for none.
        reasons: ABSENT, UNDEFINED or INFINITE by index, empty where there is a score.
        elsewhere: how many scores are of networks that the package does not have.
    """

    scores: pd.Series
    reasons: pd.Series
    elsewhere: int


class _Entry(NamedTuple):
    """An architecture in any notation, its score, and where both were found."""

    architecture: Any
    score: Any
    where: str


def read_scores_by_network(given: Any, space: Space, networks: pd.DataFrame) -> Given:
    """Read scores, and find the network of each.

    Args:
        given: the path of a CSV file, or a data frame, with the columns `architecture` and `score`; or a mapping or
            `pandas.Series` of scores by architecture. An architecture is the benchmark's string, or its index; of
            NAS-Bench-201 also NASLib's six numbers of operations (see `from_naslib`); of NAS-Bench-101 also the
            benchmark's hash, or another matrix of the same graph; of NAS-Bench-NLP also another recipe of the same
            cell.
        space: the benchmark's search space.
        networks: `index` and `architecture` of those that there are.

    Raises:
        InputError: no such file, a column is missing, a line is malformed, a score is no number, an architecture is of
            another space, a network comes twice, or none is the benchmark's. The message names the line.
    """
    name, entries = _entries(given)
    find = _finder(space, networks)
    places = {int(index): place for place, index in enumerate(networks["index"])}
    scores = np.full(len(networks), np.nan)
    reasons = np.full(len(networks), ABSENT, dtype=object)
    seen: dict[Any, str] = {}
    found = elsewhere = 0
    for entry in entries:
        where = f"{name}, {entry.where}"
        try:
            key, indices = find(entry.architecture)
        except InputError as error:
            raise InputError(f"{where}: {error}") from None
        for one in {key, *indices}:
            if one in seen:
                twice = f"{_short(entry.architecture)}, the network of {seen[one]}"
                raise InputError(f"{where}: found {twice}, expected each network once")
            seen[one] = entry.where
        score = _number(entry.score, where)
        found += bool(indices)
        elsewhere += not indices
        for index in indices:
            scores[places[index]] = score if math.isfinite(score) else np.nan
            reasons[places[index]] = "" if math.isfinite(score) else UNDEFINED if math.isnan(score) else INFINITE
    if not found:
        what = f"none of the {len(scores):,} networks of {space.title} inside the package" if elsewhere else "no scores"
        raise InputError(f"{name}: found {what}, expected scores of some")
    index = pd.Index(networks["index"].to_numpy(), name="index")
    return Given(pd.Series(scores, index), pd.Series(reasons, index), elsewhere)


def from_naslib(operations: Iterable[int]) -> str:
    """Return the architecture string of NAS-Bench-201 that NASLib writes as six numbers of operations.

    NASLib numbers the operations as in NASLIB_OPERATIONS, and has the edges in the order of their source: 0 to 1, 2 and
    3, then 1 to 2 and 3, then 2 to 3, where the architecture string has them by their target (naslib.search_spaces
    .nasbench201.conversions: OP_NAMES_NB201 and EDGE_LIST).

    Raises:
        InputError: they are not six numbers from 0 to 4.

    Example:
        >>> from_naslib((2, 0, 3, 1, 4, 1))
        '|nor_conv_3x3~0|+|skip_connect~0|none~1|+|nor_conv_1x1~0|avg_pool_3x3~1|none~2|'
    """
    numbers = list(operations)
    if len(numbers) != len(EDGES) or not all(isinstance(one, Integral) and 0 <= one < 5 for one in numbers):
        raise InputError(f"found {_short(tuple(numbers))}, expected six numbers of operations from 0 to 4, as NASLib's")
    by_edge = dict(zip(sorted(EDGES), numbers, strict=True))
    return NasBench201().format([OPERATIONS.index(NASLIB_OPERATIONS[by_edge[edge]]) for edge in EDGES])


def _entries(given: Any) -> tuple[str, Iterator[_Entry]]:
    """Return what to call the scores in a message, and each of them with its place."""
    if isinstance(given, str | Path):
        return str(given), _of_csv(existing(given))
    if isinstance(given, pd.DataFrame):
        _check_columns("scores", list(map(str, given.columns)))
        pairs: Iterable[tuple[Any, Any]] = zip(given["architecture"], given["score"], strict=True)
        kind = "row"
    elif isinstance(given, pd.Series | Mapping):
        pairs, kind = given.items(), "entry"
    else:
        expected = "a path, a data frame, a series or a mapping of scores by architecture"
        raise InputError(f"scores: found {type(given).__name__}, expected {expected}")
    return "scores", (_Entry(one, score, f"{kind} {number}") for number, (one, score) in enumerate(pairs, 1))


def _of_csv(path: Path) -> Iterator[_Entry]:
    try:
        with path.open(encoding="utf-8-sig", newline="") as file:
            lines = csv.reader(file)
            header = [name.strip() for name in next(lines, [])]
            _check_columns(str(path), header)
            architecture, score = header.index("architecture"), header.index("score")
            end = lines.line_num
            for fields in lines:
                start, end = end + 1, lines.line_num
                if not fields:
                    continue
                if len(fields) != len(header):
                    found = f"{len(fields)} fields, expected {len(header)}"
                    raise InputError(f"{path}, line {start}: found {found} (one with commas in it needs quotes)")
                yield _Entry(fields[architecture].strip(), fields[score].strip(), f"line {start}")
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise InputError(f"{path}: not a readable CSV file: {error}") from error


def _check_columns(where: str, columns: list[str]) -> None:
    for name in ("architecture", "score"):
        if name not in columns:
            raise InputError(f"{where}: column {name} is missing; found {', '.join(columns) or 'no columns'}")
        if columns.count(name) > 1:
            raise InputError(f"{where}: column {name} appears {columns.count(name)} times, expected once")


def _number(score: Any, where: str) -> float:
    """Read a score, NaN for an empty one."""
    if score is None or score is pd.NA or (isinstance(score, str) and score.strip().lower() in _NONE):
        return math.nan
    try:
        if isinstance(score, bool) or not isinstance(score, str | Real):
            raise TypeError
        if isinstance(score, str) and ("_" in score or not score.isascii()):
            raise ValueError  # Python reads digits of any script, with underscores
        return float(score)
    except (TypeError, ValueError, OverflowError):
        raise InputError(f"{where}: column score: found {_short(score)}, expected a number") from None


Finder = Callable[[Any], tuple[Any, tuple[int, ...]]]
"""Maps an architecture in any notation to what names its network, and the benchmark's indices of it, perhaps none."""


def _finder(space: Space, networks: pd.DataFrame) -> Finder:
    """Return what finds a benchmark's networks."""
    known = _indices(networks["architecture"], networks["index"])
    own = set(networks["index"])
    others = {NasBench101.name: _graph, NasBenchNLP.name: _recipe}.get(space.name)
    same: dict[str, tuple[int, ...]] = {}

    def find(architecture: Any) -> tuple[Any, tuple[int, ...]]:
        text = architecture.strip() if isinstance(architecture, str) else architecture
        if isinstance(text, str) and text in known:
            return text, known[text]
        if (index := _index(text)) is not None:
            if index not in own:
                found = f"index {index}, expected one of {space.title}'s {len(own):,}"
                raise InputError(f"found {found}, {min(own):,} to {max(own):,}")
            return index, (index,)
        if space.name == NasBench201.name and (operations := _numbers(text)) is not None:
            text = from_naslib(operations)
        if not isinstance(text, str):
            raise InputError(f"architecture: found {_short(text)}, expected a string of {space.title}")
        if others is None:
            space.parse(text)
            return text, known.get(text, ())
        name = others(text)
        if not same:
            # Naming all of a benchmark's networks takes seconds, so only where a string is not the benchmark's own.
            same.update(_indices(map(others, networks["architecture"]), networks["index"]))
        return name, same.get(name, ())

    return find


def _indices(names: Iterable[str], indices: Iterable[int]) -> dict[str, tuple[int, ...]]:
    """Return the indices of each name; some recipes are in the benchmark more than once."""
    found: dict[str, tuple[int, ...]] = {}
    for name, index in zip(names, indices, strict=True):
        found[name] = (*found.get(name, ()), int(index))
    return found


def _graph(text: str) -> str:
    return text if _HASH.fullmatch(text) else NasBench101().graph_hash(text)


def _recipe(text: str) -> str:
    return NasBenchNLP().canonical(text)


def _index(architecture: Any) -> int | None:
    """Return the benchmark's index where that is what an architecture is given as."""
    if isinstance(architecture, Integral) and not isinstance(architecture, bool):
        return int(architecture)
    if isinstance(architecture, str) and _INDEX.fullmatch(architecture):
        return int(architecture)
    return None


def _numbers(architecture: Any) -> list[Any] | None:
    """Return NASLib's numbers where that is what an architecture is given as."""
    if isinstance(architecture, str) and architecture[:1] in ("(", "["):
        try:
            architecture = ast.literal_eval(architecture)
        except (ValueError, TypeError, SyntaxError, RecursionError, MemoryError):  # the last two of what is nested deep
            return None
    return list(architecture) if isinstance(architecture, tuple | list | np.ndarray) else None


def _short(value: Any) -> str:
    """Print a value on one line, its beginning where it is long."""
    text = shown(value) if isinstance(value, int) else " ".join(str(value).split())
    return text if len(text) <= 80 else text[:77] + "..."
