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
    };
    const layers = [...new Set(data.layers)];
    controls.layer.append(new Option("all", "all"), ...layers.map((index) => new Option(String(index), String(index))));
    // Many large maps at once would take seconds to draw.
    if (data.heads.length * data.size * data.size > 160000) controls.layer.value = "0";
    takeFromAddress(data, controls);
    for (const [name, control] of Object.entries(controls)) {
      control.addEventListener(name === "find" ? "input" : "change", () => {
        keepInAddress(data, controls);
        draw(root, data, controls);
      });
    }
    draw(root, data, controls);
  }

  function takeFromAddress(data, controls) {
    const { mask, layer, scale, find, head } = mcinterp.place();
    const known = data.masks.indexOf(mask);
    if (known >= 0) controls.mask.value = String(known);
    if (head) controls.layer.value = "all";
    for (const [control, value] of [[controls.layer, layer], [controls.scale, scale]]) {
      if ([...control.options].some((option) => option.value === value)) control.value = value;
    }
    controls.find.value = find ?? "";
  }

  function keepInAddress(data, { mask, layer, scale, find }) {
    mcinterp.keep({ at: "attention", mask: data.masks[mask.value], layer: layer.value, scale: scale.value, find: find.value });
  }

  function wantedHeads(data, { layer, find }) {
    const words = find.value.toLowerCase().split(/[\s,]+/).filter(Boolean);
    return data.heads
      .map((_, index) => index)
      .filter((index) => layer.value === "all" || data.layers[index] === Number(layer.value))
      .filter((index) => words.length === 0 || words.some((word) => data.heads[index].toLowerCase().includes(word)));
  }

  function square(flat, size) {
    const rows = [];
    for (let start = 0; start < flat.length; start += size) {
      rows.push(flat.slice(start, start + size).map((value) => value / 1000));
    }
    return rows;
  }

  function draw(root, data, controls) {
    const mask = controls.mask.value;
    for (const figure of root.querySelectorAll(".pictures figure")) figure.hidden = figure.dataset.family !== mask;
    const shown = wantedHeads(data, controls);
    linkHeads(root, data, controls.find.value.trim() ? shown : []);
    const note = root.querySelector(".scale-note");
    root.querySelector(".colour-bar").hidden = shown.length === 0;
    if (shown.length === 0) {
      root.querySelector(".heads").replaceChildren();
      note.textContent = "No head of this layer has these words in its name or classes.";
      return;
    }
    const own = controls.scale.value === "own";
    note.textContent = drawHeads(root, data, shown, mask, own, Number(controls.scale.value));
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
    const maps = shown.map((index) => square(data.maps[mask][index], data.size));
    const largest = maps.map((map) => Math.max(0.001, ...map.map((row) => Math.max(...row))));
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
