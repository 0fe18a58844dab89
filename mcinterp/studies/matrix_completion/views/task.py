"""A task's section in a line."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any


def described(task: Mapping[str, Any]) -> str:
    """The sizes of the matrices and the law that they are drawn from."""
    sizes = task.get("sizes") or [(task.get("rows"), task.get("cols"))]
    size = ", ".join(f"{rows} × {cols}" for rows, cols in sizes)
    law = f"rank {task.get('rank')}, {task.get('factors')} factors, p_mask {task.get('p_mask')}"
    return f"{task.get('kind')}, {size}, {law}"
