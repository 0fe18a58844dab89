"""A forged result of the circuits pass for a forged run."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
from forged import Forge

from mcinterp.results import Result, Table

SHARES = ("position_r2", "token_r2", "direct_r2", "shuffled_r2", "ov_r2", "ov_shuffled_r2")


def forged_circuits(forge: Forge, step: int, **changed: Any) -> Result:
    """Every number is the same for all heads but what `changed` gives."""
    rng = np.random.default_rng([forge.seed, step, 9])
    n_pos, values = forge.rows * forge.cols, np.array([np.nan, -1.0, -0.5, 0.0, 0.5, 1.0], dtype=np.float32)
    shape = (forge.n_layers, forge.n_heads)
    arrays = {
        "qk_position": rng.standard_normal((*shape, n_pos, n_pos)),
        "qk_token": rng.standard_normal((*shape, 6, 6)),
        "ov_position": rng.standard_normal((*shape, n_pos)),
        "ov_token": rng.standard_normal((*shape, 6)),
    }
    numbers = {"position_r2": 0.5, "token_r2": 0.25, "direct_r2": 0.875, "shuffled_r2": -0.75, "ov_r2": 0.625}
    numbers |= {"ov_shuffled_r2": 0.0, "same_row": 1.5, "same_column": -0.25, "same_row_shuffled": 0.125}
    numbers |= {"same_column_shuffled": 0.375, "mask_key": -2.5, "ov_slope": 0.75, "ov_linear": 0.5, **changed}
    rows = []
    for head in forge.heads:
        row: dict[str, Any] = {"head": head, "n": 128, "seed": 7}
        for name, value in numbers.items():
            row[name] = value
            if name in SHARES:
                row |= {f"{name}_low": value - 0.01, f"{name}_high": value + 0.01}
        rows.append(row)
    facts = {
        "rows": forge.rows,
        "cols": forge.cols,
        "positions": [f"{row},{col}" for row in range(forge.rows) for col in range(forge.cols)],
        "position_groups": ["row", "column"],
        "blank": ["mask_key", "MASK"],
        "sample_names": ["matrix", "matrices"],
        "axes": {},
    }
    columns = {name: f"meaning of {name}" for name in rows[0]}
    stored = {name: array.astype(np.float32) for name, array in arrays.items()} | {"values": values}
    return Result("circuits", "What each head reads and writes", {}, facts, {"heads": Table.of(columns, rows)}, stored)


def save_circuits(forge: Forge, folder: Path, **changed: Any) -> Path:
    """Store them under `folder/data` for every step of the run."""
    for step in forge.steps:
        forged_circuits(forge, step, **changed).save(folder / "data" / f"step-{step:08d}" / "circuits")
    return folder
