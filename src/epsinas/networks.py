"""Tables of networks: what they are, and their scores chunk by chunk."""

from collections.abc import Callable, Sequence

import numpy as np
import pandas as pd

from epsinas.engines.counting import count
from epsinas.errors import InputError
from epsinas.scoring import check_weights, distinct, engine, score_architectures, score_pairs
from epsinas.spaces import Space


def describe(space: Space, architectures: pd.DataFrame, image: tuple[int, int, int] = (3, 32, 32)) -> pd.DataFrame:
    """Add what is known of each network before it is scored.

    Args:
        space: the search space.
        architectures: columns `index` and `architecture`.
        image: (channels, height, width) of the images, for the FLOPs.

    Returns:
        `index`, `architecture`, `representative` (the index of the first network with the same graph, which
        has the same score), `parameters`, `flops` for one image, `convolutions` and `layers`; sorted by index.

    Raises:
        InputError: an architecture is malformed.
    """
    table = architectures[["index", "architecture"]].sort_values("index", ignore_index=True)
    first, members = distinct(space, table["architecture"])
    counts = pd.DataFrame([vars(count(space, architecture, image)) for architecture in table["architecture"]])
    return table.assign(representative=table["index"].to_numpy()[first[members]], **counts)


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


def score_table(
    space: Space,
    networks: pd.DataFrame,
    batch: np.ndarray,
    pairs: Sequence[tuple[float, float]],
    precision: str,
    zeros: str,
) -> pd.DataFrame:
    """Score networks; see `epsinas.score_architectures`.

    Returns:
        `index`, `weight_low`, `weight_high`, `score` (NaN where there is none): a row for each network and pair.
    """
    pairs = [tuple(pair) for pair in pairs]
    scores = score_architectures(space, networks["architecture"], batch, pairs, precision=precision, zeros=zeros)
    low, high = np.array(pairs, dtype=np.float64).T
    return pd.DataFrame(
        {
            "index": networks["index"].to_numpy().repeat(len(pairs)),
            "weight_low": np.tile(low, len(networks)),
            "weight_high": np.tile(high, len(networks)),
            "score": scores.ravel(),
        }
    )


def score_draws(
    space: Space,
    networks: pd.DataFrame,
    batches: Sequence[np.ndarray],
    pair: tuple[float, float],
    precision: str,
    zeros: str,
    progress: Callable[[int], object] = lambda count: None,
) -> pd.DataFrame:
    """Score networks on several batches of one shape; the graph of each network is built once.

    Returns:
        What `score_table` gives on each batch for one pair, and the batch's position as `draw`.

    Raises:
        InputError: as `epsinas.score_architectures`.
    """
    check_weights(pair)
    engines = [engine("lumped", space, batch, precision) for batch in batches]
    scores = []
    for architecture in networks["architecture"]:
        scores.append([score_pairs(on_batch, architecture, [pair], zeros)[0] for on_batch in engines])
        progress(1)
    rows = pd.DataFrame(scores, index=networks["index"].to_numpy()).stack().rename_axis(["index", "draw"])
    return rows.rename("score").reset_index().assign(weight_low=float(pair[0]), weight_high=float(pair[1]))


def gather(networks: pd.DataFrame, subset: int | None, scores: pd.DataFrame) -> pd.DataFrame:
    """Give every network of a run the scores of its representative.

    Args:
        networks: what `describe` returns.
        subset: as in `chunk`.
        scores: the joined tables of all chunks.

    Raises:
        InputError: a representative is not among the scores.
    """
    wanted = first_networks(networks, subset)[["index", "representative"]]
    missing = set(wanted["representative"]) - set(scores["index"])
    if missing:
        raise InputError(f"scores: network {min(missing)} and {len(missing) - 1} others are missing from the chunks")
    gathered = wanted.merge(scores.rename(columns={"index": "representative"}), on="representative")
    return gathered.drop(columns="representative").sort_values(["index", "weight_low", "weight_high"], kind="stable")
