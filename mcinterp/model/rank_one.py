"""Rank-one edits of the weights W_out of an MLP: one prompt gets another answer, most other inputs keep theirs.

After ROME (Meng et al. 2022, Locating and Editing Factual Associations in GPT, arXiv 2202.05262). W_out is seen as
a memory from keys, the MLP's hidden activations, to values, its output. With k* the key of the prompts, C = E[k kᵀ]
the second moment of all keys and u = C⁻¹ k*, the change u δᵀ / (uᵀ k*) adds δ to the value of k* and as little as can
be, in the mean square over all keys, to the others.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, Protocol

import torch
import torch.nn.functional as F
from jaxtyping import Float, Int
from torch import Tensor
from torch.nn.utils.rnn import pad_sequence

from mcinterp.errors import InputError
from mcinterp.model.interventions import Intervention, intervene

CHUNK = 64
"""Sequences of one forward pass."""
Key = Float[Tensor, " d_mlp"]
Value = Float[Tensor, " d_model"]


@dataclass(frozen=True)
class EditedPrompt:
    """A prompt whose next token is to become another.

    Attributes:
        tokens: token ids, int64, (pos,); what comes after the last of them is predicted.
        site: position at which the MLP's output is changed, from 0.
    """

    tokens: Int[Tensor, " pos"]
    site: int


@dataclass(frozen=True)
class ValueSearch:
    """How the new value is found: Adam on δ, from 0.

    Attributes:
        steps: at most so many.
        learning_rate: of Adam, whose steps are about as long in every coordinate, so that it decides how long δ gets
            where few steps are needed.
        stop: mean −log p(target) over the prompts, nats, below which no further step is taken; where it is so from the
            start, nothing is changed.
        decay: weight of ‖δ‖ / ‖v‖², v the MLP's own output, in what is minimised.
        largest: most of ‖δ‖ / ‖v‖; None for no bound.
    """

    steps: int = 80
    learning_rate: float = 0.03
    stop: float = 0.05
    decay: float = 0.0
    largest: float | None = None


class WeightChange(Protocol):
    """A change of W_out of one layer, as `edited` makes it."""

    @property
    def layer(self) -> int:
        """Whose MLP."""
        ...

    @property
    def outer(self) -> Float[Tensor, "d_mlp d_model"]:
        """What is added to W_out."""
        ...


@dataclass(frozen=True)
class RankOneEdit:
    """A change of W_out (d_mlp, d_model) of one layer: the outer product of `direction` and `change`.

    Attributes:
        layer: whose MLP.
        direction: u / (uᵀ k), k the key of the first prompt: what of a key counts, (d_mlp,).
        change: δ, by which the value of that key changes, (d_model,).
        loss: mean −log p(target) with δ put in, nats.
        steps: of Adam that were taken.
        value_norm: ‖v‖ of the first prompt before.
        rank: how many eigenvalues of the keys' second moment are above 1e-6 of the largest.
        size: Frobenius norm of the change over that of W_out.
    """

    layer: int
    direction: Key
    change: Value
    loss: float
    steps: int
    value_norm: float
    rank: int
    size: float

    @property
    def outer(self) -> Float[Tensor, "d_mlp d_model"]:
        """What is added to W_out."""
        return torch.outer(self.direction, self.change)


@torch.no_grad()
def key_covariance(model: Any, layer: int, tokens: Int[Tensor, "n pos"]) -> Float[Tensor, "d_mlp d_mlp"]:
    """E[k kᵀ] over all positions of sequences, uncentred, in float64.

    Args:
        model: any hooked transformer with MLPs.
        layer: whose MLP, from 0.
        tokens: sequences of the law that other answers are to be kept on.

    Raises:
        InputError: if there is no such layer, or it has no MLP.
    """
    _checked_layer(model, layer)
    total: Any = 0.0
    for part in tokens.split(CHUNK):
        keys = _keys(model, layer, part).flatten(0, 1).double()
        total = total + keys.T @ keys
    return total / tokens.numel()


def rank_one_edit(
    model: Any,
    layer: int,
    prompts: Sequence[EditedPrompt],
    target: int,
    covariance: Float[Tensor, "d_mlp d_mlp"],
    search: ValueSearch | None = None,
    ridge: float = 0.0,
) -> RankOneEdit:
    """The edit after which the prompts are followed by `target`; the model is left as it is (see `edited`).

    Args:
        model: any hooked causal transformer with MLPs.
        layer: whose MLP, from 0.
        prompts: the prompt itself first, which the change is exact for, then the same in other contexts; the key is
            their mean, and δ serves all of them.
        target: token id.
        covariance: of keys, as `key_covariance` gives it.
        search: how δ is found; None for the defaults of `ValueSearch`.
        ridge: this times the largest eigenvalue is added to every eigenvalue of `covariance`, which is singular where a
            layer does not use all its hidden units.

    Raises:
        InputError: for a layer, prompt, site or token that there is not, or a covariance of another size.
    """
    _checked_layer(model, layer)
    _checked_prompts(model, prompts, target)
    W_out, search = model.blocks[layer].mlp.W_out.detach(), search or ValueSearch()
    if covariance.shape != (len(W_out), len(W_out)):
        raise InputError(f"the covariance of {len(W_out)} hidden units is square, got {tuple(covariance.shape)}")
    keys, values = _at_sites(model, layer, prompts)
    change, loss, steps = _found_change(model, layer, prompts, target, values[0], search)
    eigenvalues = torch.linalg.eigvalsh(covariance)
    regular = covariance + ridge * eigenvalues[-1] * torch.eye(len(W_out)).to(covariance)
    # Of least squares, so that keys which a singular moment cannot tell apart are not blown up without bound.
    u = torch.linalg.lstsq(regular, keys.double().mean(0)[:, None], driver="gelsd").solution[:, 0]
    direction = (u / (u @ keys[0].double())).to(W_out)
    return RankOneEdit(
        layer,
        direction,
        change,
        loss,
        steps,
        float(values[0].norm()),
        int((eigenvalues > 1e-6 * eigenvalues[-1]).sum()),
        float(direction.norm() * change.norm() / W_out.norm()),
    )


@contextmanager
def edited(model: Any, *edits: WeightChange) -> Iterator[None]:
    """Make edits inside the `with` block, one after the other; afterwards the weights are what they were, to the bit.

    Raises:
        InputError: for an edit of another shape or of a layer that the model does not have.
    """
    for edit in edits:
        _checked_layer(model, edit.layer)
        if edit.outer.shape != (shape := model.blocks[edit.layer].mlp.W_out.shape):
            raise InputError(f"an edit of shape {tuple(edit.outer.shape)} does not fit W_out of {tuple(shape)}")
    weights = {edit.layer: model.blocks[edit.layer].mlp.W_out for edit in edits}
    before = {layer: own.detach().clone() for layer, own in weights.items()}
    try:
        with torch.no_grad():
            for edit in edits:
                weights[edit.layer].add_(edit.outer)
        yield
    finally:
        with torch.no_grad():
            for layer, own in weights.items():
                own.copy_(before[layer])


def _found_change(
    model: Any, layer: int, prompts: Sequence[EditedPrompt], target: int, value: Value, search: ValueSearch
) -> tuple[Value, float, int]:
    """δ, the loss with it, and how many steps it took."""
    change = torch.zeros_like(value, requires_grad=True)
    optimiser = torch.optim.Adam([change], search.learning_rate)
    for taken in range(search.steps + 1):
        loss = _loss(model, layer, prompts, target, change)
        if taken == search.steps or float(loss.detach()) < search.stop:
            break
        penalty = search.decay * change.norm() / value.norm() ** 2 if search.decay and taken else 0.0
        (change.grad,) = torch.autograd.grad(loss + penalty, [change])
        optimiser.step()
        if search.largest is not None:
            _shorten(change, search.largest * float(value.norm()))
    return change.detach(), float(loss.detach()), taken


@torch.no_grad()
def _shorten(change: Value, most: float) -> None:
    if (length := float(change.norm())) > most:
        change.mul_(most / length)


def _loss(model: Any, layer: int, prompts: Sequence[EditedPrompt], target: int, change: Value) -> Tensor:
    """Mean −log p(target) over the prompts with the change added at their sites."""
    with intervene(model, Intervention({f"blocks.{layer}.hook_mlp_out": _added(prompts, change)})):
        logits = model(_padded(prompts, change.device), return_type="logits")
    last = torch.tensor([len(prompt.tokens) - 1 for prompt in prompts], device=logits.device)
    wanted = torch.full((len(prompts),), target, device=logits.device)
    return F.cross_entropy(logits[torch.arange(len(prompts), device=logits.device), last], wanted)


def _added(prompts: Sequence[EditedPrompt], change: Value) -> Callable[[Tensor], Tensor]:
    def add(output: Tensor) -> Tensor:
        at = torch.zeros(output.shape[:2], device=output.device)
        at[range(len(prompts)), [prompt.site for prompt in prompts]] = 1.0
        return output + at[..., None] * change

    return add


@torch.no_grad()
def _at_sites(
    model: Any, layer: int, prompts: Sequence[EditedPrompt]
) -> tuple[Float[Tensor, "n d_mlp"], Float[Tensor, "n d_model"]]:
    """Keys and values of the prompts."""
    mlp = model.blocks[layer].mlp
    keys = _keys(model, layer, _padded(prompts, mlp.W_out.device))
    keys = keys[range(len(prompts)), [prompt.site for prompt in prompts]]
    return keys, keys @ mlp.W_out + mlp.b_out


def _keys(model: Any, layer: int, tokens: Tensor) -> Float[Tensor, "n pos d_mlp"]:
    name = f"blocks.{layer}.mlp.hook_post"
    _, cache = model.run_with_cache(tokens, names_filter=name, stop_at_layer=layer + 1, return_cache_object=False)
    return cache[name]


def _padded(prompts: Sequence[EditedPrompt], device: torch.device) -> Int[Tensor, "n pos"]:
    """All prompts as one batch; what stands after the end of one is seen by none of its positions."""
    return pad_sequence([prompt.tokens for prompt in prompts], batch_first=True).to(device)


def _checked_layer(model: Any, layer: int) -> None:
    if not 0 <= layer < model.cfg.n_layers:
        raise InputError(f"the model has the layers 0 … {model.cfg.n_layers - 1}, not {layer}")
    if not hasattr(model.blocks[layer], "mlp"):
        raise InputError(f"layer {layer} has no MLP to edit")


def _checked_prompts(model: Any, prompts: Sequence[EditedPrompt], target: int) -> None:
    if not prompts:
        raise InputError("an edit needs at least one prompt")
    for index, prompt in enumerate(prompts):
        tokens = prompt.tokens
        if tokens.ndim != 1 or tokens.dtype != torch.int64 or not 1 <= len(tokens) <= model.cfg.n_ctx:
            raise InputError(
                f"prompt {index} must be 1 to {model.cfg.n_ctx} token ids, int64, got {tokens.dtype} of shape "
                f"{tuple(tokens.shape)}"
            )
        if not 0 <= prompt.site < len(tokens):
            raise InputError(f"prompt {index} has the positions 0 … {len(tokens) - 1}, its site is {prompt.site}")
    known, tokens = model.cfg.d_vocab, torch.cat([*(prompt.tokens for prompt in prompts), torch.tensor([target])])
    unknown = tokens[(tokens < 0) | (tokens >= known)]
    if len(unknown):
        raise InputError(f"tokens are 0 … {known - 1}, got {int(unknown[0])}")
