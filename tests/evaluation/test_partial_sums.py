import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from epsinas.evaluation.partial_sums import add_to_tree, count_below


@given(added=st.lists(st.tuples(st.integers(0, 11), st.integers(0, 5)), max_size=20))
def test_a_tree_counts_as_a_list_does(added):
    tree = np.zeros(13, np.int64)
    for value, count in added:
        add_to_tree(tree, value, count)
    for value in range(13):
        assert count_below(tree, value) == sum(count for one, count in added if one < value)
