import pytest
import torch
from torch import nn

from epsinas.engines.images.full_width import FullWidthNetwork
from epsinas.engines.images.initialisers import constant, random
from epsinas.spaces import NasBench201

SPACE = NasBench201(channels=3, cells=2, classes=4)
ALL = "|{0}~0|+|{0}~0|{0}~1|+|{0}~0|{0}~1|{0}~2|"
MIXED = [
    "|nor_conv_3x3~0|+|none~0|skip_connect~1|+|avg_pool_3x3~0|none~1|nor_conv_1x1~2|",
    "|avg_pool_3x3~0|+|nor_conv_1x1~0|nor_conv_3x3~1|+|skip_connect~0|nor_conv_3x3~1|none~2|",
    "|none~0|+|skip_connect~0|nor_conv_3x3~1|+|nor_conv_1x1~0|avg_pool_3x3~1|avg_pool_3x3~2|",
]
ARCHITECTURES = [
    *map(ALL.format, ("none", "skip_connect", "nor_conv_1x1", "nor_conv_3x3", "avg_pool_3x3")),
    *MIXED,
]


def batch_norm(channels: int) -> nn.Module:
    return nn.BatchNorm2d(channels, eps=1e-5, track_running_stats=False)


class Zero(nn.Module):
    def forward(self, x):
        return 0 * x


def edge(operation: str, channels: int) -> nn.Module:
    if operation == "none":
        return Zero()
    if operation == "skip_connect":
        return nn.Identity()
    if operation == "avg_pool_3x3":
        return nn.AvgPool2d(3, stride=1, padding=1, count_include_pad=False)
    side = int(operation[-1])
    convolution = nn.Conv2d(channels, channels, side, padding=(side - 1) // 2, bias=False)
    return nn.Sequential(nn.ReLU(), convolution, batch_norm(channels))


class PlainCell(nn.Module):
    def __init__(self, architecture: str, channels: int):
        super().__init__()
        nodes = [node.strip("|").split("|") for node in architecture.split("+")]
        self.nodes = nn.ModuleList(
            nn.ModuleList(edge(token.split("~")[0], channels) for token in node) for node in nodes
        )

    def forward(self, x):
        values = [x]
        for edges in self.nodes:
            values.append(sum(edge(value) for edge, value in zip(edges, values, strict=True)))
        return values[-1]


class PlainReduction(nn.Module):
    def __init__(self, before: int, after: int):
        super().__init__()
        self.residual = nn.Sequential(
            nn.ReLU(),
            nn.Conv2d(before, after, 3, stride=2, padding=1, bias=False),
            batch_norm(after),
            nn.ReLU(),
            nn.Conv2d(after, after, 3, padding=1, bias=False),
            batch_norm(after),
        )
        self.shortcut = nn.Sequential(nn.AvgPool2d(2, stride=2), nn.Conv2d(before, after, 1, bias=False))

    def forward(self, x):
        return self.residual(x) + self.shortcut(x)


def plain_network(architecture: str, channels: int, cells: int, classes: int) -> nn.Sequential:
    """NAS-Bench-201 in torch's own modules."""
    c = channels
    stages = [
        layer
        for stage in range(3)
        for layer in [
            *([PlainReduction(c * 2 ** (stage - 1), c * 2**stage)] if stage else []),
            *(PlainCell(architecture, c * 2**stage) for _ in range(cells)),
        ]
    ]
    return nn.Sequential(
        nn.Conv2d(3, c, 3, padding=1, bias=False),
        batch_norm(c),
        *stages,
        batch_norm(4 * c),
        nn.ReLU(),
        nn.AdaptiveAvgPool2d(1),
        nn.Flatten(),
        nn.Linear(4 * c, classes),
    )


def pair(architecture: str, dtype: torch.dtype) -> tuple[FullWidthNetwork, nn.Sequential]:
    """A network and a plain one with the same weights, random also in the normalisations."""
    network = FullWidthNetwork(SPACE, architecture, (3, 8, 8), constant(0.0), dtype)
    plain = plain_network(architecture, SPACE.channels, SPACE.cells, SPACE.classes).to(dtype)
    generator = torch.Generator().manual_seed(0)
    with torch.no_grad():
        for ours, theirs in zip(network.parameters(), plain.parameters(), strict=True):
            theirs.copy_(torch.randn(theirs.shape, generator=generator, dtype=torch.float64))
            ours.copy_(theirs)
    return network, plain


def images(count: int, dtype: torch.dtype = torch.float64) -> torch.Tensor:
    generator = torch.Generator().manual_seed(1)
    return torch.randn((count, 3, 8, 8), generator=generator, dtype=torch.float64).to(dtype)


@pytest.mark.parametrize("architecture", ARCHITECTURES)
def test_equals_a_network_of_plain_modules(architecture):
    network, plain = pair(architecture, torch.float64)
    outputs = network(images(5))
    assert outputs.shape == (5, 4)
    torch.testing.assert_close(outputs, plain(images(5)), rtol=1e-12, atol=1e-12)


@pytest.mark.parametrize("architecture", MIXED)
def test_equals_a_network_of_plain_modules_in_single_precision(architecture):
    network, plain = pair(architecture, torch.float32)
    outputs = network(images(5, torch.float32))
    assert outputs.dtype == torch.float32
    torch.testing.assert_close(outputs, plain(images(5, torch.float32)), rtol=1e-4, atol=1e-4)


def test_gradients_equal_those_of_plain_modules():
    network, plain = pair(MIXED[0], torch.float64)
    for model in (network, plain):
        model(images(5)).square().sum().backward()
    for ours, theirs in zip(network.parameters(), plain.parameters(), strict=True):
        torch.testing.assert_close(ours.grad, theirs.grad, rtol=1e-9, atol=1e-9)


def test_other_image_sizes_may_follow():
    network, plain = pair(MIXED[1], torch.float64)
    larger = torch.cat([images(4), images(4).flip(0)], dim=3)
    torch.testing.assert_close(network(larger), plain(larger), rtol=1e-12, atol=1e-12)


def test_normalises_by_the_batch_in_evaluation_mode_too():
    network, _ = pair(MIXED[0], torch.float64)
    assert network(images(5)).equal(network.eval()(images(5)))
    assert not network(images(5))[:2].isclose(network(images(5)[:2])).any()


def test_statistics_of_the_same_batch_change_nothing():
    network, _ = pair(MIXED[0], torch.float64)
    statistics = network.statistics(images(5))
    torch.testing.assert_close(network(images(5), statistics), network(images(5)), rtol=1e-11, atol=1e-11)


def test_given_statistics_make_images_independent_of_each_other():
    network, _ = pair(MIXED[1], torch.float64)
    statistics = network.statistics(images(5))
    together = network(images(5), statistics)
    one_by_one = torch.cat([network(image[None], statistics) for image in images(5)])
    torch.testing.assert_close(one_by_one, together, rtol=1e-11, atol=1e-11)


def test_statistics_are_means_and_biased_variances_in_order():
    network, plain = pair(MIXED[2], torch.float64)
    seen = []
    for module in plain.modules():
        if isinstance(module, nn.BatchNorm2d):
            module.register_forward_pre_hook(lambda _, inputs: seen.append(inputs[0]))
    plain(images(5))
    statistics = network.statistics(images(5))
    assert len(statistics) == len(seen)
    for (mean, variance), x in zip(statistics, seen, strict=True):
        channels = x.transpose(0, 1).flatten(1)
        torch.testing.assert_close(mean, channels.mean(1), rtol=1e-9, atol=1e-9)
        torch.testing.assert_close(variance, ((channels - mean[:, None]) ** 2).mean(1), rtol=1e-9, atol=1e-9)


def test_weights_come_from_the_initialiser_in_the_order_of_the_description():
    calls = []

    def initialise(kind, weight, bias):
        calls.append((kind, tuple(weight.shape), None if bias is None else tuple(bias.shape)))
        constant(2.0)(kind, weight, bias)

    network = FullWidthNetwork(NasBench201(channels=2, cells=0, classes=1), ALL.format("none"), (3, 8, 8), initialise)
    reductions = [
        call
        for before, after in ((2, 4), (4, 8))
        for call in [
            ("conv", (after, before, 3, 3), None),
            ("batch_norm", (after,), (after,)),
            ("conv", (after, after, 3, 3), None),
            ("batch_norm", (after,), (after,)),
            ("conv", (after, before, 1, 1), None),
        ]
    ]
    assert calls == [
        ("conv", (2, 3, 3, 3), None),
        ("batch_norm", (2,), (2,)),
        *reductions,
        ("batch_norm", (8,), (8,)),
        ("linear", (1, 8), (1,)),
    ]
    assert {parameter.dtype for parameter in network.parameters()} == {torch.float32}
    assert all((layer.weight == 2).all() for layer in network.layers)
    assert all((layer.bias == 0).all() for layer in network.layers if layer.bias is not None)


def test_logits_of_a_constant_network_are_equal():
    network = FullWidthNetwork(SPACE, MIXED[0], (3, 8, 8), constant(0.5), torch.float64)
    outputs = network(images(5))
    torch.testing.assert_close(outputs, outputs[:, :1].expand(-1, 4), rtol=1e-14, atol=0)


def test_random_networks_differ_from_each_other():
    generator = torch.Generator().manual_seed(0)
    first, second = (FullWidthNetwork(SPACE, MIXED[0], (3, 8, 8), random("normal", generator)) for _ in range(2))
    assert not first(images(5, torch.float32)).isclose(second(images(5, torch.float32))).any()
