"""Attention and recurrent layers, composed of other operations."""

from __future__ import annotations

import math
from typing import Any

import torch
from torch import Tensor
from torch.nn import functional

from epsinas.models.lumped import add_rule, aten, nothing


def attention(
    query: Tensor,
    key: Tensor,
    value: Tensor,
    mask: Tensor | None = None,
    causal: bool = False,
    scale: float | None = None,
) -> Tensor:
    """Compute softmax(query key^T scale + mask) value; where all keys are masked, 0."""
    scores = torch.matmul(query, key.transpose(-2, -1)) * (1 / math.sqrt(query.shape[-1]) if scale is None else scale)
    if causal:
        later = torch.ones(scores.shape[-2:], dtype=torch.bool, device=query.device).triu(1)
        scores = scores.masked_fill(later, -math.inf)
    if mask is not None:
        scores = scores.masked_fill(~mask, -math.inf) if mask.dtype == torch.bool else scores + mask
    return torch.matmul(torch._safe_softmax(scores, -1), value)


@add_rule(aten._scaled_dot_product_flash_attention_for_cpu)
def _attention_for_cpu(
    query: Any,
    key: Any,
    value: Any,
    dropout: float = 0.0,
    causal: bool = False,
    *,
    attn_mask: Any = None,
    scale: Any = None,
) -> Any:
    if dropout:
        return NotImplemented
    return attention(query, key, value, attn_mask, causal, scale), nothing(query)


@add_rule(aten.mkldnn_rnn_layer)
def _lstm_layer(
    x: Tensor,
    weight: Tensor,
    recurrent: Tensor,
    bias: Tensor,
    recurrent_bias: Tensor,
    hidden: Tensor,
    cell: Tensor,
    reverse: bool,
    lengths: Any,
    mode: int,
    size: int,
    layers: int,
    has_biases: bool,
    bidirectional: bool,
    batch_first: bool,
    training: bool,
) -> Any:
    if mode != 2 or layers != 1 or bidirectional or len(lengths):
        return NotImplemented
    outputs: list[Tensor] = []
    for step in x.flip(0).unbind(0) if reverse else x.unbind(0):
        gates = functional.linear(step, weight) + functional.linear(hidden, recurrent)
        if has_biases:
            gates = gates + bias + recurrent_bias
        enter, forget, candidate, leave = gates.chunk(4, 1)
        cell = torch.sigmoid(forget) * cell + torch.sigmoid(enter) * torch.tanh(candidate)
        hidden = torch.sigmoid(leave) * torch.tanh(cell)
        outputs.append(hidden)
    stacked = torch.stack(outputs[::-1] if reverse else outputs)
    return stacked, hidden, cell, nothing(x)
