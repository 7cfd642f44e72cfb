import numpy as np
import pytest

from epsinas import TokenBatch


@pytest.fixture
def tokens() -> TokenBatch:
    """Three sequences of five tokens, with an embedding of four units."""
    rng = np.random.default_rng(0)
    return TokenBatch(rng.integers(0, 9, (5, 3)), rng.random((9, 4)))
