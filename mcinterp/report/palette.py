"""Colours, in one place: the Okabe–Ito palette, which stays apart under every common colour blindness."""

from __future__ import annotations

CLASSES: dict[str, tuple[str, str]] = {
    "row": ("R", "#0072B2"),
    "column": ("C", "#E69F00"),
    "identity": ("I", "#009E73"),
    "masked-row": ("MR", "#D55E00"),
    "observed-copy": ("OC", "#56B4E9"),
    "mask-ignore": ("MI", "#CC79A7"),
    "longest-contiguous-column": ("LC", "#F0E442"),
    "input-processing": ("IP", "#4D4D4D"),
    "none": ("–", "#E4E7EB"),
}
"""Short form and colour of every head class."""

SERIES = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9")
"""Colours of anything else that is told apart, in order."""

VERDICTS = {"holds": "#009E73", "does not hold": "#D55E00", "undecided": "#BCC4CD"}
"""Colour of what became of a claim."""

INK, MUTED, GRID, CONTROL = "#1F2933", "#616E7C", "#E4E7EB", "#BCC4CD"
BLUES = [[0.0, "#FFFFFF"], [1.0, "#56A5D8"]]


ON_DARK = {
    "#1F2933": "#E6EAEE",
    "#616E7C": "#A3AEBA",
    "#E4E7EB": "#333C46",
    "#BCC4CD": "#75808C",
    "#B9BEC5": "#5A636D",
    "#4D4D4D": "#B4B4B4",
    "#FFFFFF": "#14191F",
    "rgba(255,255,255,0.75)": "rgba(20,25,31,0.75)",
}
"""What the figures' quiet colours become where text is light; assets/figures.js has the same, which a test sees to."""


def class_colour(name: str) -> str:
    """The colour of a head class; one that the palette does not know is drawn grey."""
    return CLASSES[name][1] if name in CLASSES else CONTROL


def class_short(name: str) -> str:
    """At most three letters for a head class."""
    if name in CLASSES:
        return CLASSES[name][0]
    return "".join(part[0] for part in name.split("-") if part)[:3].upper()


def text_on(colour: str) -> str:
    """Black or white, whichever reads better on a colour (relative luminance of WCAG)."""
    channels = (int(colour[i : i + 2], 16) / 255 for i in (1, 3, 5))
    linear = (c / 12.92 if c <= 0.03928 else ((c + 0.055) / 1.055) ** 2.4 for c in channels)
    luminance = sum(weight * c for weight, c in zip((0.2126, 0.7152, 0.0722), linear, strict=True))
    return "#000000" if luminance > 0.19 else "#FFFFFF"
