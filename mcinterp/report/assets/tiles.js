"use strict";
// Every head as a button, a row of them for each layer: name and classes, its pattern (queries down, keys across), and
// beside it where the chosen query looks, on the grid of positions or along their line.
(() => {
  const SIDE = 96; // pixels of a drawing of where a query looks, about
  const DARK = 0.5; // share of the full colour from which the page's colour is read better on it

  function element(name, text = "", attributes = {}) {
    const made = document.createElement(name);
    made.textContent = text;
    for (const [key, value] of Object.entries(attributes)) made.setAttribute(key, value);
    return made;
  }

  // Gives a tile for each head; `open(head)` is called by a click.
  function build(box, heads, open) {
    const tiles = heads.map((head, index) => tile(head, () => open(index)));
    const layers = [...new Set(heads.map((head) => head.layer))];
    box.replaceChildren(...layers.map((layer) => row(layer, tiles.filter((each) => each.head.layer === layer))));
    return tiles;
  }

  function row(layer, tiles) {
    const made = element("div", "", { class: "layer", role: "group", "aria-label": `Heads of layer ${layer}` });
    const buttons = element("div", "", { class: "head-row" });
    buttons.style.setProperty("--heads", tiles.length);
    buttons.append(...tiles.map((each) => each.button));
    made.append(element("h3", `Layer ${layer}`), buttons);
    return made;
  }

  function tile(head, open) {
    const button = element("button", "", { type: "button", class: "head", "aria-expanded": "false" });
    button.addEventListener("click", open);
    const [pattern, looks, frame, marker] = ["canvas", "canvas", "span", "span"].map((name) => element(name));
    pattern.setAttribute("aria-hidden", "true");
    looks.setAttribute("aria-hidden", "true");
    Object.assign(frame, { className: "pattern" });
    Object.assign(marker, { className: "query" });
    Object.assign(looks, { className: "looks" });
    frame.append(pattern, marker);
    const views = element("span", "", { class: "views" });
    views.append(frame, looks);
    const most = element("span", "", { class: "most" });
    button.append(element("b", head.name), " ", ...labels(head), most, views);
    return { head, button, pattern, looks, marker, most };
  }

  // The classes of a head, each with its colour.
  function labels({ classes }) {
    return classes.flatMap(([name, colour]) => {
      const label = element("span", "", { class: "class" });
      const swatch = element("span", "", { class: "swatch", "aria-hidden": "true" });
      swatch.style.background = colour;
      label.append(swatch, name);
      return [label, " "];
    });
  }

  // `view`: what `attention.js` shows of a head.
  function paint(tile, { size, values, end }) {
    tile.button.classList.toggle("unloaded", !values);
    mcinterp.cells.paint(tile.pattern, size, size, (cell) => values?.[cell] ?? 0, end);
  }

  function paintQuery(tile, view) {
    tile.marker.style.top = `${(100 * view.query) / view.size}%`;
    tile.marker.style.height = `${100 / view.size}%`;
    const cell = Math.max(3, Math.round(SIDE / Math.max(view.layout.rows, view.layout.cols)));
    drawLooks(tile.looks, view, view.layout.rows > 1 ? [cell, cell] : [cell, 14]);
    tile.looks.classList.toggle("strip", view.layout.rows === 1);
    tile.most.textContent = view.values ? most(view) : "not loaded";
  }

  // Where the query looks most.
  function most({ values, size, query, tokens }) {
    const shares = values.subarray(query * size, (query + 1) * size);
    const at = shares.reduce((best, share, key) => (share > shares[best] ? key : best), 0);
    return `most at ${tokens[at]}: ${shares[at].toPrecision(2)}`;
  }

  // The keys of the chosen query where they lie; a dot marks what the family of inputs marks, a frame the query.
  function drawLooks(canvas, view, [width, height], numbers = false) {
    const ratio = Math.max(1, Math.round(window.devicePixelRatio || 1));
    const { rows, cols, places } = view.layout;
    Object.assign(canvas, { width: cols * width * ratio, height: rows * height * ratio });
    const context = canvas.getContext("2d");
    context.scale(ratio, ratio);
    const style = getComputedStyle(document.documentElement);
    const [ink, paper, mark, line] = ["--ink", "--paper", "--query", "--line"].map((name) => style.getPropertyValue(name));
    const [above] = mcinterp.cells.colours();
    places.forEach(([row, col], key) => {
      const [x, y] = [col * width, row * height];
      const value = view.values?.[view.query * view.size + key] ?? 0;
      const share = mcinterp.cells.opacity(value, view.end);
      context.fillStyle = `rgba(${above}, ${share})`;
      context.fillRect(x, y, width, height);
      if (rows > 1) outline(context, line, 1, x, y, width, height);
      context.fillStyle = share > DARK ? paper : ink;
      if (view.marked.has(key)) dot(context, x + width / 2, y + height * (numbers ? 0.8 : 0.5), Math.min(width, height));
      if (numbers) write(context, value, x + width / 2, y + height / 2);
    });
    const [row, col] = places[view.query];
    outline(context, mark, 2, col * width, row * height, width, height);
  }

  function outline(context, colour, thick, x, y, width, height) {
    Object.assign(context, { strokeStyle: colour, lineWidth: thick });
    context.strokeRect(x + thick / 2, y + thick / 2, width - thick, height - thick);
  }

  function dot(context, x, y, side) {
    const size = Math.max(1.5, side / 7);
    context.fillRect(x - size / 2, y - size / 2, size, size);
  }

  function write(context, value, x, y) {
    Object.assign(context, { font: "11px system-ui, sans-serif", textAlign: "center", textBaseline: "middle" });
    context.fillText(value < 0.005 ? "0" : value.toFixed(2).replace(/^0/, ""), x, y);
  }

  mcinterp.tiles = { build, paint, paintQuery, drawLooks, labels, element };
})();
