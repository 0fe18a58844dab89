"use strict";
// Draws small maps side by side, a byte a cell, in the colours of the theme, and reads out the cell pointed at.
(() => {
  const ZERO = 128;

  function setUp(root) {
    const data = JSON.parse(root.querySelector("script").textContent);
    const choice = root.querySelector(".map-choice");
    const scale = root.querySelector(".map-scale");
    const tiles = [...root.querySelectorAll(".tile")].map((link) => ({ link, href: link.getAttribute("href") }));
    const wanted = data.choices.findIndex((one) => one.name === mcinterp.place()[data.key]);
    if (choice && wanted >= 0) choice.value = String(wanted);
    const chosen = () => data.choices[choice ? Number(choice.value) : 0];
    const redraw = () => drawAll(root, tiles, data.key, chosen(), scale.value === "own");
    choice?.addEventListener("change", () => {
      mcinterp.keep({ at: root.closest("section").id, [data.key]: chosen().name });
      redraw();
    });
    scale.addEventListener("change", redraw);
    document.addEventListener("mcinterp-theme", redraw);
    tiles.forEach(({ link }, index) => {
      link.addEventListener("mousemove", (event) => tell(root, link, chosen(), index, event));
      link.addEventListener("mouseleave", () => { root.querySelector(".reading").textContent = "\u00a0"; });
    });
    redraw();
  }

  function bytes(map) {
    map.cells ??= Uint8Array.from(atob(map.data), (character) => character.charCodeAt(0));
    return map.cells;
  }

  const valueOf = (map, signed, cell) =>
    signed ? ((bytes(map)[cell] - ZERO) / (ZERO - 1)) * map.top : (bytes(map)[cell] / 255) * map.top;

  function drawAll(root, tiles, key, choice, own) {
    const drawn = choice.maps.filter((map) => map.data);
    const end = Math.max(1e-30, ...drawn.map((map) => map.top));
    tiles.forEach(({ link, href }, index) => {
      const map = choice.maps[index];
      const canvas = link.querySelector("canvas");
      canvas.setAttribute("aria-label", map.alt);
      link.href = key === "mask" ? `${href}&mask=${encodeURIComponent(choice.name)}` : href;
      link.classList.toggle("empty", !map.data);
      canvas.style.aspectRatio = `${choice.columns.length} / ${choice.rows.length}`;
      const top = own ? Math.max(1e-30, map.top) : end;
      const valueAt = map.data ? (cell) => valueOf(map, choice.signed, cell) : () => 0;
      mcinterp.cells.paint(canvas, choice.columns.length, choice.rows.length, valueAt, top);
    });
    const sides = choice.signed ? "blue is above 0, orange below" : "blue is above 0";
    const until = own ? "full colour is each step's own maximum" : `full colour is ${end.toPrecision(2)}`;
    root.querySelector(".scale-note").textContent = drawn.length
      ? `The page's own colour is 0, ${sides}, ${until}.`
      : "No step has this map stored.";
    root.querySelector(".colour-bar").hidden = !drawn.length;
    const high = own ? "its maximum" : end.toPrecision(2);
    mcinterp.cells.showBar(root.querySelector(".colour-bar"), choice.signed ? `−${high}` : "0", high, choice.signed);
  }

  function tell(root, link, choice, index, event) {
    const map = choice.maps[index];
    const box = link.querySelector("canvas").getBoundingClientRect();
    const column = Math.floor(((event.clientX - box.left) / box.width) * choice.columns.length);
    const row = Math.floor(((event.clientY - box.top) / box.height) * choice.rows.length);
    const within = map.data && column >= 0 && row >= 0 && column < choice.columns.length && row < choice.rows.length;
    if (!within) return;
    const value = valueOf(map, choice.signed, row * choice.columns.length + column);
    const parts = [`${choice.axes[0]} ${choice.rows[row]}`, `${choice.axes[1]} ${choice.columns[column]}`];
    const where = parts.map((part) => part.trim()).filter(Boolean).join(", ");
    root.querySelector(".reading").textContent = `${link.querySelector("span").textContent}, ${where}: ${value.toPrecision(2)}`;
  }

  document.addEventListener("DOMContentLoaded", () => document.querySelectorAll(".maps").forEach(setUp));
})();
