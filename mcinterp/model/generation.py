"""What causal transformers write, and how probable they find what others wrote; without hooks.

Prompts of several lengths go through together. Keys and values of all tokens are kept, so that only new ones are run: a
prompt's own stand at its own positions, and what stands behind them for the sake of longer prompts is not seen, then
overwritten.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
import torch.nn.functional as F
from jaxtyping import Float, Int
from torch import Tensor
from torch.nn.utils.rnn import pad_sequence

from mcinterp.errors import InputError
from mcinterp.model.blocks import Block, Blocks
from mcinterp.model.causal import CausalTransformer
from mcinterp.model.rotary import turned
from mcinterp.model.shapes import Resid, Tokens


@torch.no_grad()
def generate(
    model: CausalTransformer,
    prompts: Sequence[Tensor],
    n_new: int,
    temperature: float = 0.0,
    end_token: int | None = None,
    generator: torch.Generator | None = None,
) -> list[Tensor]:
    """Go on after each prompt, token by token.

    Args:
        model: what writes.
        prompts: token ids, each (pos,), of any lengths.
        n_new: most tokens that are written after each.
        temperature: logits are divided by it before a token is drawn; 0 takes the most probable token, which does not
            depend on the other prompts.
        end_token: the token after which nothing more is written.
        generator: draws the tokens, on the model's device; needed where the temperature is not 0.

    Returns:
        the new tokens of each prompt, (up to n_new,), an end token included.

    Raises:
        InputError: for a prompt that is empty, too long or has an unknown token, a temperature that is none, or one
            without a generator.
    """
    if n_new < 1:
        raise InputError(f"n_new must be at least 1, got {n_new}")
    if not 0.0 <= temperature < float("inf"):
        raise InputError(f"temperature must be a number of 0 or more, got {temperature}")
    if temperature and generator is None:
        raise InputError(f"temperature {temperature} draws tokens: give the generator that draws them")
    # The last of the new tokens is not run.
    sequences = _checked(model, prompts, "prompt", n_new - 1)
    blocks = Blocks(model)
    written: list[Tensor] = []
    for part in blocks.parts(len(sequences), kept=2 * len(blocks.blocks) * model.cfg.d_model):
        new = _written(blocks, sequences[part], n_new, temperature, end_token, generator)
        written += [_ended(tokens, end_token) for tokens in new]
    return written


@torch.no_grad()
def log_probabilities(
    model: CausalTransformer, prompts: Sequence[Tensor], continuations: Sequence[Tensor]
) -> list[Tensor]:
    """How probable each token of given continuations is, after its prompt and those before it.

    Args:
        model: what is asked.
        prompts: token ids, each (pos,), of any lengths.
        continuations: what comes after each prompt, likewise; may be empty.

    Returns:
        natural logarithms, (tokens of the continuation,) for each; their sum is that of the whole continuation.

    Raises:
        InputError: if there are not as many continuations as prompts, a prompt is empty, or together they are too long
            or have an unknown token.
    """
    if len(prompts) != len(continuations):
        raise InputError(f"{len(prompts)} prompts need as many continuations, got {len(continuations)}")
    _checked(model, prompts, "prompt")
    pairs = zip(prompts, continuations, strict=True)
    # Nothing is predicted from the last token, so that it need not fit.
    sequences = _checked(model, [torch.cat(pair) for pair in pairs], "prompt and continuation", -1)
    blocks, found = Blocks(model), []
    for part in blocks.parts(len(sequences), kept=2 * len(blocks.token)):
        tokens = pad_sequence(sequences[part], batch_first=True)
        *_, resid = blocks.residual_stream(tokens[:, :-1])
        scores = blocks.outputs(resid).log_softmax(-1)
        of_tokens = scores.gather(-1, tokens[:, 1:, None])[..., 0]
        for each, prompt, whole in zip(of_tokens, prompts[part], sequences[part], strict=True):
            found.append(each[len(prompt) - 1 : len(whole) - 1].clone())
    return found


class _Kept:
    """A layer's keys, turned, and values at the positions that have been run, (batch, head, pos, d_head)."""

    def __init__(self, block: Block, n_batch: int, n_positions: int) -> None:
        shape = (n_batch, n_positions, *block.qkv_bias.shape[1:])
        self.keys, self.values = (block.qkv.new_zeros(shape).transpose(1, 2) for _ in range(2))
        self._sample = torch.arange(n_batch, device=block.qkv.device)[:, None]

    def attend(self, block: Block, resid: Resid, positions: Int[Tensor, "batch pos"]) -> Resid:
        """A block's `after_attention` for tokens at their positions, which are kept."""
        q, k, v = block.queries_keys_values(block.attended(resid))
        if block.turns is not None:
            here = block.turns[:, positions][:, :, None]
            q, k = turned(q, here), turned(k, here)
        for kept, new in ((self.keys, k), (self.values, v)):
            kept[self._sample, :, positions] = new.transpose(1, 2)
        later = torch.arange(self.keys.shape[2], device=q.device) > positions[..., None]
        scores = (q @ self.keys.mT).add_(torch.where(later, -torch.inf, 0.0)[:, None])
        return block.after_attention(resid, (scores.softmax(-1) @ self.values).transpose(1, 2))


def _written(
    blocks: Blocks,
    prompts: Sequence[Tensor],
    n_new: int,
    temperature: float,
    end_token: int | None,
    generator: torch.Generator | None,
) -> Int[Tensor, "batch new"]:
    """What is written after each prompt, whatever comes after an end token included."""
    tokens = pad_sequence(list(prompts), batch_first=True)
    last = torch.tensor([len(prompt) - 1 for prompt in prompts], device=tokens.device)[:, None]
    kept = [_Kept(block, len(prompts), tokens.shape[1] + n_new - 1) for block in blocks.blocks]
    positions = torch.arange(tokens.shape[1], device=tokens.device).expand_as(tokens)
    new: list[Tensor] = []
    while True:
        resid = _run(blocks, kept, tokens, positions)
        if not new:
            resid = resid.gather(1, last[..., None].expand(-1, -1, resid.shape[-1]))
        new.append(_chosen(blocks.outputs(resid)[:, 0], temperature, generator))
        so_far = torch.stack(new, 1)
        if len(new) == n_new or (end_token is not None and bool((so_far == end_token).any(1).all())):
            return so_far
        tokens, positions = new[-1][:, None], last + len(new)


def _run(blocks: Blocks, kept: Sequence[_Kept], tokens: Tokens, positions: Int[Tensor, "batch pos"]) -> Resid:
    """The last block's output for tokens at their positions, after those whose keys and values are kept."""
    resid = F.embedding(tokens, blocks.token)
    if blocks.position is not None:
        resid = resid + blocks.position[positions]
    for block, own in zip(blocks.blocks, kept, strict=True):
        resid = block.output(own.attend(block, resid, positions))
    return resid


def _chosen(
    logits: Float[Tensor, "batch d_vocab"], temperature: float, generator: torch.Generator | None
) -> Int[Tensor, " batch"]:
    """The most probable token, or one drawn."""
    if temperature == 0.0:
        return logits.argmax(-1)
    # The largest logit first becomes 0, so that a small temperature leads to no infinity.
    shifted = (logits - logits.amax(-1, keepdim=True)) / temperature
    return torch.multinomial(shifted.softmax(-1), 1, generator=generator)[:, 0]


def _ended(tokens: Int[Tensor, " new"], end_token: int | None) -> Tensor:
    """The tokens up to the first end token."""
    ends = [] if end_token is None else (tokens == end_token).nonzero()[:, 0].tolist()
    return tokens[: ends[0] + 1] if ends else tokens


def _checked(model: CausalTransformer, sequences: Sequence[Tensor], name: str, n_more: int = 0) -> list[Tensor]:
    """The sequences on the model's device, once they and `n_more` positions are known to fit it."""
    d_vocab, n_positions = model.cfg.d_vocab, model.n_positions
    for index, tokens in enumerate(sequences):
        if tokens.ndim != 1 or tokens.dtype != torch.int64 or not len(tokens):
            raise InputError(
                f"{name} {index} must be a tensor of one or more token ids, int64, got {tokens.dtype} "
                f"of shape {tuple(tokens.shape)}"
            )
        if len(tokens) + n_more > n_positions:
            raise InputError(
                f"{name} {index} has {len(tokens)} tokens; the model has {n_positions} positions, which leaves room "
                f"for {n_positions - n_more}"
            )
        unknown = tokens[(tokens < 0) | (tokens >= d_vocab)]
        if len(unknown):
            raise InputError(f"{name} {index} has the token {int(unknown[0])}; tokens are 0 … {d_vocab - 1}")
    return [tokens.to(model.embed.W_E.device) for tokens in sequences]
