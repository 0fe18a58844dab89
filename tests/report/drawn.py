"""Figures are drawn when the reader comes near them: open what is folded over them, and go past all."""

from __future__ import annotations

from typing import Any

_PAST_ALL = """async () => {
    for (const folded of document.querySelectorAll("details.evidence, details:has(.plot)")) folded.open = true;
    for (const plot of document.querySelectorAll(".plot")) {
        plot.scrollIntoView({ behavior: "instant" });
        for (const end = performance.now() + 30000; !plot.querySelector(".main-svg"); ) {
            if (performance.now() > end) throw new Error(`${plot.id} is not drawn`);
            await new Promise(requestAnimationFrame);
        }
    }
    scrollTo({ top: 0, behavior: "instant" });
}"""


def draw_all(page: Any) -> int:
    """Go past every figure, waiting until it is drawn; returns how many there are."""
    page.evaluate(_PAST_ALL)
    return int(page.locator(".plot").count())
