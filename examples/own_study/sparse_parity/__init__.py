"""Sparse parity: a network learns nothing of it for long, and then all of it (after arXiv 2207.08799).

The declaration is all that mcinterp loads to know the study's names; what they stand for is loaded when it is used.
"""

from mcinterp.declared import Architecture, Pass, Study, TaskKind, View

STUDY = Study(
    name="sparse-parity",
    title="Hidden Progress in Deep Learning: SGD Learns Parities Near the Computational Limit",
    source="arXiv 2207.08799",
    package="sparse_parity",
    presets=("sparse-parity",),
    measure="sparse_parity.study:measure",
    claims="sparse_parity.claims:parity_claims",
    tasks={
        "sparse-parity": TaskKind(
            "sparse_parity.config:ParityConfig", "sparse_parity.task:SparseParity", ("one-layer",)
        )
    },
    architectures={"one-layer": Architecture("sparse_parity.config:NetworkConfig", "sparse_parity.model:build")},
    passes=(
        Pass(
            "influence",
            "How much does each bit of the input matter?",
            1024,
            "sparse_parity.influence:influence",
            asks=("flipped",),
        ),
    ),
    views={"influence": View("Influence of each bit", "sparse_parity.views:influence")},
)
