from pathlib import Path

import numpy as np
import pytest
import torch

torch.set_num_threads(1)

PROJECT = Path(__file__).resolve().parents[1]
MIRROR = PROJECT.parent / "shared" / "data"


@pytest.fixture(scope="session")
def mirror() -> Path:
    """The folder with the mirror of real data."""
    if not MIRROR.is_dir():
        pytest.skip("the mirror of real data is absent")
    return MIRROR


@pytest.fixture
def batch() -> np.ndarray:
    """Eight random images of 8x8."""
    return np.random.default_rng(0).standard_normal((8, 3, 8, 8)).astype(np.float32)
