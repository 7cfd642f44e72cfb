"""A tree of partial sums (Fenwick 1994): how many of what was added have a value below another, in log(values) steps.

It is an int64 array with an entry more than there are values, which begins as zeros.
"""

from epsinas.compilation import compiled


@compiled(nogil=True)
def add_to_tree(tree, value, count):  # type: ignore[no-untyped-def]
    """Add so many of a value, a whole number from 0 up."""
    index = value + 1
    while index < len(tree):
        tree[index] += count
        index += index & -index


@compiled(nogil=True)
def count_below(tree, value):  # type: ignore[no-untyped-def]
    """Count what was added of lower values.

    Example:
        >>> import numpy as np
        >>> tree = np.zeros(4, np.int64)
        >>> add_to_tree(tree, 0, 2)
        >>> add_to_tree(tree, 2, 5)
        >>> count_below(tree, 2), count_below(tree, 3)
        (2, 7)
    """
    found = 0
    while value > 0:
        found += tree[value]
        value -= value & -value
    return found
