"""A Percolation Model of Emergence: Analyzing Transformers Trained on a Formal Language (arXiv 2408.12578)."""

from mcinterp.declared import Study, TaskKind

HERE = "mcinterp.studies.percolation"
EXACT = "exact"
"""The preset that has random graphs and their closed forms only, and trains nothing."""
TRAINED = ("typed-language", "language-paper")
"""Those that train networks, too."""
SEEDS = 3
"""Networks of each setting, with seeds from the run's own on."""

STUDY = Study(
    name="percolation",
    title="A Percolation Model of Emergence: Analyzing Transformers Trained on a Formal Language",
    source="arXiv 2408.12578",
    package=HERE,
    presets=(*TRAINED, EXACT),
    measure=f"{HERE}.study:measure",
    claims=f"{HERE}.claims:percolation_claims",
    alone=(EXACT,),
    seeds=SEEDS,
    bounds="The bounds are this package's own: about random graphs, what the closed forms say; about trained networks, "
    "the order and the shape of what the paper shows, at 4 classes of 15 entities and 20 to 320 descriptors.",
    paper_size="trains on 10 classes of 90 entities with 1,800 descriptors each, 100,000 steps",
    measured_by=dict.fromkeys(("order", "drops", "connected", "shift"), TRAINED),
    tasks={"typed-language": TaskKind(f"{HERE}.config:LanguageConfig", f"{HERE}.task:TypedLanguage", ("transformer",))},
    measured_views={name: f"{HERE}.views:{name}" for name in ("graphs", "order", "drops", "connected", "shift")},
    exports={
        "LanguageConfig": f"{HERE}.config:LanguageConfig",
        "TypedLanguage": f"{HERE}.task:TypedLanguage",
    },
)
