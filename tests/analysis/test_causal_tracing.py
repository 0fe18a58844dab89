"""Causal tracing: a circuit that is planted, an independent slow count of a random model, and what is said of it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any, Literal

import numpy as np
import pandas as pd
import pytest
import torch
from slow_causal import attention, gelu, layer_norm
from slow_statistics import assert_table, mean, pooled
from torch import Tensor

from mcinterp import causal_tracing
from mcinterp.analysis.registry import PASSES, defined_for
from mcinterp.config import TaskSection, parse_config
from mcinterp.declared import Study, TaskKind
from mcinterp.errors import InputError
from mcinterp.report.views.causal_tracing import sentences, view
from mcinterp.results import Result, Table
from mcinterp.runs import Checkpoint
from mcinterp.task.next_token import NextToken, TokenBatch

TOKENS, PLACES = 5, 6
N, SEED = 16, 3


class BackConfig(TaskSection):
    kind: Literal["two-back"] = "two-back"

    @property
    def d_vocab(self) -> int:
        return TOKENS

    @property
    def n_positions(self) -> int:
        return PLACES


class Back(NextToken):
    """Two tokens that take turns, so that the next token is the one before the last; one place of each is asked for."""

    def __init__(self, config: BackConfig) -> None:
        super().__init__(TOKENS, PLACES)

    def draw(self, n: int, generator: torch.Generator) -> TokenBatch:
        pairs = torch.rand(n, TOKENS, generator=generator).argsort(1)[:, :2]
        weights = torch.zeros(n, PLACES)
        weights[torch.arange(n), torch.randint(2, PLACES, (n,), generator=generator)] = 1.0
        return TokenBatch.of(pairs.repeat(1, PLACES)[:, : PLACES + 1], weights)


def checkpoint(model: str, declare: Callable[[Study], None]) -> Checkpoint:
    kind = TaskKind("test_causal_tracing:BackConfig", "test_causal_tracing:Back", ("transformer",))
    declare(Study("back", "Back", "nowhere", "test_causal_tracing", (), "", "", tasks={"two-back": kind}))
    text = f"task: {{kind: two-back}}\nmodel: {{architecture: transformer, {model}}}\n"
    return Checkpoint.untrained(parse_config(text, "a test"), seed=1)


@pytest.fixture
def planted(declare: Callable[[Study], None]) -> Checkpoint:
    """The head of layer 0 takes the token at the place before, and writes it where it is read; layer 1 does nothing.

    Embeddings are one token and one place, each a dimension of its own; what is copied has others. LayerNorm moves and
    scales all of them alike.
    """
    width = 2 * TOKENS + PLACES
    made = checkpoint(f"n_layers: 2, n_heads: 1, d_model: {width}, attention_only: true", declare)
    weights = {
        name: torch.ones_like(weight) if name.endswith("w") else torch.zeros_like(weight)
        for name, weight in made.weights.items()
    }
    token, place, copied = torch.eye(width).split([TOKENS, PLACES, TOKENS])
    weights["embed.W_E"], weights["pos_embed.W_pos"] = token, place
    weights["blocks.0.attn.W_Q"][0, :, :PLACES] = 40 * place.T @ torch.eye(PLACES).roll(-1, 1)
    weights["blocks.0.attn.W_K"][0, :, :PLACES] = place.T
    weights["blocks.0.attn.W_V"][0, :, :TOKENS] = token.T
    weights["blocks.0.attn.W_O"][0, :TOKENS] = copied
    weights["unembed.W_U"] = 8 * copied.T
    return replace(made, weights=weights)


def share(result: Result, layer: int, site: str, offset: int) -> float:
    rows = result.table("sites").set_index(["layer", "site", "offset"])
    return float(rows.loc[(layer, site, offset), "share"])


def test_the_planted_head_is_found(planted: Checkpoint) -> None:
    result = causal_tracing(planted, samples=200, seed=SEED)
    tokens = result.table("tokens").set_index("offset")
    assert tokens["clean"].min() > 0.95
    assert result.facts["offset"] == -1
    assert tokens.loc[-1, "lost"] > 0.3
    # Whatever else the head does not look at: noise there moves LayerNorms of other places alone.
    assert tokens.loc[[-4, -3, -2], "lost"].abs().max() < 0.02
    assert share(result, 0, "attention", 0) == pytest.approx(1, abs=0.02)
    assert share(result, 0, "residual", 0) == pytest.approx(1, abs=0.02)
    # The head has read the place before layer 0's output there is put back.
    for site in ("attention", "residual"):
        assert share(result, 0, site, -1) == pytest.approx(0, abs=0.02)
    assert share(result, 1, "attention", 0) == pytest.approx(0, abs=0.02)
    assert share(result, -1, "embedding", -1) == pytest.approx(1, abs=1e-6)
    sites = result.table("sites").set_index(["layer", "site", "offset"])
    assert sites.loc[(0, "attention", 0), "other"] < 0.5 * sites.loc[(0, "attention", 0), "recovered"]


def slow_run(made: Checkpoint, tokens: list[int], change: Callable[[str, int, Any], Any]) -> np.ndarray:
    """Logits of one sequence; every embedding and site may be changed, by name, place and own value."""
    w = {name: weight.double().numpy() for name, weight in made.weights.items()}
    eps = made.config.model.layer_norm_eps
    resid = [change("embed", place, w["embed.W_E"][token]) for place, token in enumerate(tokens)]
    resid = [x + w["pos_embed.W_pos"][place] for place, x in enumerate(resid)]
    for layer in range(made.config.model.n_layers):
        at = f"blocks.{layer}."
        own = {name.removeprefix(f"{at}attn."): each for name, each in w.items()}
        added = attention(own, [layer_norm(x, w[f"{at}ln1.w"], w[f"{at}ln1.b"], eps) for x in resid], "learned")
        resid = [
            x + change(f"{layer} attention", place, a) for place, (x, a) in enumerate(zip(resid, added, strict=True))
        ]
        read = [layer_norm(x, w[f"{at}ln2.w"], w[f"{at}ln2.b"], eps) for x in resid]
        hidden = [gelu(x @ w[f"{at}mlp.W_in"] + w[f"{at}mlp.b_in"]) for x in read]
        mlp = [h @ w[f"{at}mlp.W_out"] + w[f"{at}mlp.b_out"] for h in hidden]
        resid = [x + change(f"{layer} MLP", place, m) for place, (x, m) in enumerate(zip(resid, mlp, strict=True))]
        resid = [change(f"{layer} residual", place, x) for place, x in enumerate(resid)]
    final = [layer_norm(x, w["ln_final.w"], w["ln_final.b"], eps) for x in resid]
    return np.stack([x @ w["unembed.W_U"] for x in final])


class Slow:
    """A batch, sequence by sequence."""

    def __init__(self, made: Checkpoint, offset: int) -> None:
        self.made, self.offset = made, offset
        batch = made.sample(N, SEED)
        self.tokens = batch.inputs.tolist()
        self.at = [int(weights.nonzero()[-1]) for weights in batch.weights]
        self.target = [int(targets[at]) for targets, at in zip(batch.targets, self.at, strict=True)]
        scale = 3 * float(made.weights["embed.W_E"].std())
        noise = torch.randn(N, made.config.model.d_model, generator=torch.Generator().manual_seed(SEED))
        self.noise = (noise * scale).double().numpy()

    def probability(self, i: int, changes: Mapping[tuple[str, int], Callable[[Any], Any]]) -> float:
        def change(name: str, place: int, own: Any) -> Any:
            return changes[name, place](own) if (name, place) in changes else own

        logits = slow_run(self.made, self.tokens[i], change)[self.at[i]]
        return float(np.exp(logits - logits.max())[self.target[i]] / np.exp(logits - logits.max()).sum())

    def noisy(self, i: int, offset: int) -> dict[tuple[str, int], Callable[[Any], Any]]:
        return {("embed", self.at[i] + offset): lambda own: own + self.noise[i]}

    def values(self, i: int) -> dict[tuple[str, int], Any]:
        """All activations of the clean run."""
        found: dict[tuple[str, int], Any] = {}

        def note(name: str, place: int, own: Any) -> Any:
            found[name, place] = own
            return own

        slow_run(self.made, self.tokens[i], note)
        return found

    def token_rows(self) -> list[dict[str, Any]]:
        first = range(N // 2)
        reach = sorted(self.at[i] for i in first)[-2]
        rows = []
        for offset in range(-reach, 1):
            here = [i for i in first if self.at[i] + offset >= 0]
            clean = np.array([self.probability(i, {}) for i in here])
            corrupted = np.array([self.probability(i, self.noisy(i, offset)) for i in here])
            values = {"clean": clean, "corrupted": corrupted, "lost": clean - corrupted}
            means = {key: each for name, value in values.items() for key, each in mean(name, value).items()}
            rows.append({"offset": offset, "n": len(here), "seed": SEED, **means})
        return rows

    def site_rows(self) -> list[dict[str, Any]]:
        here = [i for i in range(N // 2, N) if self.at[i] + self.offset >= 0]
        before = np.array([self.probability(i, self.noisy(i, self.offset)) for i in here])
        lost = np.array([self.probability(i, {}) for i in here]) - before
        clean = {i: self.values(i) for i in here}
        layers = range(self.made.config.model.n_layers)
        keys = [(-1, "embedding", self.offset)]
        keys += [
            (layer, site, offset)
            for layer in layers
            for site in ("attention", "MLP", "residual")
            for offset in range(self.offset, 1)
        ]
        rows = []
        for layer, site, offset in keys:
            name = "embed" if layer < 0 else f"{layer} {site}"
            restored, other = [], []
            for k, i in enumerate(here):
                for found, giver in ((restored, i), (other, here[k - 1])):
                    value = clean[giver][name, self.at[giver] + offset]
                    given = {(name, self.at[i] + offset): lambda own, value=value: value}
                    found.append(self.probability(i, {**self.noisy(i, self.offset), **given}))
            recovered = np.array(restored) - before
            rows.append(
                {
                    **{"layer": layer, "site": site, "offset": offset, "n": len(here), "seed": SEED},
                    **mean("restored", restored),
                    **mean("recovered", recovered),
                    **pooled("share", recovered, lost),
                    **mean("other", np.array(other) - before),
                }
            )
        return rows


def test_every_number_is_that_of_a_slow_count(declare: Callable[[Study], None]) -> None:
    made = checkpoint("n_layers: 2, n_heads: 2, d_model: 8, d_mlp: 12, init_std: 0.7", declare)
    result = causal_tracing(made, offset=-1, samples=N, seed=SEED)
    slow = Slow(made, -1)
    assert_table(result.table("tokens"), slow.token_rows())
    found, wanted = result.table("sites"), slow.site_rows()
    # A share has no value where what is lost may be nothing.
    if found["share"].isna().all():
        found = found.drop(columns=["share", "share_low", "share_high"])
        wanted = [{key: each for key, each in row.items() if not key.startswith("share")} for row in wanted]
    assert_table(found, wanted)


def test_the_seed_decides_every_number(planted: Checkpoint) -> None:
    first, again, other = (causal_tracing(planted, samples=N, seed=seed) for seed in (1, 1, 2))
    for name in ("tokens", "sites"):
        pd.testing.assert_frame_equal(first.table(name), again.table(name), check_exact=True)
        assert not first.table(name).drop(columns="seed").equals(other.table(name).drop(columns="seed"))


def test_who_is_asked(planted: Checkpoint) -> None:
    assert "causal-tracing" in defined_for(planted.config)
    assert PASSES["causal-tracing"].least == 8
    with pytest.raises(InputError, match="at least 8"):
        causal_tracing(planted, samples=7)
    with pytest.raises(InputError, match="offset must be a place"):
        causal_tracing(planted, offset=1, samples=8)


def forged(lost: float, recovered: float) -> Result:
    """A result in which noise takes, and a site brings back, so much."""

    def around(name: str, value: float) -> dict[str, float]:
        return {name: value, f"{name}_low": value - 0.1, f"{name}_high": value + 0.1}

    token = {"offset": -1, "n": 9, "seed": 0, **around("clean", 0.9), **around("corrupted", 0.9 - lost)}
    rows = [
        {"layer": layer, "site": site, "offset": 0, "n": 9, "seed": 0, **around("restored", 0.5)}
        | around("recovered", recovered)
        | around("share", recovered / lost if abs(lost) > 0.1 else float("nan"))
        | around("other", 0.0)
        for layer, site in ((-1, "embedding"), (0, "attention"))
    ]
    tables = {"tokens": [{**token, **around("lost", lost)}], "sites": rows}
    made = {name: Table.of(dict.fromkeys(own[0], ""), own) for name, own in tables.items()}
    return Result("causal-tracing", "Tracing", {}, {"offset": -1}, made)


@pytest.mark.parametrize(
    ("lost", "recovered", "said"),
    [
        (0.8, 0.6, ["falls from", "brings back at most 0.75 [0.65, 0.85] of what is lost"]),
        (0.8, 0.0, ["falls from", "nothing that could be told from none"]),
        (0.8, -0.5, ["falls from", "brings back nothing"]),
        (0.05, 0.0, ["is not shown to fall", "Nothing that a site brings back"]),
        (-0.5, 0.0, ["rises from"]),
    ],
)
def test_sentences_read_right(lost: float, recovered: float, said: list[str]) -> None:
    text = " ".join(sentences(forged(lost, recovered)))
    assert all(part in text for part in said), text


def test_the_section_has_both_pictures(planted: Checkpoint) -> None:
    section = view(causal_tracing(planted, samples=16), {})
    assert len(section.figures) == 2
    assert [table.caption for table in section.tables] == ["Noise on one token", "One site restored"]


def test_a_sequence_without_a_score_is_traced_to_its_end() -> None:
    task = Back(BackConfig())
    batch = task.draw(4, torch.Generator().manual_seed(0))
    batch = replace(batch, weights=batch.weights * torch.tensor([0.0, 1.0, 1.0, 1.0])[:, None])
    position, target = task.traced(batch)
    assert int(position[0]) == PLACES - 1
    assert torch.equal(target, batch.targets.gather(1, position[:, None])[:, 0])
    assert isinstance(position, Tensor)
