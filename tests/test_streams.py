from itertools import product

import numpy as np
import pytest
import torch

from epsinas.streams import stream, torch_stream


@pytest.mark.parametrize("make", [stream, torch_stream])
def test_every_seed_purpose_and_key_has_a_stream_of_its_own(make):
    def first(*arguments):
        generator = make(*arguments)
        if isinstance(generator, torch.Generator):
            return torch.rand(4, generator=generator).tolist()
        return generator.random(4).tolist()

    arguments = [
        (seed, purpose, *keys)
        for seed, purpose, keys in product((0, 1), ("batch", "pool"), ((), (0,), (0, 0), (1,), ("a",), ("a", 1)))
    ]
    assert len({tuple(first(*given)) for given in arguments}) == len(arguments)
    assert first(*arguments[3]) == first(*arguments[3])


def test_streams_do_not_coincide_as_padded_seeds_do():
    assert np.random.default_rng(7).random() == np.random.default_rng([7, 0]).random()
    assert stream(7, "batch").random() != stream(7, "batch", 0).random()
