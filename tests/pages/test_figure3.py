import pandas as pd
import pytest

from epsinas import InputError, NasBench201
from epsinas.pages.figure3 import search_table
from tests.performances import random_performance

SPACE = NasBench201()


@pytest.mark.parametrize("warm_up", ["first", "all"])
def test_search_table(warm_up):
    table = random_performance(range(15625))
    accuracy = table.query("split == 'test'").set_index("index")["accuracy"]
    settings = {"rounds": 4, "trained": 12, "population": 5, "tournament": 2, "warm_up_pool": 100}
    curves = search_table(
        SPACE, list(SPACE.architectures()), accuracy, table, "cifar10", 200, 0, random_warm_up=warm_up, **settings
    )
    assert curves.groupby("search").size().to_dict() == dict.fromkeys(
        ["evolution", "evolution_move", "evolution_warm_up", "evolution_warm_up_move", "random", "random_warm_up"], 12
    )
    assert (curves["lower"] <= curves["median"]).all()
    assert (curves["median"] <= curves["upper"]).all()
    assert (curves["guide"] == "valid").all()
    # Scores are the test accuracies here, so the first network of a warm-up is the best of its pool.
    from_pool = 12 if warm_up == "all" else settings["population"]
    warm = curves[curves["search"] == "random_warm_up"].sort_values("trained")
    assert warm["median"].head(from_pool).nunique() == 1
    assert warm["median"].iloc[0] > curves[curves["search"] == "random"]["median"].iloc[0]


def test_search_needs_the_whole_space():
    table = random_performance(range(3))
    with pytest.raises(InputError, match="operations: found 3 networks, expected all 15625 combinations"):
        search_table(
            SPACE,
            list(SPACE.architectures())[:3],
            pd.Series([1.0, 2.0, 3.0]),
            table,
            "cifar10",
            200,
            0,
            random_warm_up="first",
            rounds=1,
            trained=2,
            population=2,
            tournament=1,
            warm_up_pool=2,
        )
