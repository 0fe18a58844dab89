"use strict";
// Examples of inputs: the slider goes through the checkpoints, and pointing at a place, or the arrow keys, tells its
// numbers.
(() => {
  const signed = (text) => text.replace("-", "−");

  function setUp(block) {
    const data = JSON.parse(block.querySelector("script").textContent);
    const samples = [...block.querySelectorAll(".example")];
    const slider = block.querySelector(".example-step");
    if (slider) slider.addEventListener("input", () => show(block, samples, data, slider));
    for (const sample of samples) setUpPlaces(sample, data);
  }

  function show(block, samples, data, slider) {
    const step = data.steps[slider.value];
    slider.parentElement.querySelector("output").textContent = step.text;
    slider.setAttribute("aria-valuetext", step.text);
    samples.forEach((sample, at) => {
      const now = step.examples[at];
      sample.querySelector(".score").textContent = now.score;
      if (data.tokens) showTokens(sample, now);
      else showNumbers(sample, now);
      const link = sample.querySelector(".opened a");
      if (link) link.setAttribute("href", link.getAttribute("href").replace(/#step=\d+/, `#step=${step.step}`));
      tell(sample, data, sample.querySelector(".pointed"));
    });
  }

  function showNumbers(sample, now) {
    for (const panel of ["answer", "error"]) {
      for (const cell of sample.querySelectorAll(`[data-panel=${panel}] [data-at]`)) {
        const { at } = cell.dataset;
        const level = `l-${now.levels[panel][at]}`;
        cell.setAttribute("class", [level, ...[...cell.classList].filter((name) => !name.startsWith("l-"))].join(" "));
        cell.dataset.exact = now.exact[panel][at];
        cell.querySelector("text").textContent = now.texts[panel][at];
      }
    }
  }

  function showTokens(sample, now) {
    for (const cell of sample.querySelectorAll("[data-at]")) {
      const { at } = cell.dataset;
      cell.classList.toggle("right", now.right[at]);
      cell.classList.toggle("wrong", !now.right[at]);
      cell.style.setProperty("--sure", now.sure[at]);
      cell.dataset.exact = now.sure[at];
      cell.querySelector("small").textContent = now.marks[at];
    }
  }

  // Pointing ----------------------------------------------------------------------------------------------------------

  function setUpPlaces(sample, data) {
    const held = sample.querySelector(".panels, .line");
    held.addEventListener("pointerover", (event) => point(sample, data, event.target.closest("[data-at]")));
    held.addEventListener("pointerleave", () => point(sample, data, null));
    held.addEventListener("focusout", () => point(sample, data, null));
    held.addEventListener("keydown", (event) => move(event, sample, data, held));
  }

  // Places in one panel, or in the line.
  const placesOf = (held) => [...(held.querySelector("svg") ?? held).querySelectorAll("[data-at]")];

  function move(event, sample, data, held) {
    const places = placesOf(held);
    const first = places[0]?.querySelector("rect")?.getAttribute("y");
    const across = held.matches(".panels") ? places.filter((one) => one.querySelector("rect").getAttribute("y") === first).length : 1;
    const by = { ArrowLeft: -1, ArrowRight: 1, ArrowUp: -across, ArrowDown: across }[event.key];
    if (!by || event.altKey || event.ctrlKey || event.metaKey) return;
    event.preventDefault();
    event.stopPropagation();
    const now = places.findIndex((one) => one.matches(".pointed"));
    point(sample, data, places[now < 0 ? 0 : Math.min(places.length - 1, Math.max(0, now + by))]);
  }

  function point(sample, data, cell) {
    for (const one of sample.querySelectorAll(".pointed")) one.classList.remove("pointed");
    if (cell) for (const one of sample.querySelectorAll(`[data-at="${cell.dataset.at}"]`)) one.classList.add("pointed");
    tell(sample, data, cell);
  }

  function tell(sample, data, cell) {
    sample.querySelector(".told").textContent = cell ? words(sample, data, cell) : "";
  }

  function words(sample, data, cell) {
    const { at } = cell.dataset;
    const place = data.places[at];
    if (data.tokens) {
      const [token, mark] = [...cell.children].map((one) => one.textContent);
      const said = mark.startsWith("✓") ? "the most probable one" : `held most probable: ${mark.slice(2)}`;
      return `after position ${place} comes ${token}, probability ${cell.dataset.exact}; ${said}`;
    }
    const parts = [...sample.querySelectorAll("svg")].map((svg) => {
      const value = svg.querySelector(`[data-at="${at}"]`).dataset.exact;
      return `${svg.dataset.panel} ${value === "" ? data.hidden : signed(value)}`;
    });
    return `${place}: ${parts.join(" · ")}`;
  }

  document.addEventListener("DOMContentLoaded", () => document.querySelectorAll(".examples").forEach(setUp));
})();
