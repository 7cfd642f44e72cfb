"""Networks of sequences: transformers, recurrent networks, convolutions over time."""

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from tests.models.parts import Built, model, normal, tokens

VOCABULARY = 20


class TokenEncoder(nn.Module):
    def __init__(self, width: int = 12, norm_first: bool = False, activation: str = "relu"):
        super().__init__()
        self.embed, self.position = nn.Embedding(VOCABULARY, width, padding_idx=0), nn.Embedding(16, width)
        layer = nn.TransformerEncoderLayer(
            width, 3, 2 * width, batch_first=True, norm_first=norm_first, activation=activation
        )
        self.encoder = nn.TransformerEncoder(layer, 2, enable_nested_tensor=False)
        self.head = nn.Linear(width, 5)

    def forward(self, inputs: Tensor) -> Tensor:
        places = torch.arange(inputs.shape[1], device=inputs.device)
        return self.head(self.encoder(self.embed(inputs) + self.position(places)).mean(dim=1))


@model
def transformer_of_tokens() -> Built:
    return TokenEncoder(), tokens()


@model
def transformer_of_tokens_norm_first() -> Built:
    return TokenEncoder(norm_first=True, activation="gelu"), tokens()


class FloatEncoder(nn.Module):
    """Sinusoids in a buffer beside the features, so that channels differ; the last step is what counts."""

    def __init__(self, features: int = 6, width: int = 12, length: int = 9):
        super().__init__()
        angles = torch.arange(length)[:, None] / 10.0 ** torch.arange(0, width - features, 2)
        self.register_buffer("sinusoids", torch.cat([angles.sin(), angles.cos()], 1))
        layer = nn.TransformerEncoderLayer(width, 2, 16, dropout=0.0, batch_first=True, norm_first=True)
        self.encoder = nn.TransformerEncoder(layer, 2, enable_nested_tensor=False)
        self.head = nn.Linear(width, 5)

    def forward(self, inputs: Tensor) -> Tensor:
        sinusoids = self.sinusoids.expand(len(inputs), -1, -1)
        mask = nn.Transformer.generate_square_subsequent_mask(inputs.shape[1], dtype=inputs.dtype)
        return self.head(self.encoder(torch.cat([inputs, sinusoids], 2), mask=mask, is_causal=True)[:, -1])


@model
def transformer_of_floats() -> Built:
    return FloatEncoder(), normal(4, 9, 6)


class EncoderDecoder(nn.Module):
    def __init__(self, width: int = 8):
        super().__init__()
        self.transformer = nn.Transformer(width, 2, 1, 1, 16, batch_first=True)
        self.source, self.target = nn.Linear(5, width), nn.Linear(3, width)
        self.head = nn.Linear(width, 3)

    def forward(self, source: Tensor, target: Tensor) -> Tensor:
        embedded = self.target(target)
        return target + self.head(self.transformer(self.source(source), embedded))


@model
def encoder_decoder() -> Built:
    """Two batches by keyword."""
    return EncoderDecoder(), {"source": normal(4, 7, 5), "target": normal(4, 6, 3, seed=1)}


class EinsumAttention(nn.Module):
    """Attention with every product written as a sum over indices, and parameters for all heads at once."""

    def __init__(self, width: int = 8, heads: int = 2):
        super().__init__()
        self.queries, self.keys, self.values = (
            nn.Parameter(torch.empty(heads, width, width // heads)) for _ in range(3)
        )
        self.outputs = nn.Parameter(torch.empty(heads, width // heads, width))

    def forward(self, inputs: Tensor) -> Tensor:
        queries = torch.einsum("bld,hdk->bhlk", inputs, self.queries)
        keys = torch.einsum("bld,hdk->bhlk", inputs, self.keys)
        values = torch.einsum("bld,hdk->bhlk", inputs, self.values)
        weights = torch.einsum("bhqk,bhlk->bhql", queries, keys).div(queries.shape[-1] ** 0.5).softmax(dim=-1)
        return inputs + torch.einsum("bhql,bhlk,hkd->bqd", weights, values, self.outputs)


@model
def einsum_attention() -> Built:
    return nn.Sequential(EinsumAttention(), nn.Linear(8, 8), EinsumAttention()), normal(4, 7, 8) / 4


class CausalBlock(nn.Module):
    def __init__(self, width: int, heads: int):
        super().__init__()
        self.first_norm, self.second_norm = nn.LayerNorm(width), nn.LayerNorm(width)
        self.split, self.project = nn.Linear(width, 3 * width), nn.Linear(width, width)
        self.expand, self.reduce = nn.Linear(width, 4 * width), nn.Linear(4 * width, width)
        self.heads = heads

    def attention(self, inputs: Tensor) -> Tensor:
        count, length, width = inputs.shape
        parts = self.split(inputs).split(width, dim=2)
        queries, keys, values = (part.view(count, length, self.heads, -1).transpose(1, 2) for part in parts)
        mixed = F.scaled_dot_product_attention(queries, keys, values, is_causal=True)
        return self.project(mixed.transpose(1, 2).contiguous().view(count, length, width))

    def forward(self, inputs: Tensor) -> Tensor:
        inputs = inputs + self.attention(self.first_norm(inputs))
        return inputs + self.reduce(F.gelu(self.expand(self.second_norm(inputs)), approximate="tanh"))


class CausalLanguageModel(nn.Module):
    """The weights of the last layer are the embedding's."""

    def __init__(self, width: int = 12):
        super().__init__()
        self.embed, self.position = nn.Embedding(VOCABULARY, width), nn.Parameter(torch.zeros(1, 16, width))
        self.blocks = nn.ModuleList(CausalBlock(width, 3) for _ in range(2))
        self.last_norm, self.head = nn.LayerNorm(width), nn.Linear(width, VOCABULARY, bias=False)
        self.head.weight = self.embed.weight

    def forward(self, inputs: Tensor) -> Tensor:
        hidden = self.embed(inputs) + self.position[:, : inputs.shape[1]]
        for block in self.blocks:
            hidden = block(hidden)
        return self.head(self.last_norm(hidden))


@model
def causal_language_model() -> Built:
    return CausalLanguageModel(), tokens()


class RootMeanSquareNorm(nn.Module):
    def __init__(self, width: int):
        super().__init__()
        self.weight = nn.Parameter(torch.ones(width))

    def forward(self, inputs: Tensor) -> Tensor:
        return self.weight * (inputs * torch.rsqrt(inputs.pow(2).mean(-1, keepdim=True) + 1e-6))


class RotaryBlock(nn.Module):
    """Rotated queries and keys, keys shared by heads, a gated perceptron, no biases."""

    def __init__(self, width: int = 8, heads: int = 2):
        super().__init__()
        self.heads, size = heads, width // heads
        self.first_norm, self.second_norm = RootMeanSquareNorm(width), RootMeanSquareNorm(width)
        self.query, self.key, self.value = (nn.Linear(width, out, bias=False) for out in (width, size, size))
        self.project = nn.Linear(width, width, bias=False)
        self.gate, self.up, self.down = (
            nn.Linear(*sizes, bias=False) for sizes in ((width, 12), (width, 12), (12, width))
        )
        angles = torch.arange(16)[:, None] / 100.0 ** (torch.arange(0, size, 2) / size)
        self.register_buffer("cosines", torch.cat([angles, angles], 1).cos())
        self.register_buffer("sines", torch.cat([angles, angles], 1).sin())

    def rotated(self, inputs: Tensor) -> Tensor:
        length, half = inputs.shape[-2], inputs.shape[-1] // 2
        turned = torch.cat([-inputs[..., half:], inputs[..., :half]], dim=-1)
        return inputs * self.cosines[:length] + turned * self.sines[:length]

    def attention(self, inputs: Tensor) -> Tensor:
        count, length, width = inputs.shape
        queries = self.query(inputs).view(count, length, self.heads, -1).transpose(1, 2)
        keys, values = (layer(inputs).unsqueeze(1).expand(-1, self.heads, -1, -1) for layer in (self.key, self.value))
        logits = self.rotated(queries) @ self.rotated(keys).transpose(-1, -2) / queries.shape[-1] ** 0.5
        hidden = torch.ones(length, length, dtype=torch.bool).triu(1)
        mixed = logits.masked_fill(hidden, float("-inf")).softmax(-1) @ values
        return self.project(mixed.transpose(1, 2).reshape(count, length, width))

    def forward(self, inputs: Tensor) -> Tensor:
        inputs = inputs + self.attention(self.first_norm(inputs))
        normal = self.second_norm(inputs)
        return inputs + self.down(F.silu(self.gate(normal)) * self.up(normal))


@model
def rotary_transformer() -> Built:
    return nn.Sequential(nn.Linear(6, 8), RotaryBlock(), RotaryBlock(), nn.Linear(8, 5)), normal(4, 7, 6)


class LinearAttention(nn.Module):
    """Keys times values first: a sum over time, without a softmax."""

    def __init__(self, width: int):
        super().__init__()
        self.query, self.key, self.value = (nn.Linear(width, width) for _ in range(3))

    def forward(self, inputs: Tensor) -> Tensor:
        queries, keys, values = F.elu(self.query(inputs)) + 1, F.elu(self.key(inputs)) + 1, self.value(inputs)
        numerator = torch.bmm(queries, torch.bmm(keys.transpose(1, 2), values))
        denominator = (queries * keys.sum(1, keepdim=True)).sum(-1, keepdim=True)
        return inputs + numerator / (denominator + 1e-6)


@model
def linear_attention() -> Built:
    return nn.Sequential(LinearAttention(6), nn.Linear(6, 6), LinearAttention(6)), normal(4, 7, 6)


class Recurrent(nn.Module):
    """Tokens through a recurrent network; the last step is classified."""

    def __init__(self, kind, hidden: int = 8, **keywords):
        super().__init__()
        self.embed = nn.Embedding(VOCABULARY, 6)
        self.recurrent = kind(6, hidden, batch_first=True, **keywords)
        self.head = nn.Linear(hidden, 5)

    def forward(self, inputs: Tensor) -> Tensor:
        return self.head(self.recurrent(self.embed(inputs))[0][:, -1])


@model
def lstm_of_tokens() -> Built:
    return Recurrent(nn.LSTM), tokens()


class FloatRecurrent(nn.Module):
    """Floats through a recurrent network; a linear layer on every step."""

    def __init__(self, recurrent: nn.Module, outputs: int):
        super().__init__()
        self.recurrent, self.head = recurrent, nn.Linear(outputs, 5)

    def forward(self, inputs: Tensor) -> Tensor:
        return self.head(self.recurrent(inputs)[0])


@model
def lstm() -> Built:
    return FloatRecurrent(nn.LSTM(6, 8, batch_first=True), 8), normal(4, 7, 6)


@model
def lstm_bidirectional() -> Built:
    return FloatRecurrent(nn.LSTM(6, 8, 2, batch_first=True, bidirectional=True, dropout=0.1), 16), normal(4, 7, 6)


@model
def lstm_projected() -> Built:
    return FloatRecurrent(nn.LSTM(6, 8, batch_first=True, proj_size=4), 4), normal(4, 7, 6)


@model
def gru() -> Built:
    return FloatRecurrent(nn.GRU(6, 8, 2, batch_first=True, bias=False), 8), normal(4, 7, 6)


@model
def elman_network() -> Built:
    return FloatRecurrent(nn.RNN(6, 8, nonlinearity="tanh", batch_first=True), 8), normal(4, 7, 6)


class FinalState(nn.Module):
    """Time is the first dimension inside; the output is the last hidden state of both directions."""

    def __init__(self):
        super().__init__()
        self.recurrent, self.head = nn.RNN(6, 8, nonlinearity="relu", bidirectional=True), nn.Linear(16, 5)

    def forward(self, inputs: Tensor) -> Tensor:
        _, hidden = self.recurrent(inputs.transpose(0, 1))
        return self.head(torch.cat([hidden[0], hidden[1]], dim=-1))


@model
def elman_network_rectified() -> Built:
    return FinalState(), normal(4, 7, 6)


class Cells(nn.Module):
    """A loop over time with an LSTM cell, a GRU cell on its output, and a residual sum."""

    def __init__(self, width: int = 6):
        super().__init__()
        self.first, self.second = nn.LSTMCell(width, width), nn.GRUCell(width, width)
        self.head = nn.Linear(width, 5)

    def forward(self, inputs: Tensor) -> Tensor:
        hidden = cell = second = inputs.new_zeros(len(inputs), inputs.shape[-1])
        outputs = []
        for step in inputs.unbind(1):
            hidden, cell = self.first(step, (hidden, cell))
            second = self.second(hidden + step, second)
            outputs.append(self.head(second + step))
        return torch.stack(outputs, dim=1)


@model
def recurrent_cells() -> Built:
    return Cells(), normal(4, 7, 6)


class WrittenLSTM(nn.Module):
    """The four gates out of one matrix, each with its part of the output."""

    def __init__(self, inputs: int = 6, hidden: int = 8):
        super().__init__()
        self.gates, self.hidden = nn.Linear(inputs + hidden, 4 * hidden), hidden
        self.head = nn.Linear(hidden, 5)

    def forward(self, inputs: Tensor) -> Tensor:
        hidden = cell = torch.zeros(len(inputs), self.hidden, dtype=inputs.dtype)
        for step in range(inputs.shape[1]):
            gates = self.gates(torch.cat([inputs[:, step], hidden], 1))
            enter, forget, candidate, leave = gates.chunk(4, 1)
            cell = torch.sigmoid(forget) * cell + torch.sigmoid(enter) * torch.tanh(candidate)
            hidden = torch.sigmoid(leave) * torch.tanh(cell)
        return self.head(hidden)


@model
def lstm_written_out() -> Built:
    return WrittenLSTM(), normal(4, 7, 6)


class CausalConvolution(nn.Module):
    """Padded on both sides and cut at the end, so that no step sees the future."""

    def __init__(self, inputs: int, outputs: int, dilation: int):
        super().__init__()
        self.cut = 2 * dilation
        self.first = nn.Conv1d(inputs, outputs, 3, padding=self.cut, dilation=dilation)
        self.second = nn.Conv1d(outputs, outputs, 3, padding=self.cut, dilation=dilation)
        self.project = nn.Conv1d(inputs, outputs, 1) if inputs != outputs else None
        self.dropout = nn.Dropout(0.2)

    def forward(self, inputs: Tensor) -> Tensor:
        hidden = self.dropout(F.relu(self.first(inputs)[:, :, : -self.cut]))
        hidden = self.dropout(F.relu(self.second(hidden)[:, :, : -self.cut].contiguous()))
        return F.relu(hidden + (inputs if self.project is None else self.project(inputs)))


@model
def temporal_convolutions() -> Built:
    blocks = [CausalConvolution(3, 6, 1), CausalConvolution(6, 6, 2), CausalConvolution(6, 6, 4)]
    return nn.Sequential(*blocks, nn.AdaptiveAvgPool1d(1), nn.Flatten(), nn.Linear(6, 5)), normal(4, 3, 24)


class WaveNet(nn.Module):
    """Gated causal convolutions whose skips are summed."""

    def __init__(self, channels: int = 6):
        super().__init__()
        self.first = nn.Conv1d(2, channels, 1)
        self.dilations = (1, 2, 4)
        self.gated = nn.ModuleList(nn.Conv1d(channels, 2 * channels, 2, dilation=step) for step in self.dilations)
        self.residual, self.skip = (
            nn.ModuleList(nn.Conv1d(channels, channels, 1) for _ in self.dilations) for _ in range(2)
        )
        self.last = nn.Sequential(nn.ReLU(), nn.Conv1d(channels, 5, 1))

    def forward(self, inputs: Tensor) -> Tensor:
        hidden, total = self.first(inputs), torch.zeros(())
        for dilation, gated, residual, skip in zip(self.dilations, self.gated, self.residual, self.skip, strict=True):
            wave, gate = gated(F.pad(hidden, (dilation, 0))).chunk(2, 1)
            mixed = wave.tanh() * gate.sigmoid()
            total = total + skip(mixed)
            hidden = hidden + residual(mixed)
        return self.last(total)


@model
def wavenet() -> Built:
    return WaveNet(), normal(4, 2, 16)


class TextConvolutions(nn.Module):
    """Kernels of several lengths over embedded tokens, the maximum over time of each, side by side."""

    def __init__(self, width: int = 6):
        super().__init__()
        self.embed = nn.Embedding(VOCABULARY, width)
        self.layers = nn.ModuleList(nn.Conv2d(1, 4, (length, width)) for length in (2, 3, 4))
        self.head = nn.Linear(12, 5)

    def forward(self, inputs: Tensor) -> Tensor:
        embedded = self.embed(inputs).unsqueeze(1)
        features = [F.relu(layer(embedded)).squeeze(3) for layer in self.layers]
        pooled = [F.max_pool1d(feature, feature.shape[2]).squeeze(2) for feature in features]
        return self.head(torch.cat(pooled, 1))


@model
def text_convolutions() -> Built:
    return TextConvolutions(), tokens()


@model
def embedding_bag() -> Built:
    return nn.Sequential(nn.EmbeddingBag(VOCABULARY, 6, mode="mean"), nn.Linear(6, 5), nn.LogSoftmax(dim=-1)), tokens()


class StateSpace(nn.Module):
    """A diagonal linear recurrence by channels with a gate, written as a loop."""

    def __init__(self, width: int = 6, states: int = 4):
        super().__init__()
        self.decay, self.enter, self.leave = (nn.Parameter(torch.ones(width, states)) for _ in range(3))
        self.skip, self.gate = nn.Parameter(torch.ones(width)), nn.Linear(width, width)

    def forward(self, inputs: Tensor) -> Tensor:
        state = inputs.new_zeros(len(inputs), *self.decay.shape)
        outputs = torch.empty_like(inputs)
        for step in range(inputs.shape[1]):
            state = torch.exp(-F.softplus(self.decay)) * state + self.enter * inputs[:, step, :, None]
            outputs[:, step] = (state * self.leave).sum(-1) + self.skip * inputs[:, step]
        return inputs + outputs * F.silu(self.gate(inputs))


@model
def state_space() -> Built:
    return nn.Sequential(StateSpace(), StateSpace(), nn.Linear(6, 5)), normal(4, 7, 6)
