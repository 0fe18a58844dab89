"""Forking Paths in Neural Text Generation (arXiv 2412.07961)."""

from mcinterp.declared import Study, TaskKind

HERE = "mcinterp.studies.forking_tokens"
WALKS, NAVIGATOR = "forking-walks", "fork-navigator"

STUDY = Study(
    name="forking-tokens",
    title="Forking Paths in Neural Text Generation",
    source="arXiv 2412.07961",
    package=HERE,
    presets=(WALKS, NAVIGATOR),
    measure=f"{HERE}.study:measure",
    claims=f"{HERE}.claims:forking_claims",
    bounds="The bounds are this package's own. The model is a small transformer whose laws of outcomes are worked out "
    "exactly, so that what sampling finds can be held to what is there; the paper has samples of large models alone.",
    paper_size="asks GPT-3.5, which it does not train, on seven tasks of questions",
    tasks={
        "free-walk": TaskKind(
            f"{HERE}.config:WalkConfig",
            f"{HERE}.task:FreeWalk",
            ("transformer",),
            ("previous", "first", "current", "duplicate", "induction"),
        )
    },
    measured_views={name: f"{HERE}.views:{name}" for name in ("laws", "forks", "sampled", "generated")},
    exports={"FreeWalk": f"{HERE}.task:FreeWalk", "WalkConfig": f"{HERE}.config:WalkConfig"},
)
