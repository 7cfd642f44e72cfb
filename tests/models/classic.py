"""Convolutional networks without residual connections, and the first with many branches."""

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from tests.models.parts import Built, Concatenated, Residual, head, images, model, normalised


@model
def lenet() -> Built:
    features = nn.Sequential(
        nn.Conv2d(1, 6, 5), nn.Tanh(), nn.AvgPool2d(2), nn.Conv2d(6, 16, 5), nn.Tanh(), nn.AvgPool2d(2), nn.Flatten()
    )
    classifier = nn.Sequential(nn.Linear(64, 12), nn.Tanh(), nn.Linear(12, 8), nn.Tanh(), nn.Linear(8, 5))
    return nn.Sequential(features, classifier), images(channels=1, side=20)


class AlexNet(nn.Module):
    def __init__(self):
        super().__init__()
        self.features = nn.Sequential(
            nn.Conv2d(3, 12, 5, stride=2, padding=2),
            nn.ReLU(inplace=True),
            nn.LocalResponseNorm(5, k=2.0),
            nn.MaxPool2d(3, stride=2),
            nn.Conv2d(12, 16, 5, padding=2, groups=2),
            nn.ReLU(inplace=True),
            nn.Conv2d(16, 16, 3, padding=1),
            nn.ReLU(inplace=True),
            nn.MaxPool2d(3, stride=2),
        )
        self.pool = nn.AdaptiveAvgPool2d((2, 2))
        self.classifier = nn.Sequential(nn.Dropout(), nn.Linear(64, 20), nn.ReLU(), nn.Dropout(), nn.Linear(20, 5))

    def forward(self, inputs: Tensor) -> Tensor:
        return self.classifier(torch.flatten(self.pool(self.features(inputs)), 1))


@model
def alexnet() -> Built:
    return AlexNet(), images(side=32)


@model
def vgg_batch_norm() -> Built:
    layers: list[nn.Module] = []
    channels = 3
    for item in (8, "pool", 12, "pool", 16, 16, "pool"):
        if item == "pool":
            layers.append(nn.MaxPool2d(2))
        else:
            layers += [nn.Conv2d(channels, item, 3, padding=1), nn.BatchNorm2d(item), nn.ReLU(inplace=True)]
            channels = item
    classifier = [nn.Flatten(), nn.Linear(16 * 4, 24), nn.ReLU(inplace=True), nn.Dropout(0.5), nn.Linear(24, 5)]
    return nn.Sequential(*layers, *classifier), images()


@model
def network_in_network() -> Built:
    """Its classes are channels that are averaged over space: nothing is flattened into a linear layer."""

    def block(inputs: int, outputs: int, kernel: int) -> list[nn.Module]:
        layers: list[nn.Module] = [nn.Conv2d(inputs, outputs, kernel, padding=kernel // 2), nn.ReLU(inplace=True)]
        for _ in range(2):
            layers += [nn.Conv2d(outputs, outputs, 1), nn.ReLU(inplace=True)]
        return layers

    first = [*block(3, 10, 5), nn.MaxPool2d(3, 2, ceil_mode=True), nn.Dropout(0.5)]
    second = [*block(10, 12, 5), nn.AvgPool2d(3, 2, ceil_mode=True), nn.Dropout(0.5)]
    last = [*block(12, 5, 3), nn.AdaptiveAvgPool2d(1), nn.Flatten()]
    return nn.Sequential(*first, *second, *last), images()


class Fire(nn.Module):
    """Few channels, expanded by two kernels side by side."""

    def __init__(self, inputs: int, squeezed: int, expanded: int):
        super().__init__()
        self.squeeze = nn.Conv2d(inputs, squeezed, 1)
        self.expand_1x1 = nn.Conv2d(squeezed, expanded, 1)
        self.expand_3x3 = nn.Conv2d(squeezed, expanded, 3, padding=1)

    def forward(self, inputs: Tensor) -> Tensor:
        squeezed = F.relu(self.squeeze(inputs))
        return torch.cat([F.relu(self.expand_1x1(squeezed)), F.relu(self.expand_3x3(squeezed))], 1)


@model
def squeezenet() -> Built:
    features = [nn.Conv2d(3, 8, 3, stride=2), nn.ReLU(inplace=True), nn.MaxPool2d(3, stride=2, ceil_mode=True)]
    features += [Fire(8, 2, 6), Residual(Fire(12, 3, 6)), nn.MaxPool2d(3, stride=2, ceil_mode=True), Fire(12, 4, 8)]
    classifier = [nn.Dropout(0.5), nn.Conv2d(16, 5, 1), nn.ReLU(inplace=True), nn.AdaptiveAvgPool2d(1), nn.Flatten()]
    return nn.Sequential(*features, *classifier), images(side=24)


def inception_v1(inputs: int, sizes: tuple[int, int, int, int, int, int]) -> Concatenated:
    one, three_reduced, three, five_reduced, five, pooled = sizes
    return Concatenated(
        normalised(inputs, one, 1),
        nn.Sequential(normalised(inputs, three_reduced, 1), normalised(three_reduced, three)),
        nn.Sequential(normalised(inputs, five_reduced, 1), normalised(five_reduced, five, 5)),
        nn.Sequential(nn.MaxPool2d(3, 1, 1), normalised(inputs, pooled, 1)),
    )


class GoogLeNet(nn.Module):
    """The auxiliary classifier counts in training only, as in the original."""

    def __init__(self):
        super().__init__()
        self.stem = nn.Sequential(normalised(3, 8, 5, stride=2), nn.MaxPool2d(3, 2, 1), normalised(8, 12))
        self.first = inception_v1(12, (4, 4, 6, 2, 3, 3))
        self.second = inception_v1(16, (6, 4, 8, 2, 4, 4))
        self.auxiliary = nn.Sequential(nn.AdaptiveAvgPool2d(2), nn.Flatten(), nn.Linear(64, 5))
        self.head = head(22)

    def forward(self, inputs: Tensor) -> Tensor:
        middle = self.first(self.stem(inputs))
        outputs = self.head(self.second(middle))
        return outputs + 0.3 * self.auxiliary(middle) if self.training else outputs


@model
def googlenet() -> Built:
    return GoogLeNet(), images(side=32)


@model
def inception_v3() -> Built:
    """Kernels of 7x1 and 1x7, a block of smaller size, and branches that part again at their ends."""
    factorised = Concatenated(
        normalised(8, 6, 1),
        nn.Sequential(normalised(8, 4, 1), normalised(4, 4, (1, 7)), normalised(4, 6, (7, 1))),
        nn.Sequential(
            normalised(8, 4, 1),
            normalised(4, 4, (7, 1)),
            normalised(4, 4, (1, 7)),
            normalised(4, 4, (7, 1)),
            normalised(4, 6, (1, 7)),
        ),
        nn.Sequential(nn.AvgPool2d(3, 1, 1), normalised(8, 6, 1)),
    )
    smaller = Concatenated(
        nn.Sequential(normalised(24, 6, 1), normalised(6, 8, stride=2)),
        nn.Sequential(normalised(24, 6, 1), normalised(6, 6, (1, 7)), normalised(6, 6, (7, 1)), normalised(6, 8, 3, 2)),
        nn.MaxPool2d(3, 2, 1),
    )
    parted = Concatenated(
        normalised(40, 6, 1),
        nn.Sequential(normalised(40, 6, 1), Concatenated(normalised(6, 6, (1, 3)), normalised(6, 6, (3, 1)))),
        nn.Sequential(nn.AvgPool2d(3, 1, 1, count_include_pad=False), normalised(40, 4, 1)),
    )
    return nn.Sequential(normalised(3, 8, 3, 2), factorised, smaller, parted, nn.Dropout(), head(22)), images()


class ScaledInception(nn.Module):
    """Branches that are merged by a 1x1 convolution and added, times a small factor."""

    def __init__(self, channels: int, factor: float = 0.17):
        super().__init__()
        self.branches = Concatenated(
            normalised(channels, 4, 1),
            nn.Sequential(normalised(channels, 4, 1), normalised(4, 4)),
            nn.Sequential(normalised(channels, 4, 1), normalised(4, 6), normalised(6, 8)),
        )
        self.merge = nn.Conv2d(16, channels, 1)
        self.factor = factor

    def forward(self, inputs: Tensor) -> Tensor:
        return F.relu(inputs + self.factor * self.merge(self.branches(inputs)))


@model
def inception_resnet() -> Built:
    return nn.Sequential(normalised(3, 12, 3, 2), ScaledInception(12), ScaledInception(12), head(12)), images()


def separable(inputs: int, outputs: int) -> nn.Sequential:
    depthwise = nn.Conv2d(inputs, inputs, 3, padding=1, groups=inputs, bias=False)
    return nn.Sequential(depthwise, nn.Conv2d(inputs, outputs, 1, bias=False), nn.BatchNorm2d(outputs))


@model
def xception() -> Built:
    def block(inputs: int, outputs: int) -> Residual:
        layers = [separable(inputs, outputs), nn.ReLU(), separable(outputs, outputs), nn.MaxPool2d(3, 2, 1)]
        return Residual(nn.Sequential(*layers), normalised(inputs, outputs, 1, 2, activation=None))

    middle = Residual(nn.Sequential(*[layer for _ in range(3) for layer in (nn.ReLU(), separable(16, 16))]))
    return nn.Sequential(normalised(3, 8), block(8, 16), middle, separable(16, 20), nn.ReLU(), head(20)), images()


class DenseLayer(nn.Module):
    """New features from all that were made before."""

    def __init__(self, inputs: int, growth: int):
        super().__init__()
        self.first = nn.Sequential(nn.BatchNorm2d(inputs), nn.ReLU(), nn.Conv2d(inputs, 2 * growth, 1, bias=False))
        self.second = nn.Sequential(
            nn.BatchNorm2d(2 * growth), nn.ReLU(), nn.Conv2d(2 * growth, growth, 3, padding=1, bias=False)
        )

    def forward(self, features: list[Tensor]) -> Tensor:
        return self.second(self.first(torch.cat(features, 1)))


class DenseBlock(nn.Module):
    def __init__(self, inputs: int, layers: int, growth: int):
        super().__init__()
        self.layers = nn.ModuleList(DenseLayer(inputs + index * growth, growth) for index in range(layers))

    def forward(self, inputs: Tensor) -> Tensor:
        features = [inputs]
        for layer in self.layers:
            features.append(layer(features))
        return torch.cat(features, 1)


@model
def densenet() -> Built:
    transition = [nn.BatchNorm2d(20), nn.ReLU(), nn.Conv2d(20, 10, 1, bias=False), nn.AvgPool2d(2)]
    last = [nn.BatchNorm2d(22), nn.ReLU(), head(22)]
    stem = nn.Conv2d(3, 8, 3, padding=1, bias=False)
    return nn.Sequential(stem, DenseBlock(8, 3, 4), *transition, DenseBlock(10, 3, 4), *last), images()


class Autoencoder(nn.Module):
    """A code of few numbers, and the image again by transposed convolutions."""

    def __init__(self):
        super().__init__()
        self.encoder = nn.Sequential(
            nn.Conv2d(3, 8, 3, 2, 1), nn.ReLU(), nn.Conv2d(8, 12, 3, 2, 1), nn.ReLU(), nn.Flatten(), nn.Linear(192, 6)
        )
        self.expand = nn.Linear(6, 192)
        self.decoder = nn.Sequential(
            nn.ConvTranspose2d(12, 8, 3, 2, padding=1, output_padding=1),
            nn.ReLU(),
            nn.ConvTranspose2d(8, 3, 4, 2, padding=1),
        )

    def forward(self, inputs: Tensor) -> Tensor:
        return self.decoder(F.relu(self.expand(self.encoder(inputs))).view(-1, 12, 4, 4))


@model
def autoencoder() -> Built:
    return Autoencoder(), images()


class TiedAutoencoder(nn.Module):
    """The decoder's weights are the encoder's, transposed."""

    def __init__(self):
        super().__init__()
        self.weight = nn.Parameter(torch.empty(7, 24))
        self.code_bias, self.image_bias = nn.Parameter(torch.empty(7)), nn.Parameter(torch.empty(24))

    def forward(self, inputs: Tensor) -> Tensor:
        code = torch.sigmoid(F.linear(inputs, self.weight, self.code_bias))
        return inputs + F.linear(code, self.weight.t(), self.image_bias)


@model
def tied_autoencoder() -> Built:
    return TiedAutoencoder(), images(channels=1, side=24)[:, 0, 0]
