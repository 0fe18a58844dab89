"""Circuits written from their definition: head by head, query by query and key by key, in numpy."""

from __future__ import annotations

from itertools import product

import numpy as np
from slow_attention import Rows, heads_of, name_of, traces
from slow_encoder import layer_norm
from slow_statistics import Columns, columns

from mcinterp.results import Result
from mcinterp.runs import Checkpoint

SHUFFLES = 50
Weights = dict[str, np.ndarray]


def slow_circuits(checkpoint: Checkpoint, result: Result, n: int, seed: int) -> dict[str, Rows]:
    judge = Judge(checkpoint, n, seed)
    return {"heads": [judge.row(pair) for pair in heads_of(checkpoint)]}


class Judge:
    def __init__(self, checkpoint: Checkpoint, n: int, seed: int) -> None:
        self.checkpoint, self.n, self.seed = checkpoint, n, seed
        self.task, self.shape = checkpoint.config.task, checkpoint.config.model
        self.w: Weights = {name: w.double().numpy() for name, w in checkpoint.weights.items()}
        self.batch = checkpoint.sample(n, seed)
        self.tokens = self.batch.inputs.numpy()
        self.traces = traces(checkpoint, self.batch)
        self.values = np.array(
            [np.nan] + [round(self.task.v_min + k / 10**self.task.decimals, 6) for k in range(self.task.d_vocab - 1)]
        )
        self.scales = self._scales()
        generator = np.random.default_rng(seed)
        self.other_position = generator.permutation(self.task.n_positions)
        occurring = np.array(sorted(set(self.tokens.ravel().tolist())))
        self.other_token = dict(zip(occurring, occurring[generator.permutation(len(occurring))], strict=True))

    def _norms(self) -> list[str]:
        return ["embed.ln", *(f"blocks.{layer}.ln{k}" for layer in range(self.shape.n_layers) for k in (1, 2))]

    def _scales(self) -> dict[str, float]:
        """1/√(mean σ²) of every LayerNorm's input; those between blocks are recomputed from the residual stream."""
        found: dict[str, list[float]] = {name: [] for name in self._norms()}

        def note(name: str, x: np.ndarray) -> np.ndarray:
            for vector in x:
                found[name].append(((vector - vector.mean()) ** 2).mean() + self.shape.layer_norm_eps)
            return layer_norm(x, self.w, name)

        for tokens, trace in zip(self.tokens, self.traces, strict=True):
            w = self.w
            x = w["embed.embed.W_E"][tokens] + w["embed.pos_embed.W_pos"] + w["embed.token_type_embed.W_token_type"][0]
            x = note("embed.ln", x)
            for layer in range(self.shape.n_layers):
                assert np.allclose(x, trace.resid[layer])
                at = f"blocks.{layer}"
                added = w[f"{at}.attn.b_O"] + sum(
                    trace.z[layer, head] @ w[f"{at}.attn.W_O"][head] for head in range(self.shape.n_heads)
                )
                x = note(f"{at}.ln1", x + added)
                x = note(f"{at}.ln2", x + self._mlp(x, at))
        return {name: float(np.mean(values) ** -0.5) for name, values in found.items()}

    def _mlp(self, x: np.ndarray, at: str) -> np.ndarray:
        from scipy.special import erf

        hidden = x @ self.w[f"{at}.mlp.W_in"] + self.w[f"{at}.mlp.b_in"]
        hidden = hidden * (1 + erf(hidden / np.sqrt(2))) / 2
        return hidden @ self.w[f"{at}.mlp.W_out"] + self.w[f"{at}.mlp.b_out"]

    def _along(self, vector: np.ndarray, names: list[str]) -> np.ndarray:
        for name in names:
            vector = (vector - vector.mean()) * self.scales[name] * self.w[f"{name}.w"]
        return vector

    def parts(self, layer: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Mean input of the block, each position's and each token's deviation at it."""
        names = self._norms()[: 2 * layer + 1]
        mean = np.mean([x for trace in self.traces for x in trace.resid[layer]], axis=0)
        positions = np.array([self._along(p, names) for p in self.w["embed.pos_embed.W_pos"]])
        tokens = np.array([self._along(t, names) for t in self.w["embed.embed.W_E"]])
        occurring = np.mean([tokens[t] for row in self.tokens for t in row], axis=0)
        return mean, positions - positions.mean(0), tokens - occurring

    def row(self, pair: tuple[int, int]) -> dict[str, object]:
        circuit = self.qk_position(pair)
        return {
            "head": name_of(pair),
            "n": self.n,
            "seed": self.seed,
            **self._score_shares(pair),
            **self._neighbours(circuit),
            "mask_key": self._mask_key(pair),
            **self._write_shares(pair),
            **self._line(pair),
        }

    def _head(self, pair: tuple[int, int], name: str) -> np.ndarray:
        return self.w[f"blocks.{pair[0]}.attn.{name}"][pair[1]]

    def score(self, pair: tuple[int, int], query: np.ndarray, key: np.ndarray) -> float:
        """With the bias of the query; that of the key is the same for every key."""
        q = query @ self._head(pair, "W_Q") + self._head(pair, "b_Q")
        return float(q @ (key @ self._head(pair, "W_K")) / np.sqrt(self._head(pair, "W_Q").shape[1]))

    def qk_position(self, pair: tuple[int, int]) -> np.ndarray:
        mean, positions, _ = self.parts(pair[0])
        return np.array([[self.score(pair, mean + q, k) for k in positions] for q in positions])

    def qk_token(self, pair: tuple[int, int], shown: list[int]) -> np.ndarray:
        mean, _, tokens = self.parts(pair[0])
        return np.array([[self.score(pair, mean + tokens[q], tokens[k]) for k in shown] for q in shown])

    def _score_shares(self, pair: tuple[int, int]) -> Columns:
        mean, p, t = self.parts(pair[0])
        totals, left = [], {name: [] for name in ("position_r2", "token_r2", "direct_r2", "shuffled_r2")}
        n_pos = range(self.task.n_positions)
        for tokens, trace in zip(self.tokens, self.traces, strict=True):
            x = trace.resid[pair[0]]
            zero = np.zeros_like(p)
            own, other = t[tokens], t[[self.other_token[token] for token in tokens]]
            inputs = {
                "position_r2": (p, zero),
                "token_r2": (zero, own),
                "direct_r2": (p, own),
                "shuffled_r2": (p[self.other_position], other),
            }
            real = centred(np.array([[self.score(pair, x[q], x[k]) for k in n_pos] for q in n_pos]))
            totals.append((real**2).sum())
            for name, (of_position, of_token) in inputs.items():
                each = of_position + of_token
                scores = np.array([[self.score(pair, mean + each[q], each[k]) for k in n_pos] for q in n_pos])
                left[name].append(((real - centred(scores)) ** 2).sum())
        return {k: v for name in left for k, v in share(name, np.array(left[name]), np.array(totals)).items()}

    def writes(self, pair: tuple[int, int], added: np.ndarray) -> float:
        """What a part of a key's input adds to the answer of a query that attends to it alone."""
        out = added @ self._head(pair, "W_V") @ self._head(pair, "W_O")
        return float((self._along(out, self._norms()[2 * pair[0] + 1 :]) @ self.w["unembed.W_U"])[0])

    def _write_shares(self, pair: tuple[int, int]) -> Columns:
        mean, p, t = self.parts(pair[0])
        by_position = np.array([self.writes(pair, one) for one in p])
        by_token = {token: self.writes(pair, t[token]) for token in self.other_token}
        totals, left = [], {"ov_r2": [], "ov_shuffled_r2": []}
        for tokens, trace in zip(self.tokens, self.traces, strict=True):
            pattern = trace.patterns[pair]
            real = pattern @ [self.writes(pair, x - mean) for x in trace.resid[pair[0]]]
            own = pattern @ (by_position + [by_token[token] for token in tokens])
            others = [by_token[self.other_token[token]] for token in tokens]
            shuffled = pattern @ (by_position[self.other_position] + others)
            totals.append((real**2).sum())
            left["ov_r2"].append(((real - own) ** 2).sum())
            left["ov_shuffled_r2"].append(((real - shuffled) ** 2).sum())
        return {k: v for name in left for k, v in share(name, np.array(left[name]), np.array(totals)).items()}

    def _neighbours(self, circuit: np.ndarray) -> dict[str, float]:
        generator = np.random.default_rng(self.seed)
        orders = [generator.permutation(self.task.n_positions) for _ in range(SHUFFLES)]
        found = {}
        for name in ("same_row", "same_column"):
            found[name] = self._preference(circuit, name)
        for name in ("same_row", "same_column"):
            sizes = [abs(self._preference(circuit[order][:, order], name)) for order in orders]
            found[f"{name}_shuffled"] = np.quantile(sizes, 0.95)
        return found

    def _preference(self, circuit: np.ndarray, name: str) -> float:
        near, far = [], []
        places = list(product(range(self.task.rows), range(self.task.cols)))
        for q, (row, column) in enumerate(places):
            for k, (other_row, other_column) in enumerate(places):
                if row != other_row and column != other_column:
                    far.append(circuit[q, k])
                elif q != k and (row == other_row if name == "same_row" else column == other_column):
                    near.append(circuit[q, k])
        return float(np.mean(near) - np.mean(far))

    def _mask_key(self, pair: tuple[int, int]) -> float:
        mean, _, t = self.parts(pair[0])
        scores = [self.score(pair, mean, t[token]) for row in self.tokens for token in row if token]
        return self.score(pair, mean, t[0]) - float(np.mean(scores))

    def _line(self, pair: tuple[int, int]) -> dict[str, float]:
        from scipy.stats import linregress

        _, _, t = self.parts(pair[0])
        present = [token for row in self.tokens for token in row if token]
        fit = linregress(self.values[present], [self.writes(pair, t[token]) for token in present])
        return {"ov_slope": fit.slope, "ov_linear": fit.rvalue**2}


def centred(scores: np.ndarray) -> np.ndarray:
    return scores - scores.mean(1, keepdims=True)


def share(name: str, left: np.ndarray, totals: np.ndarray) -> Columns:
    return columns(name, lambda weights: 1 - float(weights @ left) / float(weights @ totals), np.full(len(left), True))
