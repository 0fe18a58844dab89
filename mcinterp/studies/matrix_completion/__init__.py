"""Abrupt Learning in Transformers: A Case Study on Matrix Completion (NeurIPS 2024, arXiv 2410.22244)."""

from mcinterp.declared import Architecture, Asks, Comparison, Explorer, Pass, Study, TaskKind, View

HERE = "mcinterp.studies.matrix_completion"
ENTRIES = "answers_entries"
"""What `MatrixCompletion` offers its own passes: a number at every entry, of matrices of one size or of several."""

_FAMILIES = ("row", "column", "identity")
_GROUPS = ("masked-row", "observed-copy", "mask-ignore", "longest-contiguous-column", "input-processing")
_CONFIG = f"{HERE}.config:TaskConfig"
_DESCRIBED = f"{HERE}.views.task:described"

_HEADERS = {
    "entries": "over",
    "control_correlation": "correlation of another matrix's",
    "control_scaled_unexplained": "left by another matrix's, at its best scale",
    "control_unexplained": "left of the control",
    "copied": "nearer than with MASK by",
    "dealt_between": "between, answers dealt out",
    "error_correlation": "correlation of errors",
    "gained": "gain over answering 0",
    "mask_key": "preference for MASK",
    "masked_mass": "attention on masked keys",
    "masked_moved": "masked answers moved",
    "masked_mse": "L_mask",
    "masked_ratio": "L_mask over that of answering 0",
    "masked_spread": "L_mask, spread over permutations",
    "model_mse": "MSE of the model",
    "model_norm": "nuclear norm of the model",
    "other_share": "share, of another matrix's",
    "other_symmetry": "symmetry, with another matrix's",
    "observed_change": "change of L_obs",
    "observed_moved": "observed answers moved",
    "observed_mse": "L_obs",
    "observed_spread": "L_obs, spread over permutations",
    "possible": "gain of the best symmetric answer",
    "ratio_change": "change of the ratio",
    "same_column": "preference for the own column",
    "same_column_shuffled": "the same, shuffled",
    "same_row": "preference for the own row",
    "same_row_shuffled": "the same, shuffled",
    "scaled_unexplained": "left, at its best scale",
    "short": "possible minus gain",
    "solver_mse": "MSE of the minimiser",
    "shuffled_apart": "apart, bins shuffled",
    "solver_norm": "nuclear norm of the minimiser",
    "to_model": "MSE to the model",
    "to_truth": "MSE to the truth",
    "total_mse": "L",
    "train_unexplained": "left where it was fitted",
    "truth_norm": "nuclear norm of the truth",
    "unexplained": "left of the mean square",
    "unseen": "share of unseen values",
    "untrained_scaled_unexplained": "left of an untrained model, at its best scale",
    "value_mse": "mean square to the token's value",
    "zero_mse": "L_mask, answering 0",
}


def _view(title: str, module: str, finding: str = "", asks: Asks = "computes") -> View:
    """A view of a pass, which has rows in the table of all checkpoints too."""
    told = f"{HERE}.findings:{finding}" if finding else None
    return View(title, f"{HERE}.views.{module}:view", f"{HERE}.views.{module}:rows", told, asks)


STUDY = Study(
    name="matrix-completion",
    title="Abrupt Learning in Transformers: A Case Study on Matrix Completion",
    source="NeurIPS 2024, arXiv 2410.22244",
    package=HERE,
    presets=("tiny", "7x7-rank1", "small", "paper", "paper-12-layer"),
    measure=f"{HERE}.study:measure",
    claims=f"{HERE}.claims:matrix_claims",
    paper_size="trains 4 layers × 8 heads, width 768, on 7 × 7 matrices of rank 2, 50,000 steps",
    tasks={
        "matrix-completion": TaskKind(
            _CONFIG, f"{HERE}.task.completion:MatrixCompletion", ("encoder",), (*_FAMILIES, *_GROUPS), _DESCRIBED
        ),
        "matrix-sequence": TaskKind(_CONFIG, f"{HERE}.task.sequence:MatrixSequence", ("gpt",), (), _DESCRIBED),
    },
    architectures={
        "encoder": Architecture(
            f"{HERE}.config:ModelConfig",
            f"{HERE}.model:encoder",
            frozenset({"heads", "number_read_out", "embeddings", "components"}),
            f"{HERE}.foreign:read",
        ),
        "gpt": Architecture(f"{HERE}.config:ModelConfig", f"{HERE}.model:gpt", frozenset({"heads"})),
    },
    passes=(
        Pass(
            "tokens",
            "Is the model copying: does it answer the value of a token put in the place of MASK?",
            512,
            f"{HERE}.passes.token_intervention:token_intervention",
            asks=(ENTRIES,),
        ),
        Pass(
            "positions",
            "What of a position matters: its row, its column, or its place?",
            256,
            f"{HERE}.passes.position_sensitivity:position_sensitivity",
            asks=(ENTRIES,),
        ),
        Pass(
            "shift",
            "What does the model make of laws, ranks and shares of masked entries that it was not trained on?",
            1024,
            f"{HERE}.passes.distribution_shift:distribution_shift",
            asks=(ENTRIES,),
            least=4,
        ),
        Pass(
            "algorithm",
            "What algorithm is it? Which known way to complete a matrix explains the model's answers?",
            512,
            f"{HERE}.passes.algorithm:algorithm_fit",
            asks=(ENTRIES,),
            least=4,
        ),
        Pass(
            "nuclear",
            "Does the model minimise the nuclear norm, and how good is that as a completion?",
            512,
            f"{HERE}.passes.nuclear_norm:nuclear_norm",
            asks=(ENTRIES,),
        ),
        Pass(
            "sizes",
            "What are the errors on matrices of each size that the model was trained on?",
            512,
            f"{HERE}.passes.by_size:errors_by_size",
            asks=(ENTRIES,),
        ),
        Pass(
            "generation",
            "How much of the matrix does the model write rightly, given the true tokens and on its own?",
            256,
            f"{HERE}.passes.generation:generation",
            asks=("written_entries",),
        ),
    ),
    comparisons=(
        Comparison(
            "shelf",
            "What does it answer while the loss stands still: 0, one number a matrix, or more?",
            1024,
            f"{HERE}.passes.shelf:hidden_shelf",
            asks=(ENTRIES, "heads"),
        ),
        Comparison(
            "stairs",
            "Which entries are right first: those of which rows and columns, or of which much is observed?",
            1024,
            f"{HERE}.passes.stairs:entry_stairs",
            asks=(ENTRIES, "heads"),
        ),
    ),
    views={
        "tokens": _view("Token intervention", "tokens", "answered"),
        "positions": _view("Position sensitivity", "positions", asks="needs"),
        "shift": _view("Distribution shift", "shift"),
        "algorithm": _view("What algorithm is it?", "algorithm", "nearest"),
        "nuclear": _view("Nuclear norm minimisation", "nuclear"),
        "sizes": _view("Errors by matrix size", "sizes"),
        "generation": _view("Generation", "generation"),
        "shelf": View("What it answers while the loss stands still", f"{HERE}.views.shelf:view"),
        "stairs": View("Which entries are right first", f"{HERE}.views.stairs:view"),
    },
    explorer=Explorer(
        (ENTRIES,),
        f"{HERE}.explorer.explorable:explorable",
        f"{HERE}.explorer.page:write_explorer",
        "masks, values, heads and steps",
        f"{HERE}.explorer.places:explorer_place",
    ),
    input_picture=f"{HERE}.views.masks:mask_picture",
    input_name=f"{HERE}.views.masks:mask_name",
    head_note="L1H0 is the paper's (2,1)",
    headers=_HEADERS,
    reads_config=f"{HERE}.tf_matcomp:configuration",
    exports={
        "CANDIDATES": f"{HERE}.baselines.candidates:CANDIDATES",
        "MatrixBatch": f"{HERE}.task.batch:MatrixBatch",
        "MatrixCompletion": f"{HERE}.task.completion:MatrixCompletion",
        "MatrixEncoder": f"{HERE}.encoder:MatrixEncoder",
        "MatrixGPT": f"{HERE}.gpt:MatrixGPT",
        "MatrixSequence": f"{HERE}.task.sequence:MatrixSequence",
        "ModelConfig": f"{HERE}.config:ModelConfig",
        "TaskConfig": f"{HERE}.config:TaskConfig",
        "algorithm_fit": f"{HERE}.passes.algorithm:algorithm_fit",
        "distribution_shift": f"{HERE}.passes.distribution_shift:distribution_shift",
        "entry_stairs": f"{HERE}.passes.stairs:entry_stairs",
        "errors_by_size": f"{HERE}.passes.by_size:errors_by_size",
        "explorable": f"{HERE}.explorer.explorable:explorable",
        "from_bert": f"{HERE}.convert:from_bert",
        "generation": f"{HERE}.passes.generation:generation",
        "hidden_shelf": f"{HERE}.passes.shelf:hidden_shelf",
        "load_bert": f"{HERE}.convert:load_bert",
        "load_tf_matcomp": f"{HERE}.convert:load_tf_matcomp",
        "nuclear_norm": f"{HERE}.passes.nuclear_norm:nuclear_norm",
        "nuclear_norm_completion": f"{HERE}.baselines:nuclear_norm_completion",
        "position_sensitivity": f"{HERE}.passes.position_sensitivity:position_sensitivity",
        "to_bert": f"{HERE}.convert:to_bert",
        "token_intervention": f"{HERE}.passes.token_intervention:token_intervention",
        "write_explorer": f"{HERE}.explorer.page:write_explorer",
    },
)
