"""ICLR: In-Context Learning of Representations (arXiv 2501.00070)."""

from mcinterp.declared import Study, TaskKind

HERE = "mcinterp.studies.graph_tracing"

STUDY = Study(
    name="graph-tracing",
    title="ICLR: In-Context Learning of Representations",
    source="ICLR 2025, arXiv 2501.00070",
    package=HERE,
    presets=("graph-tracing", "graph-tracing-paper"),
    measure=f"{HERE}.study:measure",
    claims=f"{HERE}.claims:tracing_claims",
    tasks={
        "graph-tracing": TaskKind(f"{HERE}.config:TracingConfig", f"{HERE}.task:GraphTracing", ("transformer",)),
    },
)
