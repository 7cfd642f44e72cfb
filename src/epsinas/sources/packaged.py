"""The published accuracies inside the package: what networks of the benchmarks reach when they are trained.

`data/{space}.parquet` has a row for each network and a column for each thing that is known of it, in the most compact
form that loses nothing that matters: accuracies as numbers of right answers, architectures as parts that many networks
share. `data/{space}.networks.parquet` has what was counted of each network, `data/{space}.published-scores.parquet` the
scores that others published for their own metrics, and `data/benchmarks.yaml` says of every column what it is, where it
comes from, and under which licence.
"""

from collections.abc import Callable
from importlib.resources import files
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pandas as pd
import pyarrow.parquet as pq
import yaml

from epsinas.errors import InputError
from epsinas.files.tables import (
    write_architectures,
    write_computed_scores,
    write_constant_weight_scores,
    write_performance,
    write_published_scores,
    write_training_cost,
)
from epsinas.sources.base import Holdings, Trained
from epsinas.spaces import NasBench101, NasBench201, NasBenchNLP

_DATA = files("epsinas") / "data"
_RECORD = yaml.safe_load((_DATA / "benchmarks.yaml").read_text())
_STRINGS: dict[str, Callable[[pd.DataFrame], pd.Series]] = {
    NasBench201.name: lambda table: table["position"].map(dict(enumerate(NasBench201().architectures()))),
    NasBench101.name: lambda table: table["matrix"] + ":" + table["operations"],
    NasBenchNLP.name: lambda table: table["architecture"],
}
"""How each space's table gives the architecture strings."""


class Origin(NamedTuple):
    """Where values come from, and the licence under which they may be passed on."""

    source: str
    licence: str


def architectures(space: str) -> pd.DataFrame:
    """Return the networks of a benchmark that the package knows.

    Args:
        space: `nas-bench-201` (all 15,625 networks), `nas-bench-101` (a uniform sample of 15,000) or `nas-bench-nlp`
            (344 recipes).

    Returns:
        `index` int32, the benchmark's own (NAS-Bench-101: the place in the sample), and `architecture` text; where
        the benchmark counts parameters, also `parameters`, or for its networks on WikiText-2 `parameters_wikitext2`,
        int64. Ordered by `index`.

    Raises:
        InputError: the package has no accuracies of this space.

    Example:
        >>> len(architectures("nas-bench-201"))
        15625
    """
    table = _read(space, "architectures")
    counted = table.filter(like="parameters").astype(np.int64)
    return pd.DataFrame({"index": table["index"], "architecture": _STRINGS[space](table)}).join(counted)


def performance(space: str) -> pd.DataFrame:
    """Return what the networks of a benchmark reach when they are trained.

    Args:
        space: as for `architectures`.

    Returns:
        As `epsinas.files.tables.read_performance` describes: a row for each network, data set, split, number of epochs
        and seed, with `accuracy` in percent, or for NAS-Bench-NLP `loss` in nats a word (null: training failed). In
        NAS-Bench-201, `cifar10-valid` is trained on half of the training images, and a null `seed` is the benchmark's
        mean over one to three trainings.

    Raises:
        InputError: the package has no accuracies of this space.

    Example:
        >>> row = performance("nas-bench-201").query("index == 0 and split == 'test' and epochs == 12").iloc[0]
        >>> row["dataset"], float(row["accuracy"])
        ('cifar10', 69.55)
    """
    measure = "loss" if space == NasBenchNLP.name else "accuracy"
    rows = _rows(space, "performance", ["dataset", "split", "epochs", "seed"], measure)
    return rows.astype({"epochs": np.int16, "seed": "Int8"})


def training_cost(space: str) -> pd.DataFrame:
    """Return how long the networks of a benchmark train.

    Args:
        space: `nas-bench-201`.

    Returns:
        `index` int32 and `seconds` float64, of 12 epochs on CIFAR-10.

    Raises:
        InputError: the package has no training times of this space.

    Example:
        >>> float(training_cost("nas-bench-201")["seconds"].median().round())
        109.0
    """
    return _read(space, "training-cost").astype({"seconds": np.float64})


def published_scores(space: str) -> pd.DataFrame:
    """Return the scores that others published for their own training-free metrics.

    Args:
        space: `nas-bench-201` (13 metrics of NAS-Bench-Suite-Zero for the 9,445 networks without unreachable
            operations, and naswot for all) or `nas-bench-nlp` (ten metrics, 275 recipes).

    Returns:
        `index` int32, `dataset`, `metric`, `score` float64 (naswot: minus infinity where it gives none), `source`.

    Raises:
        InputError: the package has no scores of this space.

    Example:
        >>> published_scores("nas-bench-201")["metric"].nunique()
        14
    """
    return _rows(space, "published-scores", ["dataset", "metric", "source"], "score")


def computed_scores(space: str) -> pd.DataFrame:
    """Return the scores that this project computed once, by metrics that take milliseconds to seconds a network.

    Args:
        space: as for `architectures`. By metrics that take seconds, only a random sample of the networks has scores.

    Returns:
        `index` int32, of networks that stand for all that train alike, `dataset` whose images' shape and number of
        classes the networks had, `inputs`, what they saw, `metric`, `setting`, `score` float64 (float32 digits),
        `source`. A network that has no score has no row.

    Raises:
        InputError: the package has no scores of this space.

    Example:
        >>> "naswot" in set(computed_scores("nas-bench-201")["metric"])
        True
    """
    rows = _rows(space, "computed-scores", ["dataset", "inputs", "metric", "setting", "source"], "score")
    return rows.assign(setting=rows["setting"].fillna(""))


def constant_weight_scores(space: str) -> pd.DataFrame:
    """Return the scores of this project's own metrics for the networks of a benchmark.

    Args:
        space: as for `architectures`.

    Returns:
        `index` int32, of networks that stand for all that train alike, `dataset`, `inputs`, what the networks saw,
        `metric`, `precision`, `score` float64 (float32 digits), `source`. A network that has no score has no row.

    Raises:
        InputError: the package has no such scores of the space.

    Example:
        >>> table = constant_weight_scores("nas-bench-201")
        >>> table.query("dataset == 'cifar10' and metric == 'epsilon'").groupby("precision")["index"].count().to_dict()
        {'extended': 5259, 'single': 3040}
    """
    return _rows(space, "constant-weight-scores", ["dataset", "inputs", "metric", "precision", "source"], "score")


def kinds(space: str) -> tuple[str, ...]:
    """Return what the package has of a benchmark: `architectures`, `performance`, `networks`, `published-scores` ...

    Example:
        >>> "published-scores" in kinds("nas-bench-101")
        False
    """
    return tuple(_RECORD["benchmarks"].get(space, ()))


def networks(space: str) -> pd.DataFrame:
    """Return what is known of each network before it is scored, at its space's default skeleton.

    Args:
        space: as for `architectures`.

    Returns:
        What `epsinas.study.networks.describe` gives, but for `macs_{dataset}`, for networks that take each data set's
        images or tokens: `index` int32, `architecture` text, `representative` and `trained_as` int32, counts int64,
        populations bool. Ordered by `index`.

    Raises:
        InputError: the package has no such table of the space.

    Example:
        >>> table = networks("nas-bench-201")
        >>> table[["connected", "reachable", "parameter_free"]].sum().to_dict()
        {'connected': 15284, 'reachable': 9445, 'parameter_free': 9226}
        >>> table["trained_as"].nunique()
        5260
    """
    known = architectures(space)[["index", "architecture"]]
    # The file's rows are in the order of the strings, and name other networks by their row.
    known = known.sort_values(["architecture", "index"], ignore_index=True)
    table = _read(space, "networks")
    table = table.astype({name: np.int64 for name in table if table[name].dtype != bool})
    others = {name: known["index"].to_numpy()[table[name]] for name in ("representative", "trained_as")}
    return known.join(table.assign(**others)).sort_values("index", ignore_index=True)


def load_benchmark(name: str) -> pd.DataFrame:
    """Load a benchmark's published accuracies, without a download: one row for each network.

    A column's name is the data set, the split and the number of epochs of training. Values are percent of images, for
    NAS-Bench-NLP nats a word; NaN where a network was not trained or its training failed. Accuracies of NAS-Bench-201
    after 200 epochs are means over one to three trainings. `cifar10-valid_test_200` there is the test accuracy of
    networks that were trained on half of the training images.

    Args:
        name: `nas-bench-201` (all 15,625 networks: test accuracy after 12 and 200 epochs on CIFAR-10, CIFAR-100 and
            ImageNet16-120, validation accuracy after 12), `nas-bench-101` (a uniform sample of 15,000: validation
            accuracy after 4, 12, 36 and 108 epochs) or `nas-bench-nlp` (344 recipes: test loss on the Penn Treebank and
            WikiText-2 after 50).

    Returns:
        `index` int32, `architecture` text as `epsinas.score_architectures` takes it, and a float64 column for each data
        set, split and number of epochs, such as `cifar10_test_200`.

    Raises:
        InputError: the package has no accuracies of this name.

    Example:
        >>> benchmark = load_benchmark("nas-bench-201")
        >>> best = benchmark.loc[benchmark["cifar10_test_200"].idxmax()]
        >>> best["architecture"]
        '|nor_conv_3x3~0|+|nor_conv_3x3~0|nor_conv_3x3~1|+|skip_connect~0|nor_conv_3x3~1|nor_conv_1x1~2|'
        >>> float(best["cifar10_test_200"].round(2))
        94.37
    """
    table = _read(name, "performance")
    accuracies = {
        column: _values(table[column], facts)
        for column, facts in _columns(name, "performance").items()
        if column == "{dataset}_{split}_{epochs}".format(**facts)  # not the trainings behind a mean
    }
    return architectures(name)[["index", "architecture"]].assign(**accuracies)


def origin(name: str) -> Origin:
    """Say where the values of a file come from.

    Args:
        name: one of FILES.

    Raises:
        InputError: the package does not have this file.

    Example:
        >>> origin("nas-bench-101.performance.parquet").licence
        'Apache-2.0'
    """
    if name not in FILES:
        raise InputError(f"{name}: not inside the package, which has {', '.join(FILES)}")
    space, kind, _ = name.rsplit(".", 2)
    used = dict.fromkeys(facts["origin"] for facts in _columns(space, kind).values())
    origins = [_RECORD["origins"][one] for one in used]
    return Origin(*("; ".join(dict.fromkeys(one[field] for one in origins)) for field in Origin._fields))


def holdings(space: str) -> Holdings | None:
    """Say what the package has of a benchmark, without reading it; None where it has no accuracies of the space.

    Example:
        >>> holdings("nas-bench-nlp").networks
        344
    """
    if f"{space}.performance.parquet" not in FILES:
        return None
    with (_DATA / f"{space}.parquet").open("rb") as content:
        networks = pq.read_metadata(content).num_rows
    trained = (Trained(*(facts[key] for key in Trained._fields)) for facts in _columns(space, "performance").values())
    return Holdings(networks, tuple(dict.fromkeys(trained)))


def _columns(space: str, kind: str) -> dict[str, dict[str, Any]]:
    """Return what is known of each column of one kind, by its name."""
    known = [name for name, kinds in _RECORD["benchmarks"].items() if kind in kinds]
    if space not in known:
        raise InputError(f"{kind} inside the package: found {space!r}, expected one of {', '.join(known)}")
    return _RECORD["benchmarks"][space][kind]


def _read(space: str, kind: str) -> pd.DataFrame:
    """Read the columns of one kind, as they are kept."""
    apart = kind == "networks" or kind.endswith("-scores")
    names = dict.fromkeys(_columns(space, kind) if kind == "networks" else ["index", *_columns(space, kind)])
    file = f"{space}.{kind}.parquet" if apart else f"{space}.parquet"
    with (_DATA / file).open("rb") as content:
        return pd.read_parquet(content, columns=list(names))


def _values(kept: pd.Series, facts: dict[str, Any]) -> pd.Series:
    """Turn a column as it is kept into the measure that it stands for, float64."""
    values = kept.astype(np.float64)
    return 100 * values / facts["answers"] if "answers" in facts else values / facts.get("unit", 1)


def _rows(space: str, kind: str, labels: list[str], measure: str) -> pd.DataFrame:
    """Return a row for each network and column that has a value, `labels` saying which column it is."""
    table = _read(space, kind)
    parts = []
    described = [
        (column, facts | {"dataset": dataset, "source": _RECORD["origins"][facts["origin"]]["source"]})
        for column, facts in _columns(space, kind).items()
        for dataset in facts.get("datasets", [facts.get("dataset")])
    ]
    for column, facts in described:
        part = pd.DataFrame({"index": table["index"]} | {label: facts.get(label) for label in labels})
        part[measure] = _values(table[column], facts)
        parts.append(part if facts.get("missing") == "failed" else part.dropna(subset=measure))
    return pd.concat(parts, ignore_index=True)


_WRITERS: dict[str, tuple[Callable[[str], pd.DataFrame], Callable[[pd.DataFrame, Path], None]]] = {
    "architectures": (architectures, write_architectures),
    "performance": (performance, write_performance),
    "training-cost": (training_cost, write_training_cost),
    "published-scores": (published_scores, write_published_scores),
    "computed-scores": (computed_scores, write_computed_scores),
    "constant-weight-scores": (constant_weight_scores, write_constant_weight_scores),
}
"""By kind of the pipeline's files that the package can give, what makes its table and what writes it."""


def _writer(space: str, kind: str) -> Callable[[Path], None]:
    """Return what writes one file."""
    table, write = _WRITERS[kind]
    return lambda path: write(table(space), path)


FILES: dict[str, Callable[[Path], None]] = {
    f"{space}.{kind}.parquet": _writer(space, kind)
    for space, kinds in _RECORD["benchmarks"].items()
    for kind in kinds
    if kind in _WRITERS
}
"""What writes each of the pipeline's files that the package can give."""
