"""Print an ablation table of a run, before, during and after its drop: python examples/ablation_table.py [RUN [FILE]].

With a file the table is written there too, as LaTeX for a paper.
"""

import sys
from pathlib import Path

import pandas as pd

import mcinterp

COLUMNS = ["step", "group", "n", "observed_mse", "masked_mse_clean", "masked_mse", "masked_ratio"]
IN_A_PAPER = {"step": "step", "group": "heads", "heads": "which", "masked_mse": "L_mask", "masked_delta": "change"}


def main(path: str = "checkpoints/tiny", file: str = "") -> None:
    """Ablate all heads and every class that has members at one of the steps around the drop, uniformly."""
    run = mcinterp.Run(path)
    checkpoints = [run.checkpoint(step) for step in run.select_steps("auto")]
    taxonomies = [mcinterp.head_taxonomy(checkpoint) for checkpoint in checkpoints]
    members = [mcinterp.class_members(taxonomy) for taxonomy in taxonomies]
    sets = ["all", "none", *(name for name in members[0] if any(each[name] for each in members))]
    results = [
        mcinterp.ablation(checkpoint, sets, ["uniform"], samples=512, taxonomy=taxonomy)
        for checkpoint, taxonomy in zip(checkpoints, taxonomies, strict=True)
    ]
    table = pd.concat([result.table("ablation") for result in results])[COLUMNS]
    print(run.transition.statement)
    told = table.astype(object).where(table.notna(), None)
    print(told.to_markdown(index=False, floatfmt=".4f", missingval="no heads"))
    if file:
        caption = f"Attention heads of {run.name} ablated: L_mask, its change, 95 % intervals, paired over matrices."
        latex = mcinterp.latex_table(results, columns=IN_A_PAPER, caption=caption, label="tab:ablation")
        Path(file).write_text(latex + "\n", encoding="utf-8")


if __name__ == "__main__":
    main(*sys.argv[1:])
