"""A small transformer on tokens drawn one by one: the update of an embedding while its token does not come."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from mcinterp.analysis.statistics import interval_columns, mean_estimate
from mcinterp.config import TrainConfig
from mcinterp.config.transformer import TransformerConfig
from mcinterp.model import CausalTransformer
from mcinterp.model.plain import trainable
from mcinterp.results import Result, Table
from mcinterp.studies.adam_dynamics import SEEDS
from mcinterp.studies.adam_dynamics.laws import Floats, bound, growth
from mcinterp.training.k_adam import mean_of, square_of
from mcinterp.training.optimisers import optimiser_of

TOKENS = "tokens"
RARE, EQUAL = "rare", "equal"
"""Frequencies of the tokens: token k has a share proportional to 1/k², or all have the same."""
OUTSIDE, NEAR, INSIDE = (0.95, 0.7), (0.99, 0.9), (0.9, 0.999)
SETTINGS = ((RARE, OUTSIDE), (EQUAL, OUTSIDE), (RARE, NEAR), (RARE, INSIDE))
VOCABULARY, LENGTH, BATCH = 48, 17, 8
MODEL = TransformerConfig(n_layers=1, n_heads=2, d_model=16, attention_only=True)
RATE, UPDATES = 0.001, 400
EMBEDDING = "embed.W_E"
ABSENT = 20
"""Updates that a token does not come for, at least, over which the growth of its embedding's update is measured."""

RUN_COLUMNS = {
    "tokens": "rare ones among them, with shares proportional to 1/k² for k = 1 … 48, or all equally frequent",
    "beta1": "decay of the mean gradient",
    "beta2": "decay of the squared gradient",
    "seed": "of weights and tokens",
    "peak": f"log₁₀ of the largest |m|/√v of any token's embedding at any of {UPDATES} updates",
    "token": "that it belongs to, the most frequent being 0",
    "absent": "updates since that token was last in a batch, at that update",
    "elsewhere": "log₁₀ of the largest |m|/√v of any other parameter at any update",
    "share": "largest |m|/√v over its bound, of any parameter at any update",
    "absences": f"times that a token that had come was absent for {ABSENT} updates or more",
    "least_growth": "least growth of ln(|m|/√v) with an update in these absences, over ½ ln r",
    "most_growth": "the most, likewise",
    "loss": "cross-entropy at the last update, nats",
}
SETTING_COLUMNS = {
    "tokens": "rare ones among them, or all equally frequent",
    "beta1": "decay of the mean gradient",
    "beta2": "decay of the squared gradient",
    "growth": "½ ln r",
    "n": "seeds",
    "seed": "the first",
    **interval_columns("peak", "log₁₀ of the largest |m|/√v of any token's embedding at any update, mean over seeds"),
    **interval_columns("elsewhere", "the same of any other parameter"),
    "absent": "updates that the token with the largest one had been absent for, the fewest of any seed",
    "share": "largest |m|/√v over its bound, of any parameter at any update of any seed",
    "absences": f"of {ABSENT} updates or more, in all seeds",
    "least_growth": "least growth of ln(|m|/√v) with an update in these absences, over ½ ln r",
    "most_growth": "the most, likewise",
}


@dataclass(frozen=True)
class Trained:
    """What one training showed.

    Attributes:
        tokens: `rare` or `equal`.
        betas: decays.
        seed: of weights and tokens.
        seen: which tokens each batch had, (updates, tokens).
        embedding: the largest |m|/√v of each token's embedding after every update, (updates, tokens).
        elsewhere: the same of all other parameters, (updates,).
        loss: before the last update.
    """

    tokens: str
    betas: tuple[float, float]
    seed: int
    seen: Any
    embedding: Floats
    elsewhere: Floats
    loss: float


def tokens(seed: int) -> Result:
    """Train every setting from several seeds and read the updates.

    Args:
        seed: the first.
    """
    trained = [[train(kind, betas, seed + i) for i in range(SEEDS)] for kind, betas in SETTINGS]
    rows = [[_row(one) for one in several] for several in trained]
    tables = {
        "settings": Table.of(SETTING_COLUMNS, [_setting(several) for several in rows]),
        "runs": Table.of(RUN_COLUMNS, [row for several in rows for row in several]),
    }
    first = [several[0] for several in trained]
    shown = _place_of_peak(first[0])[1]
    arrays = {
        "size": np.array([each.embedding[:, shown] for each in first]),
        "seen": np.array([each.seen[:, shown] for each in first]).astype(np.float64),
    }
    facts = {"axes": {name: ["setting", "update"] for name in arrays}, "token": int(shown)}
    return Result(TOKENS, "Rare tokens", {"updates": UPDATES, "rate": RATE}, facts, tables, arrays)


def train(kind: str, betas: tuple[float, float], seed: int) -> Trained:
    """Train a transformer of one layer, without MLP, in float64 and without ε."""
    model = CausalTransformer(MODEL, VOCABULARY, LENGTH - 1, seed).double()
    config = TrainConfig.model_validate(
        {"optimiser": "k-adam", "learning_rate": RATE, "optimiser_settings": {"stages": [betas], "eps": 0.0}}
    )
    parameters = trainable(model)
    optimiser = optimiser_of(config).begin(parameters, config)
    seen, embedding, elsewhere, loss = np.zeros((UPDATES, VOCABULARY), dtype=bool), [], [], 0.0
    for n, batch in enumerate(_batches(kind, seed)):
        loss = _descended(model, optimiser, batch)
        seen[n, np.unique(batch[:, :-1].numpy())] = True
        found = {name: _ratio(optimiser.state[parameter]) for name, parameter in parameters.items()}
        embedding.append(found.pop(EMBEDDING).amax(1).numpy())
        elsewhere.append(max(float(each.max()) for each in found.values()))
    return Trained(kind, betas, seed, seen, np.array(embedding), np.array(elsewhere), loss)


def _batches(kind: str, seed: int) -> Iterator[Tensor]:
    generator = torch.Generator().manual_seed(seed)
    at = torch.arange(1, VOCABULARY + 1, dtype=torch.float64)
    shares = at**-2 if kind == RARE else torch.ones_like(at)
    for _ in range(UPDATES):
        yield torch.multinomial(shares, BATCH * LENGTH, True, generator=generator).view(BATCH, LENGTH)


def _descended(model: CausalTransformer, optimiser: torch.optim.Optimizer, batch: Tensor) -> float:
    """The loss before the update that is made."""
    logits = model.complete(batch[:, :-1])
    loss = nn.functional.cross_entropy(logits.flatten(0, 1), batch[:, 1:].flatten())
    optimiser.zero_grad()
    loss.backward()  # type: ignore[no-untyped-call]
    optimiser.step()
    return float(loss.detach())


def _ratio(state: Mapping[str, Tensor]) -> Tensor:
    """|m|/√v; 0 where v is."""
    mean, square = state[mean_of(1)], state[square_of(1)]
    return torch.where(square > 0, mean.abs() / square.sqrt(), 0.0)


def absences(seen: Any) -> list[tuple[int, int, int]]:
    """Token, update when it last came, and last update without it, of all long absences of tokens that had come."""
    found = []
    for token in range(seen.shape[1]):
        times = [*np.flatnonzero(seen[:, token]), len(seen)]
        found += [(token, int(last), int(after) - 1) for last, after in pairwise(times) if after - 1 - last >= ABSENT]
    return found


def _growths(one: Trained) -> Floats:
    """Growth of ln(|m|/√v) with an update in every long absence, over ½ ln r."""
    logs = np.log(one.embedding, where=one.embedding > 0, out=np.full(one.embedding.shape, np.nan))
    each = [(logs[end, token] - logs[last, token]) / (end - last) for token, last, end in absences(one.seen)]
    return np.array(each) / float(growth(*one.betas))


def _place_of_peak(one: Trained) -> tuple[int, int]:
    """Update, from 0, and token of the largest."""
    update, token = np.unravel_index(int(one.embedding.argmax()), one.embedding.shape)
    return int(update), int(token)


def _row(one: Trained) -> dict[str, Any]:
    update, token = _place_of_peak(one)
    came = np.flatnonzero(one.seen[: update + 1, token])
    limits = bound(*one.betas, np.arange(1, UPDATES + 1))
    found = _growths(one)
    return {
        "tokens": one.tokens,
        "beta1": one.betas[0],
        "beta2": one.betas[1],
        "seed": one.seed,
        "peak": float(np.log10(one.embedding.max())),
        "token": token,
        "absent": int(update - came.max()),
        "elsewhere": float(np.log10(one.elsewhere.max())),
        "share": float((np.maximum(one.embedding.max(1), one.elsewhere) / limits).max()),
        "absences": len(found),
        "least_growth": float(found.min()) if len(found) else np.nan,
        "most_growth": float(found.max()) if len(found) else np.nan,
        "loss": one.loss,
    }


def _setting(rows: list[dict[str, Any]]) -> dict[str, Any]:
    first = rows[0]
    return {
        **{name: first[name] for name in ("tokens", "beta1", "beta2")},
        "growth": float(growth(first["beta1"], first["beta2"])),
        "n": len(rows),
        "seed": first["seed"],
        **mean_estimate(np.array([row["peak"] for row in rows])).columns("peak"),
        **mean_estimate(np.array([row["elsewhere"] for row in rows])).columns("elsewhere"),
        "absent": min(row["absent"] for row in rows),
        "share": max(row["share"] for row in rows),
        "absences": sum(row["absences"] for row in rows),
        "least_growth": float(np.min([row["least_growth"] for row in rows])),
        "most_growth": float(np.max([row["most_growth"] for row in rows])),
    }
