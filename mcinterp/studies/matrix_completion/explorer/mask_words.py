"""What a mask's name says, in words for a list to choose from."""

from __future__ import annotations


def mask_words(name: str) -> str:
    """A structured mask's name as a reader would say it; any other name as it is.

    Args:
        name: as `mcinterp.studies.matrix_completion.task.masks` reads it, such as `masked-rows:2@1,4@3`.
    """
    kind, _, detail = name.partition(":")
    parts = [part.partition("@") for part in detail.split(",")]
    match kind:
        case "none":
            return "nothing masked"
        case "masked-rows":
            kept = " and ".join(f"{row},{col}" for row, _, col in parts)
            rows = " and ".join(row for row, _, _ in parts)
            return f"row{'s' if len(parts) > 1 else ''} {rows}, all but {kept}"
        case "column-run":
            return f"longest observed run in column {parts[0][0]}"
        case "one-per-row":
            return "all but one entry a row"
        case "block":
            rows, cols = (part.replace("-", " to ") for part, _, _ in parts)
            return f"block of rows {rows}, columns {cols}"
        case _:
            return name
