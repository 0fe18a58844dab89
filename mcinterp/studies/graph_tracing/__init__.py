"""ICLR: In-Context Learning of Representations (arXiv 2501.00070)."""

from mcinterp.declared import Study, TaskKind

HERE = "mcinterp.studies.graph_tracing"

STUDY = Study(
    name="graph-tracing",
    title="ICLR: In-Context Learning of Representations",
    source="ICLR 2025, arXiv 2501.00070",
    package=HERE,
    presets=("tracing", "tracing-ring7", "tracing-paper"),
    measure=f"{HERE}.study:measure",
    claims=f"{HERE}.claims:tracing_claims",
    paper_size="reads Llama-3.1-8B, which it does not train, on grids, rings and hexagons of words",
    measured_views={
        "structure": f"{HERE}.views:structure",
        "ablation": f"{HERE}.views:ablation",
        "sizes": f"{HERE}.views:sizes",
        "nulls": f"{HERE}.views:nulls",
    },
    tasks={
        "graph-tracing": TaskKind(f"{HERE}.config:TracingConfig", f"{HERE}.task:GraphTracing", ("transformer",)),
    },
    exports={
        "GraphTracing": f"{HERE}.task:GraphTracing",
        "TracingConfig": f"{HERE}.config:TracingConfig",
    },
)
