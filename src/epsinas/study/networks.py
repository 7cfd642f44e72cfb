"""Tables of networks: what they are, which of them a job takes, and the scores of all of them."""

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
import pandas as pd

from epsinas.engines.base import family_of
from epsinas.errors import InputError
from epsinas.metrics.base import CONSTANT_WEIGHTS, RANDOM_WEIGHTS, STRINGS, Metric
from epsinas.scoring import distinct
from epsinas.spaces.base import Space
from epsinas.streams import stream
from epsinas.study.plan import Run

_SCORED_AS = {CONSTANT_WEIGHTS: "representative", RANDOM_WEIGHTS: "trained_as", STRINGS: "index"}
"""By what tells a metric's networks apart, the column that names the network whose score another has."""


def describe(space: Space, architectures: pd.DataFrame, shapes: Mapping[str, Any] | None = None) -> pd.DataFrame:
    """Add what is known of each network before it is scored.

    Args:
        space: the search space.
        architectures: columns `index` and `architecture`.
        shapes: by data set, the shape of its inputs, for the operations; see `epsinas.engines.base.Family`.

    Returns:
        `index`, `architecture`, `representative` (the index of the first network with the same graph, which has the
        same score under constant weights), `trained_as` (that of the network that stands for all that train alike: the
        one whose cell comes first, and so has nothing that leads nowhere), what its string tells (`Space.traits`:
        populations, and `skips` where there are such edges), `parameters`, `layers`, `depth`, for images `convolutions`
        and `relus` (see `Counts` of the family's `counting`), and for each data set the operations for one image or
        token: `flops_{dataset}`, of which a multiplication and an addition are two, and `macs_{dataset}`, in which they
        are one, as the benchmarks count; sorted by index.

    Raises:
        InputError: an architecture is malformed.
    """
    table = architectures[["index", "architecture"]].sort_values("index", ignore_index=True)
    try:
        first, members = distinct(space, table["architecture"].tolist())
    except InputError as error:
        raise _of_row(space, architectures, error) from error
    table = table.assign(representative=table["index"].to_numpy()[first[members]])
    table = table.assign(trained_as=_trained_as(space, table))
    table = table.join(pd.DataFrame([space.traits(architecture) for architecture in table["architecture"]]))
    # Parameters are those of the first data set's networks, which may have images of one channel.
    shapes = shapes or {}
    usual = next(iter(shapes.values()), None)
    counts = {shape: _counts(space, table["architecture"], shape) for shape in {usual, *shapes.values()}}
    table = table.join(counts[usual].drop(columns="flops"))
    for dataset, shape in shapes.items():
        flops = counts[shape]["flops"]
        table = table.assign(**{f"flops_{dataset}": flops, f"macs_{dataset}": flops // 2})
    return table


def _of_row(space: Space, architectures: pd.DataFrame, error: InputError) -> InputError:
    """Return the error with the row whose architecture is malformed."""
    for row, architecture in enumerate(architectures["architecture"]):
        try:
            space.parse(architecture)
        except InputError as found:
            return InputError(f"column architecture: row {row}: {found}")
    return error


def _trained_as(space: Space, table: pd.DataFrame) -> np.ndarray:
    """Return for each network the index of the one that stands for all that train alike."""
    architectures = table["architecture"].tolist()
    chosen, members = distinct(space, architectures, RANDOM_WEIGHTS)
    parse: Callable[[str], Any] = space.parse
    for position, member in enumerate(members.tolist()):
        own, other = architectures[position], architectures[chosen[member]]
        if own != other and parse(own) < parse(other):
            chosen[member] = position
    return table["index"].to_numpy()[chosen[members]]


def _counts(space: Space, architectures: pd.Series, shape: Any) -> pd.DataFrame:
    family = family_of(space)
    return pd.DataFrame([family.count(space, architecture, shape) for architecture in architectures])


def sample_table(space: Space, count: int, rng: np.random.Generator) -> pd.DataFrame:
    """Draw a table of `count` different random networks: `index` from 0, and `architecture`."""
    return pd.DataFrame({"index": np.arange(count, dtype=np.int32), "architecture": space.sample(count, rng)})


def ordered(networks: pd.DataFrame, run: Run, seed: int) -> pd.DataFrame:
    """Return the networks that a run is over, in its order.

    A smaller random sample is the beginning of a larger one.

    Args:
        networks: what `describe` returns.
        run: which networks.
        seed: of a random order.

    Raises:
        InputError: the run is over more networks than the table has.
    """
    if run.count is not None and run.count > len(networks):
        raise InputError(f"networks: found {len(networks)} in the table, expected at least {run.count}")
    if run.order == "random":
        networks = networks.iloc[stream(seed, "order of networks").permutation(len(networks))]
    return networks if run.count is None else networks.head(run.count)


def part(networks: pd.DataFrame, run: Run, name: str, metric: Metric, seed: int) -> pd.DataFrame:
    """Return the networks that one job of a run scores, each standing for those that the metric cannot tell from it.

    Args:
        networks: what `describe` returns.
        run: that the job is of.
        name: `3-of-7`, every seventh network from the third, or `3-by-10`, what the third ten adds to the first two.
        metric: of the run.
        seed: of a random order.

    Raises:
        InputError: as `ordered`.
    """
    number, kind, total = name.split("-")
    stands = scored_as(ordered(networks, run, seed), metric)
    if kind == "by":
        own = slice((int(number) - 1) * int(total), int(number) * int(total))
        scored = stands.iloc[own][~stands.duplicated().iloc[own]].to_numpy()
    else:
        scored = stands.unique()[int(number) - 1 :: int(total)]
    return networks.set_index("index", drop=False).loc[scored].reset_index(drop=True)


def gather(
    networks: pd.DataFrame, run: Run, scores: pd.DataFrame, metric: Metric, seed: int, stand_in: str = ""
) -> pd.DataFrame:
    """Give every network of a run its score, or that of the one that was scored in its place.

    Args:
        networks: what `describe` returns.
        run: which networks, and how many draws.
        scores: the joined tables of all parts.
        metric: of the run, or any of several that tell the same networks apart.
        seed: of a random order.
        stand_in: what stands in the place of the inputs that the paper takes; empty where nothing does.

    Returns:
        The scores in the run's order of networks, then by draw, with what identifies the run. `seconds` is 0 for a
        network that has the score of another.

    Raises:
        InputError: a network is not among the scores.
    """
    wanted = ordered(networks, run, seed)
    stands = scored_as(wanted, metric).to_numpy()
    scores = scores[scores["draw"] < run.draws].drop_duplicates(["index", "metric", "setting", "draw"])
    missing = set(stands) - set(scores["index"])
    if missing:
        raise InputError(f"scores: network {min(missing)} and {len(missing) - 1} others are missing from the chunks")
    places = pd.DataFrame({"own": wanted["index"].to_numpy(), "index": stands, "_place": np.arange(len(wanted))})
    gathered = places.merge(scores, on="index").sort_values(["_place", "draw"], kind="stable", ignore_index=True)
    seconds = gathered["seconds"].mask(gathered.duplicated(["index", "metric", "setting", "draw"]), 0.0)
    gathered = gathered.assign(index=gathered["own"], seconds=seconds, **run.columns, stand_in=stand_in)
    return gathered.drop(columns=["own", "_place"])


def scored_as(networks: pd.DataFrame, metric: Metric) -> pd.Series:
    """Return for each network the index of the one whose score by a metric it has."""
    return networks[_SCORED_AS[metric.tells_apart_by]]


def first_draw(scores: pd.DataFrame) -> pd.Series:
    """Return the scores on the first batch by index, of a run with one setting."""
    return scores[scores["draw"] == 0].set_index("index")["score"]
