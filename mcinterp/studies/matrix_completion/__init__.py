"""Abrupt Learning in Transformers: A Case Study on Matrix Completion (NeurIPS 2024, arXiv 2410.22244)."""

from mcinterp.declared import Architecture, Explorer, Pass, Study, TaskKind, View

HERE = "mcinterp.studies.matrix_completion"
ENTRIES = "answers_entries"
"""What `MatrixCompletion` offers its own passes: a number at every entry, of matrices of one size or of several."""

_FAMILIES = ("row", "column", "identity")
_GROUPS = ("masked-row", "observed-copy", "mask-ignore", "longest-contiguous-column", "input-processing")
_CONFIG = f"{HERE}.config:TaskConfig"

STUDY = Study(
    name="matrix-completion",
    title="Abrupt Learning in Transformers: A Case Study on Matrix Completion",
    source="NeurIPS 2024, arXiv 2410.22244",
    package=HERE,
    presets=("tiny", "7x7-rank1", "small", "paper", "paper-12-layer"),
    measure=f"{HERE}.study:measure",
    claims=f"{HERE}.claims:matrix_claims",
    tasks={
        "matrix-completion": TaskKind(
            _CONFIG, f"{HERE}.task.completion:MatrixCompletion", ("encoder",), (*_FAMILIES, *_GROUPS)
        ),
        "matrix-sequence": TaskKind(_CONFIG, f"{HERE}.task.sequence:MatrixSequence", ("gpt",)),
    },
    architectures={
        "encoder": Architecture(
            f"{HERE}.config:ModelConfig",
            f"{HERE}.model:encoder",
            frozenset({"heads", "number_read_out", "embeddings", "components"}),
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
    views={
        "tokens": View("Token intervention", f"{HERE}.views.tokens:view"),
        "positions": View("Position sensitivity", f"{HERE}.views.positions:view"),
        "shift": View("Distribution shift", f"{HERE}.views.shift:view"),
        "algorithm": View("What algorithm is it?", f"{HERE}.views.algorithm:view"),
        "nuclear": View("Nuclear norm minimisation", f"{HERE}.views.nuclear:view"),
        "sizes": View("Errors by matrix size", f"{HERE}.views.sizes:view"),
        "generation": View("Generation", f"{HERE}.views.generation:view"),
    },
    explorer=Explorer((ENTRIES,), f"{HERE}.explorer.explorable:explorable", f"{HERE}.explorer.page:write_explorer"),
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
        "errors_by_size": f"{HERE}.passes.by_size:errors_by_size",
        "explorable": f"{HERE}.explorer.explorable:explorable",
        "from_bert": f"{HERE}.convert:from_bert",
        "generation": f"{HERE}.passes.generation:generation",
        "load_tf_matcomp": f"{HERE}.convert:load_tf_matcomp",
        "nuclear_norm": f"{HERE}.passes.nuclear_norm:nuclear_norm",
        "nuclear_norm_completion": f"{HERE}.baselines:nuclear_norm_completion",
        "position_sensitivity": f"{HERE}.passes.position_sensitivity:position_sensitivity",
        "to_bert": f"{HERE}.convert:to_bert",
        "token_intervention": f"{HERE}.passes.token_intervention:token_intervention",
        "write_explorer": f"{HERE}.explorer.page:write_explorer",
    },
)
