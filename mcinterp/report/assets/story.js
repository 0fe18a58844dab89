"use strict";
// The axis of steps, linear or logarithmic; what is folded opens where a link leads to it, and all of it on paper; the
// table of changes shows the rows that changed.
(() => {
  function setAxis(button) {
    const box = document.getElementById(button.dataset.of);
    if (!box._fullLayout) return;
    const log = button.dataset.axis === "log";
    const kept = box._fullData.flatMap((trace) => Array.from(trace.x ?? [])).filter((step) => step > 0);
    const [least, most] = [Math.min(...kept), Math.max(...kept)];
    const range = log ? [Math.log10(least) - 0.05, Math.log10(most) + 0.03] : [0, 1.01 * most];
    Plotly.relayout(box, { "xaxis.type": log ? "log" : "linear", "xaxis.range": range });
    for (const other of button.parentElement.querySelectorAll("button")) {
      other.setAttribute("aria-pressed", String(other === button));
    }
  }

  function openThere() {
    const { at } = mcinterp.place();
    const there = at && document.getElementById(at);
    for (const folded of there?.querySelectorAll("details.evidence") ?? []) folded.open = true;
  }

  function showChanged(box) {
    const table = box.closest("section").querySelector("table");
    table.classList.toggle("only-changed", box.checked);
  }

  document.addEventListener("DOMContentLoaded", () => {
    for (const button of document.querySelectorAll("button[data-axis]")) {
      button.addEventListener("click", () => setAxis(button));
    }
    for (const box of document.querySelectorAll("input.only-changed")) {
      showChanged(box);
      box.addEventListener("change", () => showChanged(box));
    }
    openThere();
    window.addEventListener("hashchange", openThere);
    window.addEventListener("beforeprint", () => {
      for (const folded of document.querySelectorAll("details.evidence")) folded.open = true;
    });
  });
})();
