"""Tables of networks: what they are, and their scores chunk by chunk."""

from collections.abc import Callable, Sequence

import numpy as np
import pandas as pd

from epsinas.engines.images import counting
from epsinas.engines.sequences import counting as recurrent_counting
from epsinas.engines.sequences.batches import TokenBatch
from epsinas.errors import InputError
from epsinas.metrics.rounding import limited_scores
from epsinas.scoring import check_weights, distinct, engine, score_pairs
from epsinas.spaces import NasBenchNLP, Space


def describe(
    space: Space | NasBenchNLP,
    architectures: pd.DataFrame,
    image: tuple[int, int, int] = (3, 32, 32),
    vocabulary: int = 10_000,
) -> pd.DataFrame:
    """Add what is known of each network before it is scored.

    Args:
        space: the search space.
        architectures: columns `index` and `architecture`.
        image: (channels, height, width) of the images, for the FLOPs.
        vocabulary: of a recurrent network's decoder, for the parameters; by default that of the Penn Treebank.

    Returns:
        `index`, `architecture`, `representative` (the index of the first network with the same graph, which
        has the same score), `parameters`, `flops` for one image or token, `layers`, and for images `convolutions`;
        sorted by index.

    Raises:
        InputError: an architecture is malformed.
    """
    table = architectures[["index", "architecture"]].sort_values("index", ignore_index=True)
    first, members = distinct(space, table["architecture"])
    if isinstance(space, NasBenchNLP):
        found = [recurrent_counting.count(space, architecture, vocabulary) for architecture in table["architecture"]]
    else:
        found = [counting.count(space, architecture, image) for architecture in table["architecture"]]
    counts = pd.DataFrame([vars(one) for one in found])
    return table.assign(representative=table["index"].to_numpy()[first[members]], **counts)


def sample_table(space: Space | NasBenchNLP, count: int, rng: np.random.Generator) -> pd.DataFrame:
    """Draw a table of `count` different random networks: `index` from 0, and `architecture`."""
    return pd.DataFrame({"index": np.arange(count, dtype=np.int32), "architecture": space.sample(count, rng)})


def chunk(networks: pd.DataFrame, subset: int | None, number: int, total: int) -> pd.DataFrame:
    """Return the networks that one of `total` scoring jobs takes: every `total`-th representative.

    Args:
        networks: what `describe` returns.
        subset: take only the first so many networks; all of them if None.
        number: of the job, from 1.
        total: number of jobs.

    Raises:
        InputError: the subset is larger than the table.
    """
    representatives = first_networks(networks, subset)["representative"].unique()
    return networks[networks["index"].isin(representatives[number - 1 :: total])]


def first_networks(networks: pd.DataFrame, subset: int | None) -> pd.DataFrame:
    """Return the first `subset` networks in the benchmark's order, all if None."""
    if subset is not None and subset > len(networks):
        raise InputError(f"networks: found {len(networks)} in the table, expected at least {subset}")
    return networks if subset is None else networks.head(subset)


def score_draws(
    space: Space | NasBenchNLP,
    networks: pd.DataFrame,
    batches: Sequence[np.ndarray | TokenBatch],
    pairs: Sequence[tuple[float, float]],
    precision: str,
    zeros: str,
    progress: Callable[[int], object] = lambda count: None,
) -> pd.DataFrame:
    """Score networks on several batches of one shape; the graph of each network is built once.

    Args:
        space: the search space.
        networks: columns `index` and `architecture`, as from `chunk`.
        batches: one for each draw.
        pairs: of weights.
        precision: see `epsinas.score_architectures`.
        zeros: see `epsinas.score_architectures`.
        progress: called with the number of networks done since the last call.

    Returns:
        A row for each network, draw and pair: `index`, `draw` (the batch's position), `weight_low`, `weight_high`,
        `score` (NaN where there is none) and `error`, the estimate of its relative error by rounding.

    Raises:
        InputError: as `epsinas.score_architectures`.
    """
    for pair in pairs:
        check_weights(pair)
    engines = [engine("lumped", space, batch, precision) for batch in batches]
    found = []
    for architecture in networks["architecture"]:
        found.append([score_pairs(on_batch, architecture, pairs, zeros) for on_batch in engines])
        progress(1)
    scores = np.array(found, dtype=np.float64)
    scores = scores.reshape(len(networks), len(batches), len(pairs), 2)
    index, draw, pair = (axis.ravel() for axis in np.indices(scores.shape[:3]))
    low, high = np.array(pairs, dtype=np.float64).T
    return pd.DataFrame(
        {
            "index": networks["index"].to_numpy()[index],
            "draw": draw,
            "weight_low": low[pair],
            "weight_high": high[pair],
            "score": scores[..., 0].ravel(),
            "error": scores[..., 1].ravel(),
        }
    )


def gather(networks: pd.DataFrame, subset: int | None, draws: int, scores: pd.DataFrame) -> pd.DataFrame:
    """Give every network of a run the scores of its representative.

    Args:
        networks: what `describe` returns.
        subset: as in `chunk`.
        draws: number of batches to keep, the first ones.
        scores: the joined tables of all chunks.

    Raises:
        InputError: a representative is not among the scores.
    """
    wanted = first_networks(networks, subset)[["index", "representative"]]
    scores = scores[scores["draw"] < draws]
    missing = set(wanted["representative"]) - set(scores["index"])
    if missing:
        raise InputError(f"scores: network {min(missing)} and {len(missing) - 1} others are missing from the chunks")
    gathered = wanted.merge(scores.rename(columns={"index": "representative"}), on="representative")
    order = ["index", "draw", "weight_low", "weight_high"]
    return gathered.drop(columns="representative").sort_values(order, kind="stable")


def first_draw(scores: pd.DataFrame) -> pd.Series:
    """Return the scores on the first batch by index, of a run with one pair of weights."""
    return scores[scores["draw"] == 0].set_index("index")["score"]


QUANTILES = {"lowest": 0.0, "q05": 0.05, "q25": 0.25, "median": 0.5, "q75": 0.75, "q95": 0.95, "highest": 1.0}
"""What `coverage` says about the distribution of scores."""


def coverage(scores: pd.DataFrame, networks: pd.DataFrame, seconds: float) -> dict[str, object]:
    """Say how many networks of a run have a score, what the scores are like, and what they cost.

    Args:
        scores: a run with one pair of weights, with the columns that identify it.
        networks: what `describe` returned for its space.
        seconds: what its jobs took, in seconds of one core.

    Returns:
        What identifies the run; `networks` tried, how many of them are `distinct`, how many are `scored` on the first
        batch, as a share in `coverage`; of `limited_scores`, `rounding_limited`; the QUANTILES of the scores; and
        `milliseconds` of one core for each distinct network and batch, start-up of the jobs included.
    """
    first = scores[scores["draw"] == 0]
    found = first["score"].dropna()
    distinct = networks[networks["index"].isin(first["index"])]["representative"].nunique()
    batches = scores["draw"].nunique()
    identity = ["space", "dataset", "inputs", "batch_size", "precision", "weight_low", "weight_high"]
    return {
        **{name: scores[name].iloc[0] for name in identity},
        "networks": len(first),
        "distinct": distinct,
        "scored": len(found),
        "coverage": len(found) / len(first),
        "rounding_limited": limited_scores(first),
        **{name: found.quantile(share) for name, share in QUANTILES.items()},
        "batches": batches,
        "milliseconds": 1e3 * seconds / (distinct * batches),
    }
