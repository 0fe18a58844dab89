"use strict";
// Attention maps: which family of inputs, layers and heads are drawn by CircuitsVis. The choice is part of the page's address.
(() => {
  const MOST_LINKS = 12;
  const ABOVE = "#005A8C";
  let drawn = 0;

  function setUp(root) {
    const data = JSON.parse(root.querySelector(".maps").textContent);
    const controls = {
      mask: root.querySelector(".family-choice"),
      layer: root.querySelector(".layer-choice"),
      scale: root.querySelector(".scale-choice"),
      find: root.querySelector(".head-search"),
      level: root.querySelector(".level-choice"),
      head: root.querySelector(".head-choice"),
    };
    const layers = [...new Set(data.layers)];
    controls.layer.append(new Option("all", "all"), ...layers.map((index) => new Option(String(index), String(index))));
    controls.head?.append(...data.heads.map((name, index) => new Option(name, String(index))));
    // Many large maps at once would take seconds to draw.
    if (data.maps.length && data.heads.length * data.size * data.size > 160000) controls.layer.value = "0";
    takeFromAddress(data, controls);
    for (const [name, control] of Object.entries(controls)) {
      control?.addEventListener(name === "find" ? "input" : "change", () => {
        keepInAddress(data, controls);
        draw(root, data, controls);
      });
    }
    draw(root, data, controls);
  }

  function takeFromAddress(data, controls) {
    const { mask, layer, scale, find, head, level } = mcinterp.place();
    const known = data.masks.indexOf(mask);
    if (known >= 0) controls.mask.value = String(known);
    if (head) controls.layer.value = "all";
    for (const [control, value] of [[controls.layer, layer], [controls.scale, scale]]) {
      if ([...control.options].some((option) => option.value === value)) control.value = value;
    }
    controls.find.value = find ?? "";
    takeHead(data, controls, level ?? (head ? "cells" : undefined));
  }

  // Of large maps, what is shown of them, and the head whose positions are.
  function takeHead(data, { level, head }, wanted) {
    if (!level) return;
    if ([...level.options].some((option) => option.value === wanted)) level.value = wanted;
    head.value = String(Math.max(0, data.heads.findIndex((name) => headOf(name) === mcinterp.place().head)));
  }

  function keepInAddress(data, { mask, layer, scale, find, level, head }) {
    const place = { at: "attention", mask: data.masks[mask.value], layer: layer.value, scale: scale.value, find: find.value };
    const one = level?.value === "cells" ? { head: headOf(data.heads[head.value]) } : {};
    mcinterp.keep({ ...place, level: level?.value, ...one });
  }

  function wantedHeads(data, { layer, find }) {
    const words = find.value.toLowerCase().split(/[\s,]+/).filter(Boolean);
    return data.heads
      .map((_, index) => index)
      .filter((index) => layer.value === "all" || data.layers[index] === Number(layer.value))
      .filter((index) => words.length === 0 || words.some((word) => data.heads[index].toLowerCase().includes(word)));
  }

  // What is drawn of large maps: the groups of a level, or one head, which has to be loaded.
  async function shownOf(data, { mask, level, head }) {
    if (data.maps.length) return data;
    if (level?.value !== "cells") return { ...data, ...data.levels.find((one) => one.name === level?.value) };
    const at = `${mask.value}-${head.value}.js`;
    const maps = { [mask.value]: { [head.value]: await mcinterp.packed.load(data.folder, at) } };
    return { ...data, maps, one: Number(head.value) };
  }

  async function draw(root, data, controls) {
    const mask = controls.mask.value;
    for (const figure of root.querySelectorAll(".pictures figure")) figure.hidden = figure.dataset.family !== mask;
    const turn = (root.turn = (root.turn ?? 0) + 1);
    const cells = controls.level?.value === "cells";
    if (controls.head) controls.head.parentElement.hidden = !cells;
    if (cells) {
      // A head that was chosen in a summary is the one whose positions are asked for.
      if (document.activeElement === controls.level) takeHead(data, controls, "cells");
      linkHeads(root, data, []);
    }
    const view = data.maps.length ? data : await shownOf(data, controls).catch((error) => ({ ...data, failed: error.message }));
    // Another choice may have been made while a map was loading.
    if (turn === root.turn) drawView(root, view, controls, mask);
  }

  function drawView(root, data, controls, mask) {
    const shown = data.one === undefined ? wantedHeads(data, controls) : [data.one];
    if (data.one === undefined) linkHeads(root, data, controls.find.value.trim() ? shown : []);
    const note = root.querySelector(".scale-note");
    const missing = data.failed ?? (mask in data.maps ? "" : "These maps are too large for a page that is one file; a report in a folder has them.");
    root.querySelector(".colour-bar").hidden = shown.length === 0 || Boolean(missing);
    if (shown.length === 0 || missing) {
      root.querySelector(".heads").replaceChildren();
      note.textContent = missing || "No head of this layer has these words in its name or classes.";
      return;
    }
    const own = controls.scale.value === "own";
    if (data.one !== undefined) {
      note.textContent = drawPositions(root, data, mask, own ? 1 : Number(controls.scale.value));
      return;
    }
    note.textContent = drawHeads(root, data, shown, mask, own, Number(controls.scale.value));
  }

  // One head with a pixel a cell: CircuitsVis takes minutes for hundreds of positions. Returns what the colours mean.
  function drawPositions(root, data, mask, share) {
    const rows = mcinterp.packed.rows(data.maps[mask][data.one], data.size);
    const end = Math.max(1e-6, data.maps[mask][data.one][1]) * share;
    const title = Object.assign(document.createElement("h4"), { textContent: data.heads[data.one] });
    const told = Object.assign(document.createElement("p"), { className: "hint", textContent: "\u00a0" });
    const canvas = Object.assign(document.createElement("canvas"), { width: data.size, height: data.size });
    canvas.style.cssText = "width:min(100%,800px);image-rendering:pixelated;border:1px solid";
    canvas.setAttribute("aria-label", "attention map; the numbers are in the table below");
    paint(canvas, rows, end);
    canvas.addEventListener("mousemove", (event) => {
      const [query, key] = [event.offsetY / canvas.clientHeight, event.offsetX / canvas.clientWidth]
        .map((at) => Math.floor(at * data.size));
      const value = rows[query]?.[key];
      if (value !== undefined) told.textContent = `query ${data.tokens[query]}, key ${data.tokens[key]}: ${value.toPrecision(2)}`;
    });
    root.querySelector(".heads").replaceChildren(title, told, canvas);
    return `White is 0, the darkest blue ${end.toPrecision(2)} and more.`;
  }

  function paint(canvas, rows, end) {
    const context = canvas.getContext("2d");
    const image = context.createImageData(canvas.width, canvas.height);
    rows.flat().forEach((value, cell) => {
      const white = 1 - Math.min(1, value / end);
      image.data.set([255 * white, 90 + 165 * white, 140 + 115 * white, 255], 4 * cell);
    });
    context.putImageData(image, 0, 0);
  }

  // Ways to the pages of the heads that were searched for or chosen.
  function linkHeads(root, data, found) {
    const names = found.length ? found.map((index) => headOf(data.heads[index])) : [mcinterp.place().head];
    const links = names.filter((name) => name in (data.pages ?? {})).slice(0, MOST_LINKS).map((name) => {
      const link = document.createElement("a");
      Object.assign(link, { href: data.pages[name], textContent: name });
      return link;
    });
    const parts = links.flatMap((link) => [" ", link]);
    root.querySelector(".head-links").replaceChildren(...(parts.length ? ["Over all steps:", ...parts] : []));
  }

  // Returns what the colours mean.
  function drawHeads(root, data, shown, mask, own, share) {
    const maps = shown.map((index) => mcinterp.packed.rows(data.maps[mask][index], data.size));
    const largest = maps.map((map) => Math.max(1e-6, ...map.map((row) => Math.max(...row))));
    const end = own ? 1 : Math.max(...largest) * share;
    const names = shown.map((index) => data.heads[index]);
    const target = document.createElement("div");
    target.id = `circuitsvis-${++drawn}`;
    target.className = "circuitsvis";
    root.querySelector(".heads").replaceChildren(target);
    CircuitsVis.render(target.id, CircuitsVis.AttentionHeads, {
      // CircuitsVis has one scale for all heads: for scales of their own the maps themselves are divided.
      attention: own ? maps.map((map, head) => map.map((row) => row.map((value) => value / largest[head]))) : maps,
      attentionHeadNames: names,
      tokens: data.tokens,
      minValue: -end,
      maxValue: end,
      positiveColor: ABOVE,
      negativeColor: "#D55E00",
      maskUpperTri: false,
    });
    whenDrawn(target, names.length, (tiles) => setUpTiles(tiles, names, () => linkHeads(root, data, [])));
    nameMaps(target);
    showBar(root.querySelector(".colour-bar"), own ? "its maximum" : `${end.toPrecision(2)}${share < 1 ? " and more" : ""}`);
    return own
      ? "White is 0, the darkest blue each head's own maximum; the values shown are fractions of it."
      : `White is 0, the darkest blue ${end.toPrecision(2)} and more.`;
  }

  // CircuitsVis draws on white, whatever the theme.
  function showBar(bar, end) {
    const [low, ramp, high] = bar.children;
    low.textContent = "0";
    ramp.style.background = `linear-gradient(to right, #fff, ${ABOVE})`;
    high.textContent = end;
    bar.setAttribute("aria-label", `Colours from 0, white, to ${end}, dark blue`);
  }

  function whenDrawn(target, n, then) {
    const observer = new MutationObserver(() => {
      const titles = target.querySelectorAll("h4");
      if (titles.length !== n) return;
      observer.disconnect();
      then(Array.from(titles, (title) => title.parentElement.parentElement));
    });
    observer.observe(target, { childList: true, subtree: true });
  }

  // Its canvases have no names for screen readers, and the large one is drawn anew for each head.
  function nameMaps(target) {
    const name = () => {
      for (const canvas of target.querySelectorAll("canvas:not([aria-label])")) {
        canvas.setAttribute("aria-label", "attention map; the numbers are in the table below");
      }
    };
    new MutationObserver(name).observe(target, { childList: true, subtree: true });
  }

  const headOf = (name) => name.split(" ")[0];

  // The library's small maps answer the mouse only.
  function setUpTiles(tiles, names, chosenOne) {
    tiles.forEach((tile, index) => {
      Object.assign(tile, { tabIndex: 0, title: names[index] });
      tile.setAttribute("role", "button");
      tile.setAttribute("aria-label", `Show ${names[index]} large`);
      tile.addEventListener("click", () => {
        mcinterp.keep({ at: "attention", head: headOf(names[index]) });
        chosenOne();
      });
      tile.addEventListener("keydown", (event) => onKey(event, tiles, index));
    });
    const chosen = names.findIndex((name) => headOf(name) === mcinterp.place().head);
    if (chosen >= 0) tiles[chosen].click();
  }

  function onKey(event, tiles, index) {
    const columns = tiles.filter((tile) => tile.offsetTop === tiles[0].offsetTop).length;
    const moves = { ArrowRight: 1, ArrowLeft: -1, ArrowDown: columns, ArrowUp: -columns };
    if (event.key === "Enter" || event.key === " ") tiles[index].click();
    else if (event.key in moves) tiles[index + moves[event.key]]?.focus();
    else return;
    event.preventDefault();
    event.stopPropagation();
  }

  document.addEventListener("DOMContentLoaded", () => document.querySelectorAll(".attention").forEach(setUp));
})();
