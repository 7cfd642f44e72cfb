"""How much of what a score says of performance something else says, too."""

import numpy as np
import pandas as pd

from epsinas.evaluation.coefficients import FEWEST, with_interval
from epsinas.evaluation.dependence import partial_correlation
from epsinas.evaluation.resampling import resampled_correlations


def explained(
    score: pd.Series,
    explanations: pd.DataFrame,
    performance: pd.Series,
    classes: pd.Series,
    resamples: int,
    rng: np.random.Generator,
) -> pd.DataFrame:
    """Compare the rank correlation of a score with performance with what is left of it given something else.

    With r the rank correlations of score s, explanation x and performance y, and r(sy.x) the partial one, the share of
    what s says that x says, too, is 1 - (1 - r(xy)^2) r(sy.x)^2 / r(sy)^2: of the variance of the ranks of y that s
    explains, what x explains as well (commonality analysis: Mood, *Multivariate Behavioral Research* 6, 1971). It is 1
    where s adds nothing to x, 0 where the two share nothing, and negative where s says more given x than alone.

    Args:
        score: by network, NaN for none.
        explanations: by network, a column for each, NaN for none; each by itself is taken on the networks that have it.
        performance: by network, higher is better, NaN for those not trained.
        classes: by network, a label that those have in common that train alike.
        resamples: of whole classes.
        rng: source of randomness.

    Returns:
        A row for each explanation that has FEWEST classes: `what`; `archs` with all three; `median` of the explanation;
        `score_spearman`, r(sy); `spearman`, r(xy); `with_score`, r(sx); `score_given`, r(sy.x); `given_score`, r(xy.s);
        `score_share`, the share; `difference`, abs r(xy) - abs r(sy); all but the first three with their 95 % intervals
        in `_low` and `_high`. NaN where a column is constant or one determines the other.

    Example:
        >>> score = pd.Series(np.arange(12.0))
        >>> same = pd.DataFrame({"twice": 2 * score})
        >>> table = explained(score, same, -score, pd.Series(range(12)), 5, np.random.default_rng(0))
        >>> table[["what", "archs", "with_score", "spearman"]].round(3).values.tolist()
        [['twice', 12, 1.0, -1.0]]
    """
    rows = []
    for what, values in explanations.items():
        known = pd.DataFrame({"s": score, "x": values, "y": performance.reindex(score.index)}).dropna()
        own = classes.loc[known.index]
        if own.nunique() < FEWEST:
            continue
        found = resampled_correlations(known.to_numpy(np.float64).T, own.to_numpy(), resamples, rng)
        reached, explanation, between = found[:, 0, 2], found[:, 1, 2], found[:, 0, 1]
        left = partial_correlation(found, 0, 2, [1])
        row = {"what": what, "archs": len(known), "median": float(known["x"].median())}
        row |= with_interval("score_spearman", reached)
        row |= with_interval("spearman", explanation)
        row |= with_interval("with_score", between)
        row |= with_interval("score_given", left)
        row |= with_interval("given_score", partial_correlation(found, 1, 2, [0]))
        row |= with_interval("score_share", 1 - (1 - explanation**2) * left**2 / reached**2)
        row |= with_interval("difference", np.abs(explanation) - np.abs(reached))
        rows.append(row)
    return pd.DataFrame(rows, columns=_COLUMNS)


_MEASURES = ("score_spearman", "spearman", "with_score", "score_given", "given_score", "score_share", "difference")
_COLUMNS = ["what", "archs", "median", *(f"{name}{end}" for name in _MEASURES for end in ("", "_low", "_high"))]
