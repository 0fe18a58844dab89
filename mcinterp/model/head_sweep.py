"""Many sets of heads taken out or replaced, one after the other or together, from one undisturbed run.

The same answers, to float32 rounding, as a hooked forward pass of the whole model for every set (`intervene`), with
less work: up to the first layer that a set touches everything is the clean run's, in that layer only what the changed z
add through W_O and the MLP are new, and no block has hooks.
"""

from __future__ import annotations

from collections.abc import Hashable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TypeVar

import torch
from jaxtyping import Float
from torch import Tensor

from mcinterp.model.blocks import Block, Blocks
from mcinterp.model.causal import CausalTransformer
from mcinterp.model.encoder import Encoder
from mcinterp.model.heads import HeadSet
from mcinterp.model.shapes import Absent, Answers, Resid, Tokens, Z

Key = TypeVar("Key", bound=Hashable)


@dataclass(frozen=True)
class HeadChange:
    """A set of heads and what their outputs before W_O become.

    Attributes:
        heads: the set.
        z: for each layer, (batch or 1, pos or 1, n_heads, d_head); None for what equal attention to every key that a
            query may see gives (1/n at each of n).
    """

    heads: HeadSet
    z: Sequence[Tensor] | None

    @property
    def first_layer(self) -> int:
        """The first layer that it touches; the set must not be empty."""
        return self.heads.heads[0].layer

    def heads_of(self, layer: int) -> list[int]:
        """Its heads in a layer."""
        return self.heads.by_layer().get(layer, [])


@dataclass(frozen=True)
class CleanRun:
    """An undisturbed forward pass with all that sets of heads are changed in.

    Attributes:
        answers: as `Blocks.answers` gives them.
        z: outputs of the heads of each block before W_O.
        equal_z: what they would be under equal attention; one for all positions where they may all see the same.
        after_attention: each block's input plus what attention adds to it.
        absent: added to attention scores, as `Blocks.absent` gives it.
    """

    answers: Answers
    z: tuple[Z, ...]
    equal_z: tuple[Float[Tensor, "batch queries head d_head"], ...]
    after_attention: tuple[Resid, ...]
    absent: Absent | None

    def part(self, samples: slice) -> CleanRun:
        """The run of some of its samples, without a copy."""
        z, equal_z, after = (tuple(x[samples] for x in kept) for kept in (self.z, self.equal_z, self.after_attention))
        absent = self.absent[samples] if self.absent is not None and self.absent.ndim == 4 else self.absent
        return CleanRun(self.answers[samples], z, equal_z, after, absent)


@dataclass(frozen=True)
class Part:
    """Some samples of a batch.

    Attributes:
        samples: which.
        run: their clean run.
        neighbours: z of every layer of the samples before them in the batch (of its last one, before the first):
            samples are independent, so that a neighbour is another random one.
    """

    samples: slice
    run: CleanRun
    neighbours: tuple[Z, ...]


class HeadSweep:
    """Runs a model under changes of its heads.

    Args:
        model: its weights are copied as they are now.
    """

    def __init__(self, model: Encoder | CausalTransformer) -> None:
        self.blocks = Blocks(model)
        shape = model.model_config
        # z, z under equal attention and `after_attention` of two clean runs, of the source and of the base of a patch.
        self.at_once = self.blocks.at_once(kept=2 * 3 * shape.n_layers * shape.d_model)

    @torch.no_grad()
    def clean(self, tokens: Tokens) -> CleanRun:
        """Run the model as it is on its inputs."""
        tokens = self.blocks.needed(tokens)
        resid, absent = self.blocks.embed(tokens), self.blocks.absent(tokens)
        z, equal_z, after = [], [], []
        for block in self.blocks.blocks:
            attended = block.attended(resid)
            z.append(block.z(attended, absent))
            equal_z.append(block.z_of_equal_attention(self.blocks.seen(attended, absent), range(block.n_heads)))
            after.append(block.after_attention(resid, z[-1]))
            resid = self._output(block, after[-1])
        return CleanRun(self._answers(resid), tuple(z), tuple(equal_z), tuple(after), absent)

    @torch.no_grad()
    def mean_z(self, tokens: Tokens) -> list[Float[Tensor, "1 needed head d_head"]]:
        """The mean over all samples of each layer's z."""
        sums: list[Tensor] = []
        for part in tokens.split(self.at_once):
            own = [z.sum(0, keepdim=True, dtype=torch.float64) for z in self.clean(part).z]
            sums = [one + other for one, other in zip(sums, own, strict=True)] if sums else own
        return [(one / len(tokens)).float() for one in sums]

    def parts(self, tokens: Tokens) -> Iterator[Part]:
        """Clean runs of a batch's inputs, as many samples at a time as fit the memory meant for them."""
        for start in range(0, len(tokens), self.at_once):
            samples = slice(start, min(start + self.at_once, len(tokens)))
            # Index −1 is the last sample.
            run = self.clean(torch.cat([tokens[start - 1, None], tokens[samples]]))
            yield Part(samples, run.part(slice(1, None)), run.part(slice(-1)).z)

    @torch.no_grad()
    def answers(self, clean: CleanRun, changes: Mapping[Key, HeadChange]) -> Iterator[tuple[Key, Answers]]:
        """The answers under each change of a clean run, in any order.

        Where the batch is small, several changes go through the model together as a larger one.
        """
        touching = [key for key, change in changes.items() if change.heads.heads]
        # Those that start in the same layer share most of the way.
        touching.sort(key=lambda key: changes[key].first_layer)
        together = max(1, self.at_once // len(clean.answers))
        for start in range(0, len(touching), together):
            keys = touching[start : start + together]
            answers = self._run(clean, [changes[key] for key in keys])
            yield from zip(keys, answers.unflatten(0, (len(keys), -1)), strict=True)
        yield from ((key, clean.answers) for key, change in changes.items() if not change.heads.heads)

    def _run(self, clean: CleanRun, changes: Sequence[HeadChange]) -> Answers:
        """Answers under changes in the order of their first layers, one batch of them after the other."""
        running: list[HeadChange] = []
        resid = clean.after_attention[0][:0]
        for layer, block in enumerate(self.blocks.blocks):
            after = [self._after_attention(block, layer, clean, running, resid)] if running else []
            new = [change for change in changes if change.first_layer == layer]
            for change in new:
                heads = change.heads_of(layer)
                new_z = (clean.equal_z if change.z is None else change.z)[layer][:, :, heads]
                moved = new_z - clean.z[layer][:, :, heads]
                after.append(block.after_change(clean.after_attention[layer], moved, heads))
            running += new
            if running:
                resid = self._output(block, torch.cat(after) if len(after) > 1 else after[0])
        return self._answers(resid)

    def _after_attention(
        self, block: Block, layer: int, clean: CleanRun, running: Sequence[HeadChange], resid: Resid
    ) -> Resid:
        """Attention of a block that runs under changes from earlier ones, and its own changes of z."""
        absent = clean.absent
        if absent is not None and absent.ndim == 4:
            absent = absent.repeat(len(running), 1, 1, 1)
        attended = block.attended(resid)
        # Nobody sees the attention of heads that every change replaces.
        replaced = set.intersection(*(set(change.heads_of(layer)) for change in running))
        kept = [head for head in range(block.n_heads) if head not in replaced]
        if len(kept) == block.n_heads:
            z = block.z(attended, absent)
        else:
            z = attended.new_empty(*attended.shape[:2], *block.w_out.shape[:2])
            if kept:
                z[:, :, kept] = block.z(attended, absent, kept)
        for change, own, read in zip(running, z.chunk(len(running)), attended.chunk(len(running)), strict=True):
            if heads := change.heads_of(layer):
                own[:, :, heads] = self._new_z(block, layer, clean, change, read)
        return block.after_attention(resid, z)

    def _new_z(self, block: Block, layer: int, clean: CleanRun, change: HeadChange, attended: Resid) -> Tensor:
        """What z of the change's heads becomes, (batch or 1, pos or 1, head, d_head)."""
        heads = change.heads_of(layer)
        if change.z is not None:
            return change.z[layer][:, :, heads]
        return block.z_of_equal_attention(self.blocks.seen(attended, clean.absent), heads)

    def _output(self, block: Block, after_attention: Resid) -> Float[Tensor, "batch read d_model"]:
        last = block is self.blocks.blocks[-1]
        return block.output(self.blocks.to_read(after_attention) if last else after_attention)

    def _answers(self, resid: Resid) -> Answers:
        return self.blocks.answers(self.blocks.outputs(resid))
