"use strict";
// One head large, below its layer: the pattern with the names of its positions, and where the chosen query looks.
(() => {
  const { element, labels, drawLooks } = mcinterp.tiles;
  const NAME = 12; // pixels that a name takes along an axis
  const SIDE = 400; // pixels of the drawing of where the query looks, about

  // `hooks`: point(query, key), key(event), close().
  function build(head, hooks) {
    const box = element("div", "", { class: "large", role: "group", "aria-label": `${head.name}, large` });
    const title = element("h3", `${head.name} `);
    title.append(...labels(head));
    const close = element("button", "Close", { type: "button" });
    close.addEventListener("click", hooks.close);
    const top = element("div", "", { class: "top" });
    top.append(title, close);
    const [axes, keys, queries, frame] = ["axes", "keys", "queries", "pattern"].map((name) => element("div", "", { class: name }));
    const pattern = element("canvas", "", { tabindex: 0, role: "application", "aria-roledescription": "attention map" });
    const marker = element("span", "", { class: "query" });
    const looks = element("canvas", "", { class: "looks", role: "img" });
    frame.append(pattern, marker);
    axes.append(element("span", "query ↓ key →", { class: "corner" }), keys, queries, frame);
    const plots = element("div", "", { class: "plots" });
    plots.append(axes, looks);
    box.append(top, plots);
    const built = { head, box, axes, keys, queries, pattern, marker, looks, plots };
    listen(built, hooks);
    return built;
  }

  function listen(built, hooks) {
    built.pattern.addEventListener("keydown", hooks.key);
    built.pattern.addEventListener("pointermove", (event) => hooks.point(...cellOf(event, built.view.size, built.view.size)));
    built.looks.addEventListener("pointermove", (event) => hooks.point(built.view.query, positionAt(event, built.view.layout)));
    built.looks.addEventListener("click", (event) => hooks.point(positionAt(event, built.view.layout), null));
  }

  // Row and column of the cell that is pointed at.
  function cellOf(event, rows, cols) {
    const box = event.target.getBoundingClientRect();
    const share = [(event.clientY - box.top) / box.height, (event.clientX - box.left) / box.width];
    return [rows, cols].map((size, axis) => Math.min(size - 1, Math.max(0, Math.floor(share[axis] * size))));
  }

  function positionAt(event, { rows, cols, places }) {
    const [row, col] = cellOf(event, rows, cols);
    const found = places.findIndex((place) => place[0] === row && place[1] === col);
    return found < 0 ? null : found;
  }

  function paint(built, view) {
    const { size, values, end } = view;
    built.view = view;
    mcinterp.cells.paint(built.pattern, size, size, (cell) => values?.[cell] ?? 0, end);
    const every = Math.ceil((size * NAME) / Math.max(NAME, built.pattern.clientWidth));
    built.keys.replaceChildren(...names(view, every, "gridTemplateColumns", built.keys));
    built.queries.replaceChildren(...names(view, every, "gridTemplateRows", built.queries));
  }

  // As many names as there is room for, the first of every few.
  function names({ size, tokens, marked }, every, template, axis) {
    const shown = tokens.map((token, at) => [token, at]).filter(([, at]) => at % every === 0);
    axis.style[template] = shown.map(([, at]) => `minmax(0, ${Math.min(every, size - at)}fr)`).join(" ");
    return shown.map(([token, at]) => element("span", token, { class: marked.has(at) && every === 1 ? "marked" : "" }));
  }

  function paintQuery(built, view) {
    built.view = view;
    const strip = view.layout.rows === 1;
    built.marker.style.top = `${(100 * view.query) / view.size}%`;
    built.marker.style.height = `${100 / view.size}%`;
    (strip ? built.axes : built.plots).append(built.looks);
    built.looks.classList.toggle("strip", strip);
    const cell = Math.max(4, Math.min(48, Math.round(SIDE / view.layout.cols)));
    drawLooks(built.looks, view, strip ? [cell, 24] : [cell, cell], !strip && cell >= 30);
    built.pattern.setAttribute("aria-label", `Pattern of ${built.head.name}, queries down, keys across; arrow keys read it`);
    built.looks.setAttribute("aria-label", `Where query ${view.tokens[view.query]} looks in ${built.head.name}`);
  }

  mcinterp.large = { build, paint, paintQuery, cellOf, positionAt };
})();
