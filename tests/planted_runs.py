"""Runs with planted learning curves and untrained weights."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
from small_run import small_config

from mcinterp.config import RunConfig
from mcinterp.model.build import build_model
from mcinterp.runs import Run
from mcinterp.runs.checkpoint import save_checkpoint


def plant_run(path: Path, curve: np.ndarray, seed: int, config: RunConfig | None = None, **sections: object) -> Run:
    """Write a finished run of which every score is this curve, with a checkpoint at its last step."""
    config = config or small_config(**{"training": {"steps": len(curve), "seed": seed}, **sections})
    path.mkdir(parents=True)
    (path / "config.yaml").write_text(config.to_yaml())
    step = np.arange(1, len(curve) + 1)
    scores = [name for name in Run(path).measured if name not in ("step", "learning_rate", "seconds")]
    frame = pd.DataFrame({"step": step, **dict.fromkeys(scores, curve), "learning_rate": 1e-3, "seconds": step / 100})
    frame[Run(path).measured].to_csv(path / "metrics.csv", index=False)
    save_checkpoint(Run(path).folder(len(curve)), build_model(config), len(curve), config, {})
    return Run(path)
