"use strict";
// Draws the figures from the JSON in the page, in the colours of the theme, and saves them.
(() => {
  const CONFIG = {
    responsive: true,
    displaylogo: false,
    showSendToCloud: false,
    plotlyServerURL: "",
    modeBarButtons: [["zoom2d", "pan2d", "resetScale2d"]],
  };
  // What the figures' quiet colours become on a dark page; series and classes keep theirs where they can be seen.
  const ON_DARK = {
    "#1F2933": "#E6EAEE",
    "#616E7C": "#A3AEBA",
    "#E4E7EB": "#333C46",
    "#BCC4CD": "#75808C",
    "#B9BEC5": "#5A636D",
    "#4D4D4D": "#B4B4B4",
    "#FFFFFF": "#14191F",
    "rgba(255,255,255,0.75)": "rgba(20,25,31,0.75)",
  };
  const dark = (_, value) => (typeof value === "string" ? ON_DARK[value] ?? value : value);

  const sources = () => [...document.querySelectorAll("script[data-plot]")];
  const boxOf = (source) => document.getElementById(source.dataset.plot);
  // Source of every figure that was drawn → its box, once it is.
  const drawn = new Map();

  function draw(source) {
    const figure = JSON.parse(source.textContent, mcinterp.isDark() ? dark : undefined);
    // Beside the figure, not over its legend.
    figure.layout.modebar = { orientation: "v", bgcolor: "rgba(0,0,0,0)" };
    return Plotly.react(boxOf(source), { ...figure, config: CONFIG });
  }

  async function drawFirst(source) {
    const box = await draw(source);
    box.on("plotly_click", (event) => openPage(event.points));
    return box;
  }

  function boxDrawn(source) {
    if (!drawn.has(source)) drawn.set(source, drawFirst(source));
    return drawn.get(source);
  }

  // A figure waits until it is less than a screen away: a page of many opens as quickly as one of few.
  function drawWhenNear() {
    const near = new IntersectionObserver(
      (changes) => {
        for (const { target } of changes.filter((change) => change.isIntersecting)) {
          near.unobserve(target);
          boxDrawn(sources().find((source) => boxOf(source) === target));
        }
      },
      { rootMargin: "100% 0px" },
    );
    sources().forEach((source) => near.observe(boxOf(source)));
  }

  function setUpButtons() {
    for (const source of sources()) {
      for (const button of source.closest("figure").querySelectorAll("[data-save]")) {
        button.addEventListener("click", async () => save(await boxDrawn(source), button.dataset.save));
      }
    }
  }

  function resizeIn(folded) {
    if (!folded.open) return;
    for (const source of drawn.keys()) if (folded.contains(boxOf(source))) Plotly.Plots.resize(boxOf(source));
  }

  // A printed page has all figures, those that are folded too.
  function foldForPrint() {
    let opened = [];
    window.addEventListener("beforeprint", () => {
      opened = [...document.querySelectorAll("details:not([open]):has(.plot)")];
      opened.forEach((one) => { one.open = true; });
      sources().forEach(boxDrawn);
    });
    window.addEventListener("afterprint", () => opened.forEach((one) => { one.open = false; }));
  }

  function openPage(points) {
    const point = points.find((one) => /^\??step-\d+\.html$/.test(one.customdata));
    if (point) mcinterp.goTo(point.customdata);
  }

  // Saving ----------------------------------------------------------------------------------------------------------

  function save(box, format) {
    const name = `${document.title.replace(/[^\w.-]+/g, "-")}-${box.id}`;
    if (format === "csv") return mcinterp.download(`${name}.csv`, mcinterp.csv(rowsOf(box)));
    const { width, height } = box.getBoundingClientRect();
    return Plotly.downloadImage(box, { format, width, height, scale: format === "png" ? 2 : 1, filename: name });
  }

  const plain = (text) =>
    String(text ?? "")
      .replace(/<br>/g, " ")
      .replace(/<\/?[a-z]+>/g, "")
      .replace(/&lt;/g, "<")
      .replace(/&gt;/g, ">")
      .replace(/&amp;/g, "&");

  // The arrays as plotly decoded them: figures may carry them packed.
  function rowsOf(box) {
    const head = ["trace", "x", "y", "z", "x_below", "x_above", "y_below", "y_above", "text"];
    return [head, ...box._fullData.flatMap((trace) => (trace.z ? cellsOf(trace) : pointsOf(trace)))];
  }

  function pointsOf(trace) {
    const n = Math.max(trace.x?.length ?? 0, trace.y?.length ?? 0);
    const bar = (error, key, index) => (error?.visible ? error[key]?.[index] ?? error.array?.[index] : "");
    return Array.from({ length: n }, (_, i) => [
      plain(trace.name),
      plain(trace.x?.[i] ?? i),
      plain(trace.y?.[i] ?? i),
      "",
      bar(trace.error_x, "arrayminus", i),
      bar(trace.error_x, "array", i),
      bar(trace.error_y, "arrayminus", i),
      bar(trace.error_y, "array", i),
      Array.isArray(trace.text) ? plain(trace.text[i]) : "",
    ]);
  }

  function cellsOf(trace) {
    const rows = Array.from(trace.z);
    return rows.flatMap((values, row) =>
      Array.from(values, (value, column) => [
        plain(trace.name),
        plain(trace.x?.[column] ?? column),
        plain(trace.y?.[row] ?? row),
        value,
        "", "", "", "",
        Array.isArray(trace.text?.[row]) ? plain(trace.text[row][column]) : "",
      ]),
    );
  }

  document.addEventListener("DOMContentLoaded", () => {
    if (!window.Plotly) return;
    setUpButtons();
    drawWhenNear();
    foldForPrint();
    // What was drawn while it was folded has no size of its own yet.
    document.addEventListener("toggle", ({ target }) => resizeIn(target), true);
  });
  document.addEventListener("mcinterp-theme", () => [...drawn.keys()].forEach(draw));
})();
