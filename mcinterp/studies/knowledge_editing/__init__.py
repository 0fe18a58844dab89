"""Representation Shattering in Transformers: A Synthetic Study with Knowledge Editing (arXiv 2410.17194)."""

from mcinterp.declared import Study, TaskKind

HERE = "mcinterp.studies.knowledge_editing"

STUDY = Study(
    name="knowledge-editing",
    title="Representation Shattering in Transformers: A Synthetic Study with Knowledge Editing",
    source="ICML 2025, arXiv 2410.17194",
    package=HERE,
    presets=("editing", "editing-paper"),
    measure=f"{HERE}.study:measure",
    claims=f"{HERE}.claims:editing_claims",
    paper_size="trains 2 layers × 12 heads, width 24, on 2,048 entities, 150,000 steps",
    tasks={"cyclic-facts": TaskKind(f"{HERE}.config:CyclicFactsConfig", f"{HERE}.task:CyclicFacts", ("transformer",))},
    measured_views={name: f"{HERE}.views:{name}" for name in ("knowledge", "geometry", "edits", "sequences")},
    exports={
        "CyclicFactsConfig": f"{HERE}.config:CyclicFactsConfig",
        "CyclicFacts": f"{HERE}.task:CyclicFacts",
    },
)
