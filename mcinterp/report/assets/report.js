"use strict";
// Draws the figures and the attention maps from the JSON in the page; sorts and filters tables. Asks no network.
(() => {
  const read = (element) => JSON.parse(element.textContent);

  function drawPlots() {
    const config = { responsive: true, displaylogo: false, showSendToCloud: false, plotlyServerURL: "" };
    for (const source of document.querySelectorAll("script[data-plot]")) {
      const figure = read(source);
      const box = document.getElementById(source.dataset.plot);
      Plotly.newPlot(box, figure.data, figure.layout, config).then(() => {
        box.on("plotly_click", (event) => openPage(event.points));
      });
    }
  }

  function openPage(points) {
    const point = points.find((one) => /^step-\d+\.html$/.test(one.customdata));
    if (point) window.location.href = point.customdata;
  }

  // Tables ----------------------------------------------------------------------------------------------------------

  function sortValue(row, column) {
    const cell = row.cells[column];
    const text = cell.dataset.sort ?? cell.textContent.trim();
    const number = Number(text);
    if (text === "–" || text === "") return null;
    return Number.isNaN(number) ? text : number;
  }

  function compare(a, b) {
    if (typeof a === "number" && typeof b === "number") return a - b;
    return String(a).localeCompare(String(b), "en", { numeric: true });
  }

  function sortBy(button) {
    const head = button.closest("th");
    const body = head.closest("table").tBodies[0];
    const descending = head.getAttribute("aria-sort") === "ascending";
    for (const other of head.parentNode.cells) other.removeAttribute("aria-sort");
    head.setAttribute("aria-sort", descending ? "descending" : "ascending");
    const rows = Array.from(body.rows, (row) => ({ row, value: sortValue(row, head.cellIndex) }));
    rows.sort((a, b) => {
      if (a.value === null || b.value === null) return (a.value === null) - (b.value === null);
      return descending ? compare(b.value, a.value) : compare(a.value, b.value);
    });
    body.append(...rows.map((entry) => entry.row));
  }

  function filterRows(input) {
    const scroll = input.closest("label").nextElementSibling;
    const wanted = input.value.trim().toLowerCase();
    for (const row of scroll.querySelector("tbody").rows) {
      row.hidden = wanted !== "" && !row.textContent.toLowerCase().includes(wanted);
    }
  }

  // Attention -------------------------------------------------------------------------------------------------------

  function setUpAttention(root) {
    const data = read(root.querySelector(".maps"));
    const mask = root.querySelector(".mask-choice");
    const layer = root.querySelector(".layer-choice");
    const scale = root.querySelector(".scale-choice");
    const layers = [...new Set(data.layers)];
    layer.append(new Option("all", "all"), ...layers.map((index) => new Option(String(index), String(index))));
    // Many large maps at once would take seconds to draw.
    if (data.heads.length * data.size * data.size > 160000) layer.value = "0";
    const redraw = () => drawAttention(root, data, mask.value, layer.value, scale.value);
    for (const control of [mask, layer, scale]) control.addEventListener("change", redraw);
    redraw();
  }

  function square(flat, size) {
    const rows = [];
    for (let start = 0; start < flat.length; start += size) {
      rows.push(flat.slice(start, start + size).map((value) => value / 1000));
    }
    return rows;
  }

  let drawn = 0;

  function drawAttention(root, data, mask, layer, scale) {
    const shown = data.heads.map((_, index) => index).filter((index) => layer === "all" || data.layers[index] === Number(layer));
    const maps = shown.map((index) => square(data.maps[mask][index], data.size));
    const largest = maps.map((map) => Math.max(0.001, ...map.map((row) => Math.max(...row))));
    const own = scale === "own";
    const end = own ? 1 : Math.max(...largest) * Number(scale);
    // CircuitsVis has one scale for all heads: for scales of their own the maps themselves are divided.
    const scaled = own ? maps.map((map, head) => map.map((row) => row.map((value) => value / largest[head]))) : maps;
    const target = document.createElement("div");
    target.id = `circuitsvis-${++drawn}`;
    target.className = "circuitsvis";
    root.querySelector(".heads").replaceChildren(target);
    CircuitsVis.render(target.id, CircuitsVis.AttentionHeads, {
      attention: scaled,
      attentionHeadNames: shown.map((index) => data.heads[index]),
      tokens: data.tokens,
      minValue: -end,
      maxValue: end,
      positiveColor: "#005A8C",
      negativeColor: "#D55E00",
      maskUpperTri: false,
    });
    root.querySelector(".scale-note").textContent = own
      ? "White is 0, the darkest blue each head's own maximum; the values shown are fractions of it."
      : `White is 0, the darkest blue ${end.toPrecision(2)} and more.`;
    for (const figure of root.querySelectorAll(".masks figure")) figure.hidden = figure.dataset.mask !== mask;
    reachByKeyboard(target, shown.map((index) => data.heads[index]));
  }

  // The library's small maps answer the mouse only.
  function reachByKeyboard(target, names) {
    const mark = () => {
      const titles = target.querySelectorAll("h4");
      if (titles.length !== names.length) return false;
      titles.forEach((title, index) => {
        const tile = title.parentElement.parentElement;
        Object.assign(tile, { tabIndex: 0, title: names[index] });
        tile.setAttribute("role", "button");
        tile.setAttribute("aria-label", `Show ${names[index]} large`);
        tile.addEventListener("keydown", (event) => {
          if (event.key !== "Enter" && event.key !== " ") return;
          event.preventDefault();
          tile.click();
        });
      });
      return true;
    };
    const observer = new MutationObserver(() => {
      if (mark()) observer.disconnect();
    });
    observer.observe(target, { childList: true, subtree: true });
  }

  function start() {
    if (window.Plotly) drawPlots();
    for (const root of document.querySelectorAll(".attention")) setUpAttention(root);
    for (const button of document.querySelectorAll("button.sort")) {
      button.addEventListener("click", () => sortBy(button));
    }
    for (const input of document.querySelectorAll(".filter input")) {
      input.addEventListener("input", () => filterRows(input));
    }
  }

  document.addEventListener("DOMContentLoaded", start);
})();
