"use strict";
// The same maps as CircuitsVis draws them, whose script is loaded when they are asked for.
(() => {
  const MOST_CELLS = 160000; // of all maps together: more take it minutes
  const BESIDE = document.currentScript.src;
  let drawn = 0;
  let loading = null;

  function beside() {
    return new Promise((resolve, reject) => {
      const script = document.createElement("script");
      script.addEventListener("load", resolve);
      script.addEventListener("error", () => reject(new Error("CircuitsVis is missing beside the page.")));
      script.src = new URL("circuitsvis.js", BESIDE).href;
      document.head.append(script);
    });
  }

  // `views`: of the heads, as attention.js has them; `open`: name of the head that is to be large.
  async function show(box, views, open) {
    const turn = (box.turn = (box.turn ?? 0) + 1);
    const room = Math.floor(MOST_CELLS / (views[0]?.size ?? 1) ** 2);
    if (!room) return box.replaceChildren("These maps are too large for CircuitsVis: choose groups of positions.");
    try {
      await (loading ??= mcinterp.wall.load());
    } catch (error) {
      return box.replaceChildren(error.message);
    }
    // Another choice may have been made while the script was loading.
    return turn === box.turn && views.length ? draw(box, views.slice(0, room), open) : undefined;
  }

  function draw(box, views, open) {
    const target = document.createElement("div");
    target.id = `circuitsvis-${++drawn}`;
    box.classList.toggle("dark", mcinterp.isDark());
    box.replaceChildren(target);
    const names = views.map(({ head }) => [head.name, ...head.classes.map(([name]) => name)].join(" · "));
    // CircuitsVis has one scale for all heads: the maps are divided by where theirs end.
    const shares = views.map(({ values, size, end }) =>
      Array.from({ length: size }, (_, row) => Array.from(values.subarray(row * size, (row + 1) * size), (value) => value / end)));
    CircuitsVis.render(target.id, CircuitsVis.AttentionHeads, {
      attention: shares,
      attentionHeadNames: names,
      tokens: views[0].tokens,
      minValue: -1,
      maxValue: 1,
      positiveColor: "#005A8C",
      negativeColor: "#D55E00",
      maskUpperTri: false,
    });
    watch(target, names, views.findIndex(({ head }) => head.name === open));
  }

  // Its small maps answer the mouse only, and its canvases have no names; the large one is drawn anew for each head.
  function watch(target, names, open) {
    let ready = false;
    const observer = new MutationObserver(() => {
      for (const canvas of target.querySelectorAll("canvas:not([aria-label])")) {
        canvas.setAttribute("aria-label", "attention map; the numbers are in the table below");
      }
      const titles = target.querySelectorAll("h4");
      if (ready || titles.length !== names.length) return;
      ready = true;
      const tiles = Array.from(titles, (title) => title.parentElement.parentElement);
      tiles.forEach((tile, index) => makeButton(tile, names[index]));
      tiles[open]?.click();
    });
    observer.observe(target, { childList: true, subtree: true });
  }

  function makeButton(tile, name) {
    Object.assign(tile, { tabIndex: 0, title: name });
    tile.setAttribute("role", "button");
    tile.setAttribute("aria-label", `Show ${name} large`);
    tile.addEventListener("keydown", (event) => {
      if (event.key !== "Enter" && event.key !== " ") return;
      tile.click();
      event.preventDefault();
    });
  }

  mcinterp.wall = { show, load: beside };
})();
