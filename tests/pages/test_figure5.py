import numpy as np
import pandas as pd

from epsinas import NasBench201
from epsinas.evaluation.tabular import edit_neighbours
from epsinas.pages.figure5 import warm_up_table

SPACE = NasBench201()
SETTINGS = {"rounds": 4, "trained": 12, "population": 5, "tournament": 2, "warm_up_pool": 100, "random_warm_up": 5}


def test_a_warm_up_by_the_accuracy_itself_begins_with_the_best():
    accuracy = pd.Series(np.random.default_rng(0).uniform(10, 90, 15625))
    neighbours = edit_neighbours(np.array([SPACE.parse(architecture) for architecture in SPACE.architectures()]))
    # Only the order counts, and a network without a score is never among the first: here, the better half has none.
    scores = {"own": accuracy, "negative": accuracy - 1000, "half": accuracy.mask(accuracy > 50)}
    table = warm_up_table(scores, accuracy, accuracy, neighbours, 0, **SETTINGS)
    assert table.groupby(["metric", "search"]).size().to_dict() == {
        (name, search): 12 for name in ("", *scores) for search in ("evolution", "random")
    }
    first = table.query("trained == 1").set_index(["metric", "search"])["median"]
    for search in ("evolution", "random"):
        assert first["own", search] > 85
        assert first["negative", search] == first["own", search]
        assert first["half", search] < 50
        assert first["", search] < first["own", search]
