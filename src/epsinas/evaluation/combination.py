"""Metrics combined by their mean rank, and how the best combination does on networks that it was not chosen on."""

from collections.abc import Mapping, Sequence
from itertools import combinations

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike, NDArray

from epsinas.errors import InputError


def mean_rank_correlations(correlations: ArrayLike, sets: Sequence[Sequence[int]], target: int) -> NDArray[np.float64]:
    """Return how the mean rank of each set of metrics correlates with the ranks of a target.

    Ranks of n networks all have the same variance but for ties; with those standardised, the mean over a set S has the
    correlation sum_(i in S) r_it / sqrt(sum_(i, j in S) r_ij) with the target t, so that one matrix of Spearman's rhos
    answers for all sets. It is Pearson's correlation of the mean rank, which is not ranked again.

    Args:
        correlations: (variables, variables) float, Spearman's rhos.
        sets: numbers of the metrics in each set.
        target: number of the performance.

    Returns:
        (sets,) float64.

    Example:
        Two metrics that agree by 0.5 and each correlate by 0.6.

        >>> float(mean_rank_correlations([[1, 0.5, 0.6], [0.5, 1, 0.6], [0.6, 0.6, 1]], [(0, 1)], 2)[0].round(3))
        0.693
    """
    matrix = np.asarray(correlations, dtype=np.float64)
    members = np.zeros((len(sets), len(matrix)))
    for row, chosen in zip(members, sets, strict=True):
        row[list(chosen)] = 1
    used = members.any(axis=0)
    members, among = members[:, used], matrix[np.ix_(used, used)]
    return (members @ matrix[used, target]) / np.sqrt(np.einsum("si,ij,sj->s", members, among, members))


def combined_metrics(
    scores: Mapping[str, ArrayLike],
    performance: ArrayLike,
    classes: ArrayLike,
    size: int,
    splits: int,
    rng: np.random.Generator,
) -> pd.DataFrame:
    """Rank the combinations of `size` metrics by their mean rank, and test the choice of the best.

    A combination that was chosen as the best of many on some networks is too good on these. So whole classes of
    networks that train alike are split into halves at random, again and again: on one half all combinations are
    compared, and the best of them is evaluated on the other.

    Args:
        scores: by metric (networks,) float, finite, a higher one predicting a better network.
        performance: (networks,) float, finite, higher is better.
        classes: (networks,) any labels.
        size: metrics of a combination.
        splits: how often the classes are halved.
        rng: source of randomness.

    Returns:
        A row for each combination, the best first: `metrics`, joined by +; `spearman`, the correlation of their mean
        rank with that of the performance (see `mean_rank_correlations`); `chosen`, on how many of the first halves it
        was the best; and, in the row of every combination that was, `held_out`, its mean on the second halves.
        `best_held_out` is the mean over all splits of what the best of each reached, the same in all rows.

    Raises:
        InputError: there are fewer metrics than make a combination.

    Example:
        >>> x = np.random.default_rng(0).normal(size=(3, 200))
        >>> table = combined_metrics(dict(zip("abc", x)), x[0] + x[1], range(200), 2, 4, np.random.default_rng(1))
        >>> table["metrics"][0], int(table["chosen"][0])
        ('a+b', 4)
    """
    from epsinas.evaluation.resampling import resampled_correlations

    names = list(scores)
    if len(names) < size:
        raise InputError(f"scores: found {len(names)} metrics, expected at least the {size} of a combination")
    sets = list(combinations(range(len(names)), size))
    columns = np.stack([*(np.asarray(scores[name], dtype=np.float64) for name in names), np.asarray(performance)])
    _, labels = np.unique(np.asarray(classes), return_inverse=True)

    def compared(networks: NDArray[np.bool_]) -> NDArray[np.float64]:
        (matrix,) = resampled_correlations(columns[:, networks], labels[networks], 0, rng)
        return mean_rank_correlations(matrix, sets, len(names))

    chosen = np.zeros(len(sets), np.int64)
    reached = np.zeros(len(sets))
    for _ in range(splits):
        half = (rng.permutation(labels.max() + 1) % 2 == 0)[labels]
        best = int(np.nanargmax(compared(half)))
        chosen[best] += 1
        reached[best] += compared(~half)[best]
    whole = compared(np.ones(len(labels), np.bool_))
    with np.errstate(invalid="ignore"):
        held_out = np.where(chosen > 0, reached / chosen, np.nan)
    table = pd.DataFrame(
        {
            "metrics": ["+".join(names[member] for member in one) for one in sets],
            "spearman": whole,
            "chosen": chosen,
            "held_out": held_out,
            "best_held_out": reached.sum() / splits if splits else np.nan,
        }
    )
    return table.sort_values("spearman", ascending=False, ignore_index=True, kind="stable")
