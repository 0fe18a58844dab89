"""Passes that compare a model's completions with others, and what a GPT writes, from their definitions."""

from __future__ import annotations

import cvxpy
import numpy as np
import torch
from scipy.optimize import nnls
from slow_answers import outputs_of, parts
from slow_attention import Rows
from slow_encoder import run_slowly
from slow_statistics import Columns, Errors, columns, estimate, mean, pooled

from mcinterp.results import Result
from mcinterp.runs import Checkpoint
from mcinterp.studies.matrix_completion.baselines.candidates import CANDIDATES
from mcinterp.studies.matrix_completion.passes.algorithm import TRUTH, posed_problem
from mcinterp.studies.matrix_completion.task.batch import MatrixBatch
from mcinterp.studies.matrix_completion.task.completion import MatrixCompletion


def drawn(checkpoint: Checkpoint, n: int, seed: int, share: float) -> MatrixBatch:
    task = MatrixCompletion(checkpoint.config.task.model_copy(update={"p_mask": share}))
    return task.sample(n, torch.Generator().manual_seed(seed))


def least_norm(batch: MatrixBatch, weight: float | None = None) -> np.ndarray:
    """Each matrix completed through cvxpy: the observed entries kept or, with a weight, paid for; (n, pos)."""
    shape, found = batch.shape, []
    for target, seen in zip(batch.targets.double().numpy(), batch.observed.numpy(), strict=True):
        mask, wanted = seen.reshape(shape).astype(float), (target * seen).reshape(shape)
        matrix = cvxpy.Variable(shape)
        error = cvxpy.multiply(mask, matrix) - wanted
        if weight is None:
            problem = cvxpy.Problem(cvxpy.Minimize(cvxpy.normNuc(matrix)), [error == 0])
        else:
            paid = cvxpy.sum_squares(error) / mask.sum() + weight * cvxpy.normNuc(matrix)
            problem = cvxpy.Problem(cvxpy.Minimize(paid))
        problem.solve(solver=cvxpy.CLARABEL)
        assert problem.status == "optimal"
        found.append(matrix.value.ravel())
    return np.array(found)


def nuclear_norms(matrices: np.ndarray, batch: MatrixBatch) -> np.ndarray:
    return np.linalg.norm(matrices.reshape(-1, *batch.shape), "nuc", axis=(1, 2))


def slow_nuclear(checkpoint: Checkpoint, result: Result, n: int, seed: int) -> dict[str, Rows]:
    """All but the solver's own controls, which are maxima over its certificates."""
    errors, norms, regularised = [], [], []
    trained = checkpoint.config.task.p_mask
    for share in sorted({*result.settings["shares"], trained}):
        batch = drawn(checkpoint, n, seed, share)
        targets, where = parts(batch)
        model, solved = outputs_of(checkpoint, batch.inputs), least_norm(batch)
        about = {"p_mask": share, "trained": share == trained, "n": n, "seed": seed}
        for entries in ("masked", "total"):
            own, other = (Errors.of(answers, targets, where[entries]) for answers in (model, solved))
            rows = {**own.columns("model_mse"), **other.columns("solver_mse"), **own.minus("difference", other)}
            errors.append({**about, "entries": entries, **rows})
        matrices = {"model": model, "solver": solved, "truth": targets}
        sizes = {name: nuclear_norms(own, batch) for name, own in matrices.items()}
        each = {key: value for name, size in sizes.items() for key, value in mean(f"{name}_norm", size).items()}
        norms.append({**about, **each, **mean("difference", sizes["model"] - sizes["solver"])})
    batch = drawn(checkpoint, n, seed, trained)
    targets, where = parts(batch)
    model = outputs_of(checkpoint, batch.inputs)
    solutions = {"model": (np.nan, model)}
    solutions |= {f"λ = {weight:g}": (weight, least_norm(batch, weight)) for weight in result.settings["weights"]}
    for name, (weight, answers) in solutions.items():
        own = {entries: Errors.of(answers, targets, where[entries]) for entries in ("observed", "masked", "total")}
        row: dict[str, object] = {"solution": name, "weight": weight, "p_mask": trained, "n": n, "seed": seed}
        for entries, error in own.items():
            row |= error.columns(f"{entries}_mse")
        row |= Errors.of(model, targets, where["total"]).minus("difference", own["total"])
        regularised.append(row)
    return {"errors": errors, "norms": norms, "regularised": regularised}


def slow_generation(checkpoint: Checkpoint, result: Result, n: int, seed: int) -> dict[str, Rows]:
    task, batch = checkpoint.config.task, checkpoint.sample(n, seed)
    size, nothing = task.n_entries, 1 + round(-task.v_min * 10**task.decimals)
    tokens, seen = batch.inputs.numpy(), batch.observed.numpy()
    true = tokens[:, size + 1 :]

    def written(prompt: np.ndarray, given: np.ndarray | None = None) -> list[int]:
        """What stands after the prompt, each token after the given ones or after those written."""
        own: list[int] = []
        for entry in range(size):
            before = own if given is None else given[:entry].tolist()
            logits = run_slowly(checkpoint, np.array([*prompt, *before])).logits[-1]
            own.append(1 + int(logits[1 : task.n_values + 1].argmax()))
        return own

    prompts = tokens[:, : size + 1]
    answers = {
        "teacher forced": [written(prompts[i], true[i]) for i in range(n)],
        "greedy": [written(prompts[i]) for i in range(n)],
        "baseline: the token of 0": [[nothing] * size] * n,
        "control: greedy on another matrix's prompt": [written(prompts[i - 1]) for i in range(n)],
        "chance: that other matrix itself": [true[i - 1].tolist() for i in range(n)],
    }
    control = np.array(answers["control: greedy on another matrix's prompt"]) == true
    step, rows = 10.0**-task.decimals, []
    for name, own in answers.items():
        given = np.array(own)
        apart, size_apart = given - true, np.abs(given - nothing) - np.abs(true - nothing)
        measures = {
            "exact": apart == 0,
            "within_one": np.abs(apart) <= 1,
            "size": np.abs(size_apart) <= 1,
            "sign": np.sign(given - nothing) == np.sign(true - nothing),
            "mse": (apart * step) ** 2,
            "exact_excess": (apart == 0).astype(float) - control,
        }
        signed = (given != nothing) & (true != nothing)
        for entries, where in (("masked", ~seen), ("observed", seen), ("all", seen | True)):
            row: dict[str, object] = {"answers": name, "entries": entries, "n": n, "seed": seed}
            for measure, values in measures.items():
                counted = where & signed if measure == "sign" else where
                row |= pooled(measure, (values * counted).sum(1), counted.sum(1))
            rows.append(row)
    return {"generation": rows}


class Shares:
    """How much of predictions (n, pos) answers explain, over the entries of `where`, for weighted samples."""

    def __init__(self, predictions: np.ndarray, where: np.ndarray) -> None:
        self.predictions, self.where = predictions, where.astype(float)
        self.used = where.any(1)

    def sums(self, weights: np.ndarray, values: np.ndarray) -> float:
        return float(weights @ (values * self.where).sum(1))

    def left(self, weights: np.ndarray, answers: np.ndarray, scaled: bool = False) -> float:
        """Σ (prediction − answer)² / Σ prediction², the answer times its best scale if asked."""
        scale = self.scale(weights, answers) if scaled else 1.0
        squares = (self.predictions - scale * answers) ** 2
        return self.sums(weights, squares) / self.sums(weights, self.predictions**2)

    def scale(self, weights: np.ndarray, answers: np.ndarray) -> float:
        squares = self.sums(weights, answers**2)
        return self.sums(weights, answers * self.predictions) / squares if squares else 0.0

    def unexplained(self, name: str, answers: np.ndarray, scaled: bool = False) -> Columns:
        used = (self.predictions**2 * self.where).sum(1) > 0
        return columns(name, lambda weights: self.left(weights, answers, scaled), used)

    def mean_square(self, name: str, difference: np.ndarray) -> Columns:
        return pooled(name, (difference**2 * self.where).sum(1), self.where.sum(1))

    def correlation(self, name: str, x: np.ndarray, y: np.ndarray) -> Columns:
        def statistic(weights: np.ndarray) -> float:
            at = self.where * weights[:, None]
            a, b = (values - (at * values).sum() / at.sum() for values in (x, y))
            return float((at * a * b).sum() / np.sqrt((at * a**2).sum() * (at * b**2).sum()))

        if np.ptp(x[self.where > 0]) < 1e-12 or np.ptp(y[self.where > 0]) < 1e-12:
            return dict.fromkeys((name, f"{name}_low", f"{name}_high"), np.nan)
        value, low, high, _ = estimate(statistic, self.used)
        return {name: value, f"{name}_low": max(low, -1.0), f"{name}_high": min(high, 1.0)}


def slow_algorithm(checkpoint: Checkpoint, result: Result, n: int, seed: int) -> dict[str, Rows]:
    batch = checkpoint.sample(n, seed)
    truth, where = parts(batch)
    predictions = outputs_of(checkpoint, batch.inputs)
    untrained = Checkpoint.untrained(checkpoint.config, checkpoint.config.training.seed + 1 + seed)
    null = Shares(outputs_of(untrained, batch.inputs), where["masked"])
    shares = Shares(predictions, where["masked"])
    completed = posed_problem(checkpoint.config.task, n, seed).completions
    answers = dict(zip(completed.names, completed.values, strict=True))
    ones = np.ones(n)
    best = min(answers, key=lambda name: shares.left(ones, answers[name]))
    rows = []
    for index, (name, answer) in enumerate({**answers, TRUTH: truth}.items()):
        entry, other = CANDIDATES.get(name), np.roll(answer, 1, axis=0)

        def behind(weights: np.ndarray, answer: np.ndarray = answer) -> float:
            return shares.left(weights, answer) - shares.left(weights, answers[best])

        row = {
            "candidate": name,
            "meaning": entry.meaning if entry else "the masked entries themselves, which the input does not tell",
            "parameters": ", ".join(f"{key} {value:g}" for key, value in entry.parameters.items()) if entry else "",
            "n": n,
            "seed": seed,
            "defined": float(completed.defined[index][where["masked"]].mean()) if entry else np.nan,
            **shares.mean_square("to_model", answer - predictions),
            **shares.unexplained("unexplained", answer),
            **columns("behind", behind, shares.used),
            "scale": shares.scale(ones, answer),
            **shares.unexplained("scaled_unexplained", answer, scaled=True),
            **shares.mean_square("to_truth", answer - truth),
            **shares.mean_square("model_mse", predictions - truth),
            **shares.correlation("correlation", answer, predictions),
            **shares.correlation("error_correlation", answer - truth, predictions - truth),
            **shares.unexplained("control_scaled_unexplained", other, scaled=True),
            **shares.correlation("control_correlation", other, predictions),
            **null.unexplained("untrained_scaled_unexplained", answer, scaled=True),
        }
        if not entry:
            row |= {key: np.nan for key in row if key.startswith(("control_", "untrained_"))}
        rows.append(row)
    observed = batch.observed.numpy().reshape(n, *batch.shape)
    around = (observed.sum(2)[:, :, None] + observed.sum(1)[:, None, :]).reshape(n, -1)
    args = predictions, truth, answers, where["masked"], seed
    return {
        "candidates": rows,
        "by_observed": _bin_rows(result, "by_observed", around, *args),
        "by_conditioning": _bin_rows(result, "by_conditioning", completed.pivots, *args),
        **_combined(predictions, answers, where["masked"], seed),
    }


def _bin_rows(
    result: Result,
    table: str,
    binned: np.ndarray,
    predictions: np.ndarray,
    truth: np.ndarray,
    answers: dict[str, np.ndarray],
    masked: np.ndarray,
    seed: int,
) -> Rows:
    """Every bin of the table, whose ends are those of the entries in it."""
    rows: Rows = []
    bins = result.table(table).drop_duplicates("bin")
    for bin_name, low, high in bins[["bin", "low", "high"]].itertuples(index=False):
        where = masked & (binned >= low) & (binned <= high)
        shares = Shares(predictions, where)
        nearest = min(answers, key=lambda name, where=where: ((answers[name] - predictions)[where] ** 2).sum())
        for name, answer in answers.items():
            rows.append(
                {
                    "bin": bin_name,
                    "low": float(binned[where].min()),
                    "high": float(binned[where].max()),
                    "entries": int(where.sum()),
                    "n": int(where.any(1).sum()),
                    "seed": seed,
                    **shares.mean_square("model_mse", predictions - truth),
                    "candidate": name,
                    **shares.mean_square("to_model", answer - predictions),
                    **shares.unexplained("unexplained", answer),
                    **shares.mean_square("to_truth", answer - truth),
                    "best": name == nearest,
                }
            )
    assert sum(int(row["entries"]) for row in rows) == masked.sum() * len(answers)
    return rows


def _combined(
    predictions: np.ndarray, answers: dict[str, np.ndarray], masked: np.ndarray, seed: int
) -> dict[str, Rows]:
    names, n = list(answers), len(predictions)
    every = np.array(list(answers.values()))
    halves = [Shares(predictions[part], masked[part]) for part in (slice(None, n // 2), slice(n // 2, None))]
    pools = {"own": every, "control": np.roll(every, 1, axis=1)}
    split = {name: (pool[:, : n // 2], pool[:, n // 2 :]) for name, pool in pools.items()}

    def weights_of(pool: np.ndarray) -> dict[str, np.ndarray]:
        train, chosen = halves[0], masked[: n // 2]
        errors = [((answer - train.predictions)[chosen] ** 2).sum() for answer in pool]
        one = (np.arange(len(pool)) == int(np.argmin(errors))).astype(float)
        scale = max(0.0, train.scale(np.ones(n // 2), pool[int(np.argmin(errors))]))
        joint = nnls(pool[:, chosen].T, train.predictions[chosen])[0]
        # The last equation says that the weights are 1 together, so much louder than the others that it is kept.
        mixed = nnls(np.vstack([pool[:, chosen].T, np.full(len(pool), 1e5)]), [*train.predictions[chosen], 1e5])[0]
        fits = {"one candidate": one, "one candidate, scaled": scale * one}
        return fits | {"mixture": mixed / mixed.sum(), "combination": joint}

    own, control = (weights_of(split[name][0]) for name in ("own", "control"))
    rows: Rows = []
    for fit, weights in own.items():
        here = [np.tensordot(weights, pool, 1) for pool in split["own"]]
        single, test = np.tensordot(own["one candidate"], split["own"][1], 1), halves[1]

        def gain(by: np.ndarray, here: np.ndarray = here[1], single: np.ndarray = single, test: Shares = test) -> float:
            return test.left(by, single) - test.left(by, here)

        several, best = f"{int((weights > 0).sum())} of {len(names)}", names[own["one candidate"].argmax()]
        rows.append(
            {
                "fit": fit,
                "candidates": several if fit in ("mixture", "combination") else best,
                "n_train": n // 2,
                "n_test": n - n // 2,
                "seed": seed,
                "train_unexplained": halves[0].left(np.ones(n // 2), here[0]),
                **test.unexplained("unexplained", here[1]),
                **columns("gain", gain, test.used),
                **test.unexplained("control_unexplained", np.tensordot(control[fit], split["control"][1], 1)),
            }
        )
    every_weight = zip(names, own["combination"], own["mixture"], control["combination"], strict=True)
    weight_rows = [
        {"candidate": name, "weight": a, "mixture_weight": b, "control_weight": c} for name, a, b, c in every_weight
    ]
    return {"combination": rows, "weights": weight_rows}
