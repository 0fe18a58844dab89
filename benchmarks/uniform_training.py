"""Does a model whose attention cannot choose pass the shelf: python benchmarks/uniform_training.py [SEED] [STEPS].

Trains the preset `tiny` with W_Q = W_K = 0 and their biases 0: neither has a gradient while the other is 0, so that
attention stays uniform. Optimiser, rate and batches are the preset's. Every 500 steps it says what
`mcinterp.hidden_shelf` measures of the answers.
"""

import sys

import pandas as pd
import torch

import mcinterp
from mcinterp.report.numbers import interval
from mcinterp.runs import Checkpoint
from mcinterp.studies.matrix_completion.passes.shelf import Given, shelf_tables
from mcinterp.studies.matrix_completion.passes.shelf_answers import BEST, Shown
from mcinterp.training.schedule import learning_rate

SAMPLES, EVERY = 2048, 500
SHOWN = ("gain", "possible", "between", "symmetry")


def main(seed: str = "0", steps: str = "7000") -> None:
    """Train, and print a row every so many steps."""
    checkpoint = uniform(int(seed))
    model, training, task = checkpoint.model, checkpoint.config.training, checkpoint.task
    shown, draws = Shown.of(checkpoint, SAMPLES, 0), torch.Generator().manual_seed(int(seed) + 1)
    model.requires_grad_(True)
    optimiser, rows = torch.optim.Adam(model.parameters(), lr=training.learning_rate), []
    for step in range(1, int(steps) + 1):
        for group in optimiser.param_groups:
            group["lr"] = learning_rate(training, step)
        batch = task.examples(training.batch_size, draws)
        optimiser.zero_grad()
        (model.complete(batch.inputs) - batch.targets).square().mean().backward()
        optimiser.step()
        if step % EVERY == 0:
            rows.append(measured(step, checkpoint, shown))
    print(pd.DataFrame(rows).to_markdown(index=False, disable_numparse=True))


def uniform(seed: int) -> Checkpoint:
    """The untrained model of a seed, with attention that stays uniform."""
    checkpoint = Checkpoint.untrained(mcinterp.load_preset("tiny"), seed)
    for name, parameter in checkpoint.model.named_parameters():
        if name.endswith(("W_Q", "W_K", "b_Q", "b_K")):
            parameter.data.zero_()
    return checkpoint


def measured(step: int, checkpoint: Checkpoint, shown: Shown) -> dict[str, object]:
    """What the answers are at a step."""
    given = Given.by(checkpoint, shown)
    tables = shelf_tables(shown, {step: given}, given.answers, {"n": SAMPLES, "seed": 0})
    row, candidates = tables["answers"].frame.iloc[0], tables["candidates"].frame.set_index("candidate")
    told = {name: ends(row, name) for name in SHOWN}
    return {"step": step, **told, BEST: ends(candidates.loc[BEST], "correlation"), "verdict": row["verdict"]}


def ends(row: pd.Series, name: str) -> str:
    """A number with its interval."""
    return interval(*(row[f"{name}{end}"] for end in ("", "_low", "_high")))


if __name__ == "__main__":
    main(*sys.argv[1:])
