import pandas as pd

from epsinas.pages.table8 import compare_weights


def test_comparison_with_the_published_choice():
    table = pd.DataFrame(
        {
            "weight_low": [1e-7, 1e-3],
            "weight_high": [1.0, 1.0],
            "networks": [100, 100],
            "archs": [55, 96],
            "chosen": [False, True],
        }
    )
    compared = compare_weights("nas-bench-201", "cifar10", table, (1e-7, 1.0))
    assert (compared["automatic_low"], compared["automatic_archs"]) == (1e-3, 96)
    assert (compared["published_low"], compared["published_archs"]) == (1e-7, 55)
    other = compare_weights("nas-bench-nlp", "ptb", table, None)
    # The paper's pair was not among those tried.
    assert (other["published_low"], other["published_high"], other["published_archs"]) == (1e-5, 1e-3, None)
    assert other["used_low"] == 1e-3
    assert compare_weights("nas-bench-201", "mine", table, None)["published_low"] is None
