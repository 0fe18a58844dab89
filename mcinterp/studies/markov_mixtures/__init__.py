"""Competition Dynamics Shape Algorithmic Phases of In-Context Learning (arXiv 2412.01003)."""

from mcinterp.declared import Study, TaskKind

HERE = "mcinterp.studies.markov_mixtures"

STUDY = Study(
    name="markov-mixtures",
    title="Competition Dynamics Shape Algorithmic Phases of In-Context Learning",
    source="arXiv 2412.01003",
    package=HERE,
    presets=("markov-mixtures", "markov-paper"),
    measure=f"{HERE}.study:measure",
    claims=f"{HERE}.claims:markov_claims",
    seeds=2,
    bounds="The bounds are this package's own: they ask for the order and the sizes of what the paper shows, at four "
    "states instead of ten and 64 tokens instead of 512.",
    paper_size="trains 2 layers × 4 heads, width 64, on chains of ten states and 512 tokens, 107,979 steps",
    tasks={
        "markov-mixture": TaskKind(
            f"{HERE}.config:MarkovConfig",
            f"{HERE}.task:MarkovMixture",
            ("transformer",),
            ("previous", "first", "current", "duplicate", "induction"),
        )
    },
    measured_views={
        name: f"{HERE}.views.{name}:{name}" for name in ("phases", "mixtures", "circuits", "competition", "implied")
    },
    exports={
        "MarkovConfig": f"{HERE}.config:MarkovConfig",
        "MarkovMixture": f"{HERE}.task:MarkovMixture",
    },
)
