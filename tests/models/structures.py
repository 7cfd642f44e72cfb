"""What none of the families has: graphs, sets, volumes, several inputs, outputs by name, weights that are computed."""

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from tests.models.parts import Built, Residual, convolution, head, images, model, normal, normalised


@model
def volumes() -> Built:
    def layer(inputs: int, outputs: int, activation: bool = True) -> nn.Sequential:
        layers = [nn.Conv3d(inputs, outputs, 3, padding=1, bias=False), nn.BatchNorm3d(outputs)]
        return nn.Sequential(*layers, *([nn.ReLU()] if activation else []))

    body = Residual(nn.Sequential(layer(6, 6), layer(6, 6, False)), after=nn.ReLU())
    last = [nn.MaxPool3d((1, 2, 2)), layer(6, 8), nn.AdaptiveAvgPool3d(1), nn.Flatten(), nn.Linear(8, 5)]
    return nn.Sequential(layer(2, 6), body, *last), normal(3, 2, 4, 8, 8)


@model
def factorised_video() -> Built:
    """A kernel over space and one over time instead of a cube."""

    def layer(inputs: int, outputs: int) -> nn.Sequential:
        space = nn.Conv3d(inputs, 7, (1, 3, 3), padding=(0, 1, 1), bias=False)
        time = nn.Conv3d(7, outputs, (3, 1, 1), padding=(1, 0, 0), bias=False)
        return nn.Sequential(space, nn.BatchNorm3d(7), nn.ReLU(), time, nn.BatchNorm3d(outputs), nn.ReLU())

    last = [nn.AdaptiveAvgPool3d(1), nn.Flatten(), nn.Linear(6, 5)]
    return nn.Sequential(layer(3, 6), Residual(layer(6, 6)), *last), normal(3, 3, 4, 8, 8)


class GraphConvolutions(nn.Module):
    """A normalised adjacency in a buffer multiplies the features of the nodes."""

    def __init__(self, nodes: int = 8, features: int = 5, hidden: int = 6):
        super().__init__()
        adjacency = (normal(nodes, nodes, seed=3) > 0).double()
        adjacency = ((adjacency + adjacency.T) > 0).double() + torch.eye(nodes)
        degrees = adjacency.sum(1).rsqrt()
        self.register_buffer("adjacency", degrees[:, None] * adjacency * degrees)
        self.layers = nn.ModuleList([nn.Linear(features, hidden), nn.Linear(hidden, hidden), nn.Linear(hidden, 4)])

    def forward(self, inputs: Tensor) -> Tensor:
        first, second, last = self.layers
        hidden = F.relu(torch.matmul(self.adjacency, first(inputs)))
        hidden = hidden + F.relu(self.adjacency @ second(hidden))
        return torch.einsum("mn,bnf->bmf", self.adjacency, last(hidden))


@model
def graph_convolutions() -> Built:
    return GraphConvolutions(), normal(4, 8, 5)


class GraphAttention(nn.Module):
    """Scores of pairs of nodes from two vectors, masked by the given graph of each example."""

    def __init__(self, features: int = 5, hidden: int = 6):
        super().__init__()
        self.linear = nn.Linear(features, hidden, bias=False)
        self.source, self.target = nn.Parameter(torch.empty(hidden)), nn.Parameter(torch.empty(hidden, 1))
        self.head = nn.Linear(hidden, 3)

    def forward(self, nodes: Tensor, edges: Tensor) -> Tensor:
        hidden = self.linear(nodes)
        scores = F.leaky_relu((hidden @ self.source)[:, :, None] + (hidden @ self.target).transpose(1, 2), 0.2)
        weights = torch.where(edges > 0, scores, torch.full_like(scores, -1e9)).softmax(dim=-1)
        return self.head(F.elu(torch.bmm(weights, hidden))).amax(dim=1)


@model
def graph_attention() -> Built:
    """Two positional batches."""
    return GraphAttention(), (normal(4, 7, 5), normal(4, 7, 7, seed=1) + torch.eye(7) * 9)


@model
def deep_sets() -> Built:
    """Elements of a set, each encoded alone, and the sum."""

    class Sum(nn.Module):
        def forward(self, inputs: Tensor) -> Tensor:
            return torch.sum(inputs, dim=1)

    encoder = [nn.Linear(3, 8), nn.ELU(), nn.Linear(8, 8), nn.ELU(), nn.Linear(8, 8)]
    return nn.Sequential(*encoder, Sum(), nn.Linear(8, 8), nn.Softplus(), nn.Linear(8, 2)), normal(4, 10, 3)


class PointNet(nn.Module):
    """The maxima over points go back to every point."""

    def __init__(self):
        super().__init__()
        self.local = nn.Sequential(nn.Conv1d(3, 6, 1), nn.BatchNorm1d(6), nn.ReLU())
        self.wide = nn.Sequential(nn.Conv1d(6, 12, 1), nn.BatchNorm1d(12), nn.ReLU())
        self.last = nn.Conv1d(18, 4, 1)

    def forward(self, inputs: Tensor) -> Tensor:
        local = self.local(inputs)
        whole = torch.max(self.wide(local), 2, keepdim=True)[0].repeat(1, 1, inputs.shape[2])
        return F.log_softmax(self.last(torch.cat([whole, local], 1)).transpose(2, 1).contiguous(), dim=-1)


@model
def pointnet() -> Built:
    return PointNet(), normal(4, 3, 12)


class Siamese(nn.Module):
    """The same network on two images; their distance and their products."""

    def __init__(self):
        super().__init__()
        self.twin = nn.Sequential(normalised(3, 6, 3, 2), normalised(6, 8), nn.AdaptiveAvgPool2d(2), nn.Flatten())
        self.bilinear, self.head = nn.Bilinear(32, 32, 4), nn.Linear(37, 1)

    def forward(self, first: Tensor, second: Tensor) -> Tensor:
        first, second = self.twin(first), self.twin(second)
        distance = torch.linalg.vector_norm(first - second, dim=1, keepdim=True)
        return self.head(torch.cat([(first - second).abs(), self.bilinear(first, second), distance], 1))


@model
def siamese() -> Built:
    return Siamese(), (images(), images(seed=1))


class BilinearPooling(nn.Module):
    """Products of all pairs of channels over space, with a signed root and unit length."""

    def __init__(self):
        super().__init__()
        self.first, self.second = normalised(3, 4, 3, 2), normalised(3, 5, 5, 2)
        self.head = nn.Linear(20, 5)

    def forward(self, inputs: Tensor) -> Tensor:
        first, second = self.first(inputs).flatten(2), self.second(inputs).flatten(2)
        products = torch.bmm(first, second.transpose(1, 2)).flatten(1) / first.shape[-1]
        return self.head(F.normalize(torch.sign(products) * torch.sqrt(products.abs() + 1e-10)))


@model
def bilinear_pooling() -> Built:
    return BilinearPooling(), images()


class Film(nn.Module):
    """A second input scales and shifts the channels of the image."""

    def __init__(self, channels: int = 6):
        super().__init__()
        self.stem, self.condition = normalised(3, channels, 3, 2), nn.Linear(4, 2 * channels)
        self.convolution, self.normalisation = convolution(channels, channels), nn.BatchNorm2d(channels, affine=False)
        self.head = head(channels)

    def forward(self, image: Tensor, condition: Tensor) -> Tensor:
        scale, shift = self.condition(condition).unsqueeze(-1).unsqueeze(-1).chunk(2, dim=1)
        hidden = self.stem(image)
        changed = (1 + scale) * self.normalisation(self.convolution(hidden)) + shift
        return self.head(hidden + F.relu(changed))


@model
def conditioned_on_a_second_input() -> Built:
    return Film(), {"image": images(), "condition": normal(4, 4)}


class MaxOut(nn.Module):
    """The maximum over parts of the channels."""

    def __init__(self, inputs: int, outputs: int, parts: int = 2):
        super().__init__()
        self.parts, self.linear = parts, convolution(inputs, outputs * parts, bias=True)

    def forward(self, inputs: Tensor) -> Tensor:
        count, _, height, width = inputs.shape
        return self.linear(inputs).view(count, -1, self.parts, height, width).amax(dim=2)


@model
def many_activations() -> Built:
    """PReLU with one slope and with one for each channel, GLU, maxout, CELU, SELU, Mish, softsign, hard ones."""
    layers = [convolution(3, 8), nn.PReLU(), convolution(8, 8), nn.PReLU(8), convolution(8, 16), nn.GLU(dim=1)]
    layers += [Residual(MaxOut(8, 8)), nn.CELU(), nn.BatchNorm2d(8), nn.SELU(), nn.Mish(), nn.Softsign()]
    layers += [convolution(8, 8), nn.Hardtanh(), nn.Softshrink(0.1), nn.LogSigmoid(), nn.Softplus(), nn.ReLU6()]
    return nn.Sequential(*layers, nn.Threshold(0.1, 0.0), nn.Tanhshrink(), head(8)), images(side=8)


class NamedOutputs(nn.Module):
    def __init__(self):
        super().__init__()
        self.features, self.body = normalised(3, 6, 3, 2), Residual(normalised(6, 6))
        self.head = nn.Linear(6, 5)

    def forward(self, pixel_values: Tensor) -> dict[str, Tensor]:
        features = self.body(self.features(pixel_values))
        return {"features": features, "logits": self.head(features.mean(dim=[-2, -1]))}


@model
def outputs_by_name() -> Built:
    return NamedOutputs(), {"pixel_values": images()}


class CoordinateConvolution(nn.Module):
    """Row and column of each pixel stand beside the channels."""

    def __init__(self, inputs: int, outputs: int, side: int):
        super().__init__()
        line = torch.linspace(-1, 1, side)
        rows, columns = torch.meshgrid(line, line, indexing="ij")
        self.register_buffer("coordinates", torch.stack([rows, columns])[None])
        self.convolution = nn.Conv2d(inputs + 2, outputs, 3, padding=1)

    def forward(self, inputs: Tensor) -> Tensor:
        coordinates = self.coordinates.repeat(len(inputs), 1, 1, 1)
        return F.relu(self.convolution(torch.cat([inputs, coordinates], 1)))


@model
def coordinate_convolutions() -> Built:
    layers = [CoordinateConvolution(3, 6, 12), nn.MaxPool2d(2), CoordinateConvolution(6, 8, 6)]
    return nn.Sequential(*layers, head(8)), images(side=12)


class LearnedScales(nn.Module):
    """A learned number for each channel, each place, and each pair, by broadcasting; sums written with einsum."""

    def __init__(self, channels: int = 6, side: int = 8):
        super().__init__()
        self.stem = convolution(3, channels, 3, 2)
        self.scale, self.position = nn.Parameter(torch.ones(channels, 1, 1)), nn.Parameter(torch.ones(1, side, side))
        self.mix, self.readout = nn.Parameter(torch.empty(channels, channels)), nn.Parameter(torch.empty(5, channels))

    def forward(self, inputs: Tensor) -> Tensor:
        hidden = self.stem(inputs) * self.scale + self.position
        gate = torch.sigmoid(torch.einsum("nchw,cd->nd", hidden, self.mix) / 64)
        hidden = torch.einsum("nchw,nc->nchw", hidden, gate) + hidden
        return torch.einsum("nchw,kc->nk", hidden.tanh(), self.readout)


@model
def learned_scales() -> Built:
    return LearnedScales(), images()


class MixtureOfExperts(nn.Module):
    """Every expert on every example, weighted by a softmax of a router."""

    def __init__(self, width: int = 6, experts: int = 3):
        super().__init__()
        self.router = nn.Linear(width, experts)
        self.experts = nn.ModuleList(
            nn.Sequential(nn.Linear(width, 8 + 2 * index), nn.GELU(), nn.Linear(8 + 2 * index, width))
            for index in range(experts)
        )

    def forward(self, inputs: Tensor) -> Tensor:
        weights = self.router(inputs).softmax(-1)
        outputs = torch.stack([expert(inputs) for expert in self.experts], dim=-1)
        return inputs + (outputs * weights.unsqueeze(-2)).sum(dim=-1)


@model
def mixture_of_experts() -> Built:
    return nn.Sequential(MixtureOfExperts(), nn.BatchNorm1d(6), MixtureOfExperts(), nn.Linear(6, 5)), normal(6, 6)


class TopExperts(nn.Module):
    """Only the two experts of the largest scores count; equal scores leave the choice to the sort."""

    def __init__(self, width: int = 6, experts: int = 4):
        super().__init__()
        self.router = nn.Linear(width, experts)
        self.experts = nn.Parameter(torch.empty(experts, width, width))

    def forward(self, inputs: Tensor) -> Tensor:
        values, chosen = self.router(inputs).topk(2, dim=-1)
        weights = self.experts[chosen]
        outputs = torch.einsum("nd,nkde->nke", inputs, weights)
        return inputs + torch.tanh((outputs * values.softmax(-1).unsqueeze(-1)).sum(1))


@model
def top_experts() -> Built:
    return nn.Sequential(TopExperts(), nn.Linear(6, 5)), normal(6, 6)


class ConditionalConvolution(nn.Module):
    """The kernel of each image is a mixture that the image chooses; images become groups (CondConv)."""

    def __init__(self, inputs: int, outputs: int, experts: int = 3):
        super().__init__()
        self.route = nn.Linear(inputs, experts)
        self.weight = nn.Parameter(torch.empty(experts, outputs, inputs, 3, 3))

    def forward(self, inputs: Tensor) -> Tensor:
        count, channels, height, width = inputs.shape
        routing = torch.sigmoid(self.route(inputs.mean((2, 3))))
        weight = torch.matmul(routing, self.weight.flatten(1)).view(-1, channels, 3, 3)
        merged = inputs.reshape(1, count * channels, height, width)
        return F.conv2d(merged, weight, padding=1, groups=count).view(count, -1, height, width)


@model
def conditional_convolutions() -> Built:
    def block(channels: int) -> Residual:
        return Residual(nn.Sequential(ConditionalConvolution(channels, channels), nn.BatchNorm2d(channels), nn.ReLU()))

    return nn.Sequential(normalised(3, 6, 3, 2), block(6), block(6), head(6)), images()


class CrossNetwork(nn.Module):
    """Products with the first features, beside a perceptron (deep and cross)."""

    def __init__(self, features: int = 7):
        super().__init__()
        self.cross = nn.ModuleList(nn.Linear(features, features) for _ in range(2))
        self.deep = nn.Sequential(nn.Linear(features, 10), nn.ReLU(), nn.Linear(10, 6), nn.ReLU())
        self.head = nn.Linear(features + 6, 1)

    def forward(self, inputs: Tensor) -> Tensor:
        crossed = inputs
        for layer in self.cross:
            crossed = inputs * layer(crossed) + crossed
        return self.head(torch.cat([crossed, self.deep(inputs)], dim=-1)).squeeze(-1)


@model
def deep_and_cross_network() -> Built:
    return CrossNetwork(), normal(6, 7)


class FactorisationMachine(nn.Module):
    """Categories and numbers of a table; pairs by half the square of the sum less the sum of the squares."""

    def __init__(self, width: int = 4):
        super().__init__()
        self.embeddings = nn.ModuleList(nn.Embedding(size, width) for size in (5, 7))
        self.numbers = nn.Parameter(torch.empty(3, width))
        self.linear = nn.Linear(3, 1)

    def forward(self, numbers: Tensor, categories: Tensor) -> Tensor:
        embedded = [table(column) for table, column in zip(self.embeddings, categories.unbind(1), strict=True)]
        vectors = torch.cat([torch.stack(embedded, 1), numbers.unsqueeze(-1) * self.numbers], 1)
        pairs = 0.5 * (vectors.sum(1) ** 2 - (vectors**2).sum(1)).sum(1, keepdim=True)
        return self.linear(numbers) + pairs


@model
def factorisation_machine() -> Built:
    generator = torch.Generator().manual_seed(0)
    return FactorisationMachine(), (normal(6, 3), torch.randint(5, (6, 2), generator=generator))


class Flow(nn.Module):
    """Euler steps of one network that gets the time as a channel."""

    def __init__(self, channels: int = 6, steps: int = 4):
        super().__init__()
        self.stem, self.field, self.steps = convolution(3, channels), convolution(channels + 1, channels), steps
        self.head = head(channels)

    def forward(self, inputs: Tensor) -> Tensor:
        state = self.stem(inputs)
        for step in range(self.steps):
            time = torch.full_like(state[:, :1], step / self.steps)
            state = state + torch.tanh(self.field(torch.cat([state, time], 1))) / self.steps
        return self.head(state)


@model
def ordinary_differential_equation() -> Built:
    return Flow(), images(side=8)


class CouplingLayer(nn.Module):
    """Half of the channels scale and shift the other half; the halves change places by a flip."""

    def __init__(self, channels: int):
        super().__init__()
        self.network = nn.Sequential(convolution(channels // 2, 6), nn.ReLU(), convolution(6, channels, bias=True))

    def forward(self, inputs: Tensor) -> Tensor:
        first, second = inputs.chunk(2, 1)
        scale, shift = self.network(first).chunk(2, 1)
        return torch.cat([first, second * torch.sigmoid(scale + 2) + shift], 1).flip(1)


@model
def normalising_flow() -> Built:
    return nn.Sequential(nn.PixelUnshuffle(2), CouplingLayer(12), CouplingLayer(12), CouplingLayer(12)), images(side=8)


class ChannelPermutation(nn.Module):
    """Channels in an order that a buffer holds, some written over in place."""

    def __init__(self, channels: int = 6):
        super().__init__()
        self.stem = nn.Conv2d(3, channels, 3, padding=1, groups=3)
        self.register_buffer("order", torch.tensor([4, 0, 3, 5, 1, 2]))
        self.mix, self.head = nn.Conv2d(channels, channels, 3, padding=1, groups=2), head(channels)

    def forward(self, inputs: Tensor) -> Tensor:
        hidden = torch.tanh(self.stem(inputs))
        permuted = torch.index_select(hidden, 1, self.order).clone()
        permuted[:, :2] = permuted[:, 2:4] * 0.5
        permuted[:, -1].add_(hidden[:, 0])
        return self.head(hidden + self.mix(permuted))


@model
def permuted_channels() -> Built:
    return ChannelPermutation(), images(side=8)


class NeighbourDifferences(nn.Module):
    """Shifts by zero or more pixels for parts of the channels, then 1x1 convolutions (ShiftNet)."""

    def __init__(self, channels: int):
        super().__init__()
        self.before, self.after = normalised(channels, 10, 1), normalised(10, channels, 1, activation=None)

    def forward(self, inputs: Tensor) -> Tensor:
        hidden = self.before(inputs)
        outputs = torch.zeros_like(hidden)
        outputs[:, 0:2, :, 1:] = hidden[:, 0:2, :, :-1]
        outputs[:, 2:4, :, :-1] = hidden[:, 2:4, :, 1:]
        outputs[:, 4:6, 1:, :] = hidden[:, 4:6, :-1, :]
        outputs[:, 6:8, :-1, :] = hidden[:, 6:8, 1:, :]
        outputs[:, 8:] = hidden[:, 8:]
        return F.relu(inputs + self.after(outputs))


@model
def shift_network() -> Built:
    return nn.Sequential(normalised(3, 8), NeighbourDifferences(8), NeighbourDifferences(8), head(8)), images(side=12)
