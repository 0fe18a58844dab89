"use strict";
// Every head as a tile: its whole pattern (query × key), and where the chosen entry looks, as a map of the matrix.
const Heads = (() => {
  const { element } = Grid;
  const SIDE = 76; // CSS pixels that a map has, about

  // `ablate(heads, event)` is told of the heads, as [layer, head] pairs, that a click is about; `point(head)` of the head
  // that is pointed at, or null.
  function build(box, shape, rows, cols, hooks) {
    const n = rows * cols;
    const whole = n * Math.max(1, Math.round(SIDE / n));
    const scale = { n, rows, cols, whole, cell: Math.max(4, Math.floor((0.87 * whole) / Math.max(rows, cols))) };
    const layers = Array.from({ length: shape.n_layers }, (_, layer) => {
      const own = Array.from({ length: shape.n_heads }, (_, head) => [layer, head]);
      const button = element("button", `Layer ${layer}`, { type: "button", class: "layer" });
      button.addEventListener("click", (event) => hooks.ablate(own, event));
      const tiles = own.map((head) => tile(head, scale, hooks));
      const group = element("div", "", { class: "tiles", role: "group", "aria-label": `Heads of layer ${layer}` });
      group.append(...tiles.map((each) => each.button));
      const section = element("div", "", { class: "layer-row" });
      section.append(button, group);
      box.append(section);
      return { button, tiles };
    });
    return { layers, scale };
  }

  function tile([layer, head], scale, hooks) {
    const name = `L${layer}H${head}`;
    const button = element("button", "", { type: "button", class: "head", "aria-pressed": "false" });
    button.addEventListener("click", (event) => hooks.ablate([[layer, head]], event));
    for (const kind of ["pointerenter", "focus"]) button.addEventListener(kind, () => hooks.point([layer, head]));
    const pattern = canvas(scale.n, scale.n, scale.whole, scale.whole);
    const [width, height] = [scale.cols * scale.cell, scale.rows * scale.cell];
    const ratio = Math.max(1, Math.round(window.devicePixelRatio || 1));
    const map = canvas(width * ratio, height * ratio, width, height);
    map.getContext("2d").scale(ratio, ratio);
    const frame = element("span", "", { class: "pattern" });
    const marker = element("span", "", { class: "query" });
    marker.style.height = `${100 / scale.n}%`;
    frame.append(pattern, marker);
    const title = element("span", "", { class: "name" });
    const note = element("span", "", { class: "most" });
    title.append(element("b", name), note);
    const maps = element("span", "", { class: "maps" });
    maps.append(frame, map);
    button.append(title, maps);
    return { name, button, pattern, marker, map, note };
  }

  function canvas(width, height, shownWidth, shownHeight) {
    const made = element("canvas", "", { width, height, "aria-hidden": "true" });
    Object.assign(made.style, { width: `${shownWidth}px`, height: `${shownHeight}px` });
    return made;
  }

  // Takes in what is to be painted; gives the largest share.
  function show(built, patterns, { ablated, method }, scaling) {
    const largest = Math.max(...patterns.map((layer) => Math.max(...layer.map(maximum))));
    built.layers.forEach(({ button, tiles }, layer) => {
      const gone = ablated[layer].filter(Boolean).length;
      button.setAttribute("aria-pressed", gone === tiles.length ? "true" : gone ? "mixed" : "false");
      tiles.forEach((each, head) => {
        each.attention = patterns[layer][head];
        each.end = scaling === "own" ? maximum(each.attention) : largest * Number(scaling);
        each.button.setAttribute("aria-pressed", String(Boolean(ablated[layer][head])));
        each.way = ablated[layer][head] ? Said.WAYS[method] : null;
      });
    });
    return largest;
  }

  // Marks the tile of the head whose look is drawn onto the matrix; null for none.
  function choose(built, chosen) {
    built.layers.forEach(({ tiles }, layer) =>
      tiles.forEach(({ button }, head) => {
        button.classList.toggle("looking", Boolean(chosen) && chosen[0] === layer && chosen[1] === head);
      }),
    );
  }

  function maximum(attention) {
    let largest = 0;
    for (const share of attention) if (share > largest) largest = share;
    return largest;
  }

  function paintPatterns(built, colours) {
    for (const { tiles } of built.layers) for (const each of tiles) paintPattern(each, built.scale.n, colours);
  }

  function paintPattern(each, n, { words }) {
    const context = each.pattern.getContext("2d");
    const image = context.createImageData(n, n);
    const pixels = new Uint32Array(image.data.buffer);
    for (let at = 0; at < pixels.length; at++) pixels[at] = words[shade(each.attention[at] / each.end)];
    context.putImageData(image, 0, 0);
  }

  const shade = (share) => (share > 0 ? Math.round(255 * Math.min(1, share)) : 0);

  // From the page's colour (no attention) to that of attention, in 256 shades: as channels, in CSS and as pixels.
  function shades(page, attention) {
    const mixed = Array.from({ length: 256 }, (_, at) =>
      page.map((channel, i) => Math.round(channel + (at / 255) * (attention[i] - channel))),
    );
    const bytes = Uint8Array.from(mixed.flatMap((channels) => [...channels, 255]));
    return { channels: mixed, css: mixed.map((channels) => `rgb(${channels})`), words: new Uint32Array(bytes.buffer) };
  }

  // Where the chosen entry looks, for every head.
  function paintMaps(built, entry, observed, colours) {
    for (const { tiles } of built.layers) for (const each of tiles) paintMap(each, built.scale, entry, observed, colours);
  }

  function paintMap(each, { n, cols, cell }, entry, observed, colours) {
    const context = each.map.getContext("2d");
    const shares = each.attention.subarray(entry * n, (entry + 1) * n);
    let most = 0;
    shares.forEach((share, key) => {
      if (share > shares[most]) most = key;
      const [x, y] = [(key % cols) * cell, Math.floor(key / cols) * cell];
      const at = shade(share / each.end);
      context.fillStyle = colours.css[at];
      context.fillRect(x, y, cell, cell);
      if (observed[key]) return;
      // A dot marks a masked entry, as in the report's drawings of masks.
      const [red, green, blue] = colours.channels[at];
      const bright = 0.2126 * red + 0.7152 * green + 0.0722 * blue > 128;
      context.fillStyle = bright ? "#1F2933" : "#FFFFFF";
      const dot = Math.max(1, Math.round(cell / 6));
      context.fillRect(x + (cell - dot) / 2, y + (cell - dot) / 2, dot, dot);
    });
    context.strokeStyle = colours.mark;
    context.lineWidth = 2;
    context.strokeRect((entry % cols) * cell + 1, Math.floor(entry / cols) * cell + 1, cell - 2, cell - 2);
    each.marker.style.top = `${(100 * entry) / n}%`;
    describe(each, cols, entry, most, shares[most]);
  }

  function describe(each, cols, entry, most, share) {
    const place = (at) => `${Math.floor(at / cols)},${at % cols}`;
    each.note.textContent = each.way ? each.way.tile : `${place(most)}: ${Numbers.fixed(share, 2)}`;
    const says = each.way
      ? each.way.says
      : `entry ${place(entry)} attends most to ${place(most)}, ${Numbers.fixed(share, 2)}`;
    each.button.setAttribute("aria-label", `${each.name}: ${says}`);
  }

  return { build, show, choose, shades, paintPatterns, paintMaps };
})();
