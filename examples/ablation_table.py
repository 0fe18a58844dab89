"""Print an ablation table of a run, before and after its drop: python examples/ablation_table.py [RUN]."""

import sys

import pandas as pd

import mcinterp


def main(path: str = "checkpoints/tiny") -> None:
    """Ablate all heads and every class that has members, uniformly, at the steps around the drop."""
    run = mcinterp.Run(path)
    tables = []
    for step in run.select_steps("auto"):
        checkpoint = run.checkpoint(step)
        taxonomy = mcinterp.head_taxonomy(checkpoint)
        classes = [name for name, heads in mcinterp.class_members(taxonomy).items() if heads]
        result = mcinterp.ablation(checkpoint, ["all", "none", *classes], ["uniform"], samples=512, taxonomy=taxonomy)
        tables.append(result.table("ablation"))
    table = pd.concat(tables)
    shown = ["step", "group", "n", "observed_mse", "masked_mse_clean", "masked_mse", "masked_ratio"]
    print(run.transition.statement)
    print(table[shown].to_markdown(index=False, floatfmt=".4f"))


if __name__ == "__main__":
    main(*sys.argv[1:])
