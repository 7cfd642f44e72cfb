"""The metric between two random initialisations rather than two constant weights (Section 3.2, Table 9)."""

from collections.abc import Callable, Sequence
from dataclasses import asdict

import numpy as np
import pandas as pd
import torch

from epsinas.engines.images.full_width import FullWidthNetwork
from epsinas.engines.images.initialisers import random
from epsinas.errors import InputError
from epsinas.evaluation.intervals import prediction_interval
from epsinas.evaluation.ranking import RANGES, SIX, evaluate
from epsinas.evaluation.runs import TITLES, performance_of, sample_interval
from epsinas.metrics.epsilon import epsilon
from epsinas.paper.published import read_published
from epsinas.scoring import check_batch
from epsinas.spaces import NasBench201

NOTEBOOK = {"uniform": -0.02, "normal": 0.08, "kaiming_uniform": 0.07, "kaiming_normal": 0.07, "orthogonal": 0.07}
"""Global Spearman's rho of the authors' released notebook, which differs from the paper's Table 9."""

PRINTED = {
    "uniform": "Uniform",
    "normal": "Normal",
    "kaiming_uniform": "Kaiming uniform",
    "kaiming_normal": "Kaiming normal",
    "orthogonal": "Orthogonal",
}
"""How the paper calls the initialisations."""


def score_initialisation(
    space: NasBench201,
    architecture: str,
    batch: np.ndarray,
    name: str,
    generator: torch.Generator,
    zeros: str = "masked",
) -> float:
    """Score one full-width network, in float32, by two random initialisations of the same name.

    Args:
        space: the search space; with random weights its `classes` matter (1 in the released code).
        architecture: architecture string.
        batch: float32 (N, C, H, W).
        name: one of `epsinas.engines.images.initialisers.RANDOM`.
        generator: the source of both networks' weights; the second network continues the first one's stream.
        zeros: see `epsinas.metrics.epsilon.epsilon`.

    Returns:
        The score, NaN where outputs are constant (input and output are not connected) or not finite.

    Raises:
        InputError: unknown initialisation, malformed architecture, or a bad batch.
    """
    check_batch(batch)
    # Convolutions are twice as fast on a CPU where the channels lie side by side in memory.
    images = torch.tensor(batch, dtype=torch.float32).to(memory_format=torch.channels_last)
    outputs = []
    with torch.no_grad():
        for _ in range(2):
            network = FullWidthNetwork(space, architecture, tuple(batch.shape[1:]), random(name, generator))
            network = network.to(memory_format=torch.channels_last)
            outputs.append(network(images).numpy())
    return epsilon(*outputs, zeros=zeros)


def network_generator(seed: int, draw: int, network: int) -> torch.Generator:
    """Return the generator of one network's weights: the same in whichever job the network is scored."""
    state = np.random.SeedSequence([seed, draw, network]).generate_state(2)
    # Torch takes seeds below 2**63.
    return torch.Generator().manual_seed((int(state[0]) << 31) ^ int(state[1]))


def sample_networks(networks: pd.DataFrame, count: int | None, seed: int) -> pd.DataFrame:
    """Return a seeded random sample of networks in random order, all of them if `count` is None.

    A smaller sample is the beginning of a larger one.

    Raises:
        InputError: the sample is larger than the table.
    """
    count = len(networks) if count is None else count
    if count > len(networks):
        raise InputError(f"networks: found {len(networks)} in the table, expected at least {count}")
    return networks.iloc[np.random.default_rng(seed).permutation(len(networks))[:count]]


def score_sample(
    space: NasBench201,
    networks: pd.DataFrame,
    batch: np.ndarray,
    name: str,
    seed: int,
    draw: int,
    zeros: str = "masked",
    progress: Callable[[int], object] = lambda count: None,
) -> pd.DataFrame:
    """Score networks by two random initialisations each; see `score_initialisation`.

    Args:
        space: the search space.
        networks: columns `index` and `architecture`.
        batch: float32 (N, C, H, W).
        name: of the initialisation.
        seed: of the study.
        draw: number of the repetition; weights differ between draws.
        zeros: see `epsinas.metrics.epsilon.epsilon`.
        progress: called with the number of networks done since the last call.

    Returns:
        `index`, `initialisation`, `draw` and `score`, NaN where there is none.
    """
    scores = []
    for index, architecture in zip(networks["index"], networks["architecture"], strict=True):
        generator = network_generator(seed, draw, int(index))
        scores.append(score_initialisation(space, architecture, batch, name, generator, zeros))
        progress(1)
    return pd.DataFrame({"index": networks["index"].to_numpy(), "initialisation": name, "draw": draw, "score": scores})


def evaluate_initialisations(
    scores: pd.DataFrame,
    performance: pd.DataFrame,
    split: str,
    epochs: int,
    resamples: int = 0,
    rng: np.random.Generator | None = None,
) -> pd.DataFrame:
    """Compute the six evaluation scores of every dataset, initialisation and draw.

    Args:
        scores: rows of `score_sample`, with `dataset`.
        performance: the performance table.
        split: as in `epsinas.evaluation.runs.performance_of`.
        epochs: as in `epsinas.evaluation.runs.performance_of`.
        resamples: of the networks of each first draw, for intervals over samples of networks; 0 for none.
        rng: draws the resamples.

    Returns:
        `dataset`, `initialisation`, `draw`, the fields of `Evaluation`, and if there are resamples what
        `epsinas.evaluation.runs.sample_interval` says, empty but for the first draw.
    """
    rows = []
    for (dataset, name, draw), run in scores.groupby(["dataset", "initialisation", "draw"], sort=False):
        reached = performance_of(performance, dataset, split, epochs)
        found = evaluate(run["score"], reached.reindex(run["index"]))
        rows.append({"dataset": dataset, "initialisation": name, "draw": draw, **asdict(found)})
        if resamples and draw == 0:
            rows[-1] |= sample_interval(run, reached, resamples, rng)
    return pd.DataFrame(rows)


def initialisation_table(statistics: pd.DataFrame, printed: bool) -> pd.DataFrame:
    """Summarise the draws of every initialisation (Table 9).

    Args:
        statistics: a row for each dataset, initialisation and draw, with `networks`, `archs` and the six scores.
        printed: add what the paper and the released notebook say, and which of them the run supports.

    Returns:
        For each dataset and initialisation `draws`, `networks`, `archs` (of the first draw) and of each score the mean
        over draws, `{score}_sd`, `{score}_low` and `{score}_high` (see `prediction_interval`), and the first draw's
        interval over samples of networks, if there is one. If `printed`:
        `paper` and `notebook`, their global Spearman's rho, and `supports`, the one whose number is nearer to the
        mean, empty for datasets other than theirs.
    """
    record = read_published().query("table == 9 and column == 'spearman_global'").set_index(["block", "row"])["value"]
    rows = []
    for (dataset, name), run in statistics.groupby(["dataset", "initialisation"], sort=False):
        row = {"dataset": dataset, "initialisation": name, "draws": len(run)}
        first = run.loc[run["draw"].idxmin()]
        row |= {column: int(first[column]) for column in ("networks", "archs")}
        for score in SIX:
            low, high = prediction_interval(run[score], bounds=RANGES[score])
            row |= {
                score: run[score].mean(),
                f"{score}_sd": run[score].std(),
                f"{score}_low": low,
                f"{score}_high": high,
            }
        row |= first.filter(like="_sample_").to_dict()
        key = (TITLES.get(dataset, dataset), PRINTED.get(name))
        if printed and key in record.index:
            versions = {"paper": float(record[key]), "notebook": NOTEBOOK[name]}
            row |= versions | {"supports": nearer(row["spearman_global"], versions)}
        rows.append(row)
    return pd.DataFrame(rows)


def nearer(value: float, versions: dict[str, float]) -> str:
    """Return the version with the smallest distance to a value; "neither" for a tie or where the value is NaN."""
    distances = {version: abs(value - number) for version, number in versions.items()}
    smallest = min(distances.values())
    near: Sequence[str] = [version for version, distance in distances.items() if distance == smallest]
    return near[0] if len(near) == 1 else "neither"
