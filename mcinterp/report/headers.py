"""What the columns of tables are headed; stored tables, and the CSVs beside a page, keep their columns' names."""

from __future__ import annotations

from functools import cache

from mcinterp.installed import studies

WHOLE = {
    "avoided_below": "avoided below",
    "behind": "behind the nearest",
    "control_delta": "change by controls, mean",
    "control_mse": "MSE of the control",
    "constant_mse": "MSE of the mean",
    "control_ratio": "MSE over the control's",
    "cosine_gain": "gain in |cosine|",
    "direct_r2": "positions and tokens, share",
    "excess": "excess over the controls",
    "excess_q": "q of the excess",
    "first_ratio": "MSE over that in the embeddings",
    "from_step": "from step on",
    "lead_margin": "lead, ± steps",
    "least": "least anywhere",
    "least_place": "least where",
    "most": "step of 90 %",
    "half": "step of 50 %",
    "onset": "step of 10 %",
    "onset_after": "after step",
    "n_avoided": "avoided, number",
    "n_clipped": "values beyond the vocabulary",
    "n_favoured": "favoured, number",
    "n_permutations": "permutations",
    "n_test": "n to test",
    "n_train": "n to fit",
    "nearer": "nearer to source by",
    "ov_linear": "written: linear share",
    "ov_r2": "written: share",
    "ov_shuffled_r2": "written: share, shuffled",
    "ov_slope": "written: slope",
    "p_value": "p",
    "position_r2": "positions alone, share",
    "q_value": "q",
    "self_mass": "attention on itself",
    "shuffled_r2": "labels shuffled, share",
    "split_half_distance": "distance of two halves",
    "test_cosine": "|cosine|, test",
    "test_mse": "MSE, test",
    "token_r2": "tokens alone, share",
    "train_mse": "MSE, fitted",
    "untrained": "untrained model",
    "untrained_max": "untrained model, largest",
}
"""Columns of the base's tables that would not be understood as they are called."""
PARTS = {"mse": "MSE", "r2": "R²", "delta": "change", "q": "q", "p": "p"}
"""Parts of names as one writes them."""


def header(name: str) -> str:
    """What a column is headed: as the base or a study has it, else its name in words."""
    return {**WHOLE, **_of_studies()}.get(name) or " ".join(PARTS.get(part, part) for part in name.split("_"))


@cache
def _of_studies() -> dict[str, str]:
    return {name: words for study in studies().values() for name, words in study.headers.items()}
