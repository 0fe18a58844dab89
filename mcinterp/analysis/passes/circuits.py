"""What each head reads and writes: its QK and OV circuits over positions and over the values of tokens."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import torch
from torch import Tensor

from mcinterp.analysis.passes.direct_circuits import DirectCircuits, attention_scores, per_head
from mcinterp.analysis.passes.frozen_norms import FrozenNorms
from mcinterp.analysis.registry import check_offered
from mcinterp.analysis.statistics import Estimate, Floats, interval_columns, ratio_estimate
from mcinterp.errors import InputError
from mcinterp.model import Head
from mcinterp.model.blocks import Block, Blocks
from mcinterp.results import Result, Table
from mcinterp.runs import Checkpoint

SHUFFLES = 50
_SHARE = (
    "share of the squares of the head's attention scores (each query's centred over keys, as softmax sees them) that "
)
_LEFT_OUT = "; at most 1, below 0 where it is further from the scores than their mean"
_OF_SCORES = ("position_r2", "token_r2", "direct_r2", "shuffled_r2")
_OF_WRITES = ("ov_r2", "ov_shuffled_r2")


def columns(task: Any) -> dict[str, str]:
    """Columns of the table `heads`, for a task."""
    near = {
        f"same_{name}": f"mean of the QK circuit of positions over pairs of the same {name} less that over pairs that "
        "share no group, in units of the score (of the weights, not of samples: no interval)"
        for name in task.position_groups()
    }
    near |= {
        f"same_{name}_shuffled": f"control: 95 % quantile of the size of same_{name} under {SHUFFLES} shuffles of the "
        "positions"
        for name in task.position_groups()
    }
    return {
        "head": "layer and head, from 0",
        "n": task.sample_names[1],
        "seed": "seed of samples and of shuffled labels",
        **interval_columns("position_r2", f"{_SHARE}the QK circuit of positions accounts for{_LEFT_OUT}"),
        **interval_columns("token_r2", f"{_SHARE}the QK circuit of tokens accounts for"),
        **interval_columns(
            "direct_r2",
            f"{_SHARE}both account for together, with their cross terms. What is left out is what attention and MLPs "
            "of earlier layers write, and that the scale of a LayerNorm varies",
        ),
        **interval_columns(
            "shuffled_r2", "control: direct_r2 with shuffled positions and shuffled tokens; about 0 or less"
        ),
        **near,
        task.blank_name: f"how much higher the average query scores a key that holds {task.blank_meaning} than "
        "one that holds a value, over the values as they occur (of the weights: no interval)",
        **interval_columns(
            "ov_r2",
            "share of the squares of what the head writes towards the answer (its output along the residual stream to "
            "the read-out, less what average keys would write) that its OV circuits give under its real attention",
        ),
        **interval_columns(
            "ov_shuffled_r2", "control: ov_r2 with shuffled positions and shuffled tokens; about 0 or less"
        ),
        "ov_slope": "by how much the answer rises for each 1 by which the value at a key rises that has all the "
        "attention: slope of the OV circuit of tokens over the values as they occur (of the weights: no interval)",
        "ov_linear": "squared correlation of the OV circuit of tokens with the value, 1 where it is a straight line",
    }


def circuits(checkpoint: Checkpoint, samples: int = 128, seed: int = 0) -> Result:
    """Compute every head's QK and OV circuits, and how much of what the head does they account for.

    An embedding reaches a head along the residual stream through LayerNorms. With their scales frozen (see
    `FrozenNorms`) a block's input is its mean over samples and positions, plus what the token's embedding and what the
    position's embedding differ from their means by, each through the same linear map, plus what heads and MLPs of
    earlier blocks write, which is left out here. Attention scores of the first two parts are a sum of

    - a circuit of positions: (average query + position's query) · position's key,
    - a circuit of tokens: (average query + token's query) · token's key,
    - cross terms of the one's query with the other's key,

    and of terms that are equal for all keys, which softmax does not see. Biases of LayerNorms and of W_Q are in the
    average query; that of W_K drops out. In the first block only the frozen scale is an approximation.

    The OV circuit of a token or position is what it adds to the answer at a query that gives it all its attention:
    its part of the block's input through W_V, W_O, the later LayerNorms and the read-out; what later blocks make of it
    is left out.

    Args:
        checkpoint: of an encoder that answers a number at every position.
        samples: on which the frozen scales, the means and the shares are measured, at least 2.
        seed: of these and of the shuffled labels.

    Returns:
        table `heads`; arrays `qk_position` (layer, head, query, key), `qk_token` (layer, head, query token, key token),
        `ov_position` (layer, head, position), `ov_token` (layer, head, token), and `values` (token), NaN for those that
        stand for none, of the tokens that the task shows. Source: Elhage et al. 2021, A Mathematical
        Framework for Transformer Circuits; the frozen scales and the shares are this package's.
    """
    if samples < 2:
        raise InputError(f"circuits: samples must be at least 2, got {samples}")
    check_offered("circuits", checkpoint.config)
    task, blocks = checkpoint.task, Blocks(checkpoint.model)
    tokens = checkpoint.sample(samples, seed).inputs
    frozen = FrozenNorms.of(blocks, tokens)
    layers = [DirectCircuits.of(blocks, frozen, layer, tokens) for layer in range(len(blocks.blocks))]
    values = task.token_values()
    labels = _shuffled_labels(tokens, len(values), seed)
    squares = _squares(blocks, frozen, layers, [layer.relabelled(*labels) for layer in layers], tokens)
    shown = task.shown_tokens(tokens)
    counts = torch.bincount(tokens.flatten().cpu(), minlength=len(values)).double().numpy()
    about = {"n": samples, "seed": seed}
    rows = [
        {
            "head": str(Head(index, head)),
            **about,
            **_shares(squares[index], head),
            **_numbers(layer, head, counts, task, seed),
        }
        for index, layer in enumerate(layers)
        for head in range(layer.query.shape[0])
    ]
    arrays = {name: np.stack([layer.stored(shown)[name] for layer in layers]) for name in _AXES if name != "values"}
    arrays["values"] = values[shown.cpu().numpy()]
    return Result(
        "circuits",
        "What each head reads and writes",
        {"samples": samples, "seed": seed},
        {**task.position_facts(), "positions": task.position_labels(), "axes": _AXES, **_near_facts(task)},
        {"heads": Table.of(columns(task), rows)},
        {name: array.astype(np.float32) for name, array in arrays.items()},
    )


_AXES = {
    "qk_position": ["layer", "head", "query", "key"],
    "qk_token": ["layer", "head", "query token", "key token"],
    "ov_position": ["layer", "head", "position"],
    "ov_token": ["layer", "head", "token"],
    "values": ["token"],
}


def _centred(scores: Tensor) -> Tensor:
    """Scores less each query's mean over keys."""
    return scores - scores.mean(-1, keepdim=True)


def _shares(squares: Mapping[str, Floats], head: int) -> dict[str, float]:
    """The shares of a head with their intervals, from `_squares` of its layer."""
    totals = {**dict.fromkeys(_OF_SCORES, "scores"), **dict.fromkeys(_OF_WRITES, "writes")}
    shares = {name: _share(squares[name][:, head], squares[total][:, head]) for name, total in totals.items()}
    return {key: value for name, share in shares.items() for key, value in share.columns(name).items()}


def _share(left: Floats, total: Floats) -> Estimate:
    """1 − Σ left / Σ total; NaN where there is nothing to account for."""
    ratio = ratio_estimate(left, total)
    return Estimate(1 - ratio.value, 1 - ratio.high, 1 - ratio.low, np.full_like(ratio.p_value, np.nan))


@torch.no_grad()
def _squares(
    blocks: Blocks, frozen: FrozenNorms, layers: list[DirectCircuits], controls: list[DirectCircuits], tokens: Tensor
) -> list[dict[str, Floats]]:
    """Of each layer's heads and each sample, (n, head): of `_OF_SCORES` and `_OF_WRITES` what is left."""
    found: list[list[dict[str, Tensor]]] = [[] for _ in layers]
    # Scores of all terms in float64.
    for samples in blocks.parts(len(tokens), kept=16 * blocks.blocks[0].n_heads * tokens.shape[1]):
        own = tokens[samples]
        for layer, resid in zip(range(len(layers)), blocks.residual_stream(own), strict=False):
            circuit, control, mean = layers[layer], controls[layer], frozen.means[layer]
            found[layer].append(_part(blocks.blocks[layer], circuit, control, resid.double(), mean, own))
    return [{name: torch.cat([part[name] for part in parts]).cpu().numpy() for name in parts[0]} for parts in found]


def _part(
    block: Block, layer: DirectCircuits, control: DirectCircuits, resid: Tensor, mean: Tensor, tokens: Tensor
) -> dict[str, Tensor]:
    """The same of some samples with a block's input, each (batch, head)."""
    weight, bias = block.qkv.double(), block.qkv_bias.double()
    scores = _centred(attention_scores(per_head(resid, weight[:, 0]) + bias[0], per_head(resid, weight[:, 1])))
    terms = (layer.of_positions(), layer.of_tokens(tokens), layer.together(tokens), control.together(tokens))
    sums = {
        name: (scores - _centred(term)).square().sum((-1, -2)) for name, term in zip(_OF_SCORES, terms, strict=True)
    }
    pattern = scores.softmax(-1)
    writes = _attended(pattern, (resid - mean) @ layer.direction)
    for name, own in zip(_OF_WRITES, (layer, control), strict=True):
        sums[name] = (writes - _attended(pattern, own.written(tokens))).square().sum(1)
    return sums | {"scores": scores.square().sum((-1, -2)), "writes": writes.square().sum(1)}


def _attended(pattern: Tensor, keys: Tensor) -> Tensor:
    """(batch, head, query, key) of (batch, key, head): (batch, query, head)."""
    return torch.einsum("bhqk,bkh->bqh", pattern, keys)


def _shuffled_labels(tokens: Tensor, n_tokens: int, seed: int) -> tuple[Tensor, Tensor]:
    """A random order of the positions, and of the tokens that occur; other tokens stay."""
    generator = np.random.default_rng(seed)
    positions = torch.from_numpy(generator.permutation(tokens.shape[1]))
    occurring = torch.unique(tokens).cpu()
    order = torch.arange(n_tokens)
    order[occurring] = occurring[torch.from_numpy(generator.permutation(len(occurring)))]
    return positions.to(tokens.device), order.to(tokens.device)


def _near_facts(task: Any) -> dict[str, Any]:
    """By what positions are grouped, and what the token without a value is called."""
    return {
        "position_groups": list(task.position_groups()),
        "blank": [task.blank_name, task.blank_meaning],
        "sample_names": list(task.sample_names),
    }


def _numbers(layer: DirectCircuits, head: int, counts: Floats, task: Any, seed: int) -> dict[str, float]:
    """What the table says of a head's circuits; `counts` (d_vocab,) tells how often each token occurs."""
    values = task.token_values()
    tokens = torch.arange(len(values))
    circuit = layer.of_positions()[head].cpu().numpy()
    scores = (layer.keys[1][tokens, head] @ layer.query[head]).cpu().numpy()
    return {
        **_neighbours(circuit, task.position_groups(), seed),
        task.blank_name: _above_values(scores, counts, values, task.blank_token),
        **_line(layer.writes[1][tokens, head].cpu().numpy(), counts, values),
    }


def _neighbours(circuit: Floats, groups: Mapping[str, Sequence[int]], seed: int) -> dict[str, float]:
    """How much higher a position scores those of its group, and what shuffled positions give."""
    generator = np.random.default_rng(seed)
    orders = [generator.permutation(len(circuit)) for _ in range(SHUFFLES)]
    labels = {name: np.asarray(own) for name, own in groups.items()}
    found, shuffled = {}, {}
    for name, own in labels.items():
        others = [other for also, other in labels.items() if also != name]
        found[f"same_{name}"] = _preference(circuit, own, others)
        sizes = [abs(_preference(circuit[np.ix_(order, order)], own, others)) for order in orders]
        shuffled[f"same_{name}_shuffled"] = float(np.quantile(sizes, 0.95))
    return found | shuffled


def _preference(circuit: Floats, own: np.ndarray, others: Sequence[np.ndarray]) -> float:
    same, apart = own[:, None] == own, own[:, None] != own
    elsewhere = np.all([other[:, None] != other for other in others] or [np.ones_like(same)], axis=0)
    near, far = circuit[same & elsewhere], circuit[apart & elsewhere]
    return float(near.mean() - far.mean()) if near.size and far.size else float("nan")


def _above_values(scores: Floats, counts: Floats, values: Floats, blank: int) -> float:
    """The score of a token less the mean score of values, as often as they occur; NaN where either does not."""
    is_value = np.isfinite(values)
    if not (counts[blank] and counts[is_value].any()):
        return float("nan")
    return float(scores[blank] - np.average(scores[is_value], weights=counts[is_value]))


def _line(writes: Floats, counts: Floats, values: Floats) -> dict[str, float]:
    """The least-squares line of what tokens write over their values, as often as they occur."""
    used = np.isfinite(values) & (counts > 0)
    share = counts[used] / max(counts[used].sum(), 1)
    x = values[used] - share @ values[used]
    y = writes[used] - share @ writes[used]
    xx, xy, yy = share @ x**2, share @ (x * y), share @ y**2
    return {
        "ov_slope": float(xy / xx) if xx > 0 else float("nan"),
        "ov_linear": float(xy**2 / (xx * yy)) if xx > 0 and yy > 0 else float("nan"),
    }
