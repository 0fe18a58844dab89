"use strict";
// The viewer of attention: which family of inputs, groups of positions, query and heads are shown. The choice is part of
// the page's address, so that it is kept from step to step.
(() => {
  const { tiles, large, cells, packed } = mcinterp;
  const NONE = new Set();
  const MOST_LINKS = 12;
  const LATER = 100; // milliseconds that a moving query rests before the address has it: browsers count its changes

  function setUp(root) {
    const data = JSON.parse(root.querySelector(".stored").textContent);
    const of = (name) => root.querySelector(name);
    const controls = { level: of(".level-choice"), query: of(".query-choice"), scale: of(".scale-choice") };
    Object.assign(controls, { find: of(".head-search"), wall: of(".circuitsvis-choice") });
    const families = data.families.map((family) => ({ ...family, marked: new Set(family.marked) }));
    const levels = data.levels.map((level) => ({ ...level, beside: !level.maps.length, layout: layoutOf(level, data.places) }));
    const viewer = { root, data, controls, families, levels, family: 0, query: data.positions >> 1, key: null, head: 0, open: null };
    viewer.tiles = tiles.build(of(".heads"), data.heads, (head) => openHead(viewer, viewer.open?.index === head ? null : head));
    takeFromAddress(viewer);
    listen(viewer);
    fillQueries(viewer);
    redraw(viewer);
  }

  // Where positions lie; groups of them, and those that are in no grid, stand in a line.
  function layoutOf(level, places) {
    const own = level.groups.length || !places ? Array.from({ length: level.size }, (_, at) => [0, at]) : places;
    const [rows, cols] = [0, 1].map((axis) => 1 + Math.max(...own.map((place) => place[axis])));
    return { places: own, rows, cols };
  }

  // What is chosen -------------------------------------------------------------------------------------------------

  const levelOf = (viewer) => viewer.levels.find((level) => level.name === viewer.controls.level.value);
  const mapOf = (viewer, head) => levelOf(viewer).maps[viewer.family]?.[head];
  const queryOf = (viewer) => levelOf(viewer).groups[viewer.query] ?? viewer.query;
  const shown = (viewer) => viewer.tiles.map((_, head) => head).filter((head) => !viewer.tiles[head].button.hidden);

  // What is drawn of a head.
  function viewOf(viewer, head) {
    const level = levelOf(viewer);
    const map = mapOf(viewer, head);
    if (map) map.cells ??= packed.cells(map);
    const marked = level.groups.length ? NONE : viewer.families[viewer.family].marked;
    const { size, tokens, layout } = level;
    return { size, tokens, layout, marked, values: map?.cells, end: endOf(viewer, map), query: queryOf(viewer) };
  }

  // Where the colours of a map end.
  function endOf(viewer, map) {
    const { top, end } = levelOf(viewer);
    const scale = viewer.controls.scale.value;
    return Math.max(1e-6, { own: map?.[1] ?? top, step: top }[scale] ?? end * Number(scale));
  }

  function takeFromAddress(viewer) {
    const { mask, level, scale, find, head, query, view } = mcinterp.place();
    const { controls, data } = viewer;
    viewer.family = Math.max(0, viewer.families.findIndex((family) => family.name === mask));
    // Of large maps, an address of a head asks for its positions.
    take(controls.level, level ?? (head ? "cells" : undefined));
    take(controls.scale, scale);
    controls.find.value = find ?? "";
    controls.wall.checked = view === "circuitsvis";
    const position = data.names.indexOf(query);
    if (position >= 0) viewer.query = position;
    const index = data.heads.findIndex((one) => one.name === head);
    if (index >= 0) openHead(viewer, index, false);
  }

  function take(control, wanted) {
    if ([...control.options].some((option) => option.value === wanted)) control.value = wanted;
  }

  function keep(viewer) {
    clearTimeout(viewer.waits);
    const { controls, data, families, family, query, open } = viewer;
    const choice = { mask: families[family].name, level: controls.level.value, scale: controls.scale.value };
    const where = { query: data.names[query], head: open?.head.name ?? "", find: controls.find.value };
    mcinterp.keep({ at: "attention", ...choice, ...where, view: controls.wall.checked ? "circuitsvis" : "" });
  }

  function keepSoon(viewer) {
    clearTimeout(viewer.waits);
    viewer.waits = setTimeout(() => keep(viewer), LATER);
  }

  // What the reader does --------------------------------------------------------------------------------------------

  function listen(viewer) {
    const { root, controls } = viewer;
    const changed = () => {
      keep(viewer);
      redraw(viewer);
    };
    for (const control of [controls.scale, controls.wall]) control.addEventListener("change", changed);
    controls.find.addEventListener("input", changed);
    controls.level.addEventListener("change", () => {
      viewer.key = null;
      fillQueries(viewer);
      changed();
    });
    controls.query.addEventListener("change", () => choose(viewer, Number(controls.query.value), null));
    root.querySelectorAll(".family-choice").forEach((radio, family) => {
      radio.addEventListener("change", () => {
        viewer.family = family;
        changed();
      });
    });
    root.querySelector(".heads").addEventListener("pointermove", (event) => pointAt(viewer, event));
    viewer.tiles.forEach(({ button }, head) => {
      button.addEventListener("keydown", (event) => onKey(viewer, event));
      button.addEventListener("focus", () => { viewer.head = head; });
    });
    document.addEventListener("mcinterp-theme", () => redraw(viewer));
  }

  function pointAt(viewer, event) {
    const head = viewer.tiles.findIndex(({ pattern, looks }) => event.target === pattern || event.target === looks);
    const { size, layout, query } = viewOf(viewer, Math.max(0, head));
    if (head < 0) return;
    viewer.head = head;
    if (event.target === viewer.tiles[head].pattern) choose(viewer, ...large.cellOf(event, size, size));
    else choose(viewer, query, large.positionAt(event, layout));
  }

  // A query and a key of the level that is shown.
  function choose(viewer, query, key) {
    if (query === null) return;
    const { groups } = levelOf(viewer);
    if (queryOf(viewer) !== query) viewer.query = groups.length ? groups.indexOf(query) : query;
    viewer.key = key;
    keepSoon(viewer);
    viewer.frame ??= requestAnimationFrame(() => {
      viewer.frame = null;
      moved(viewer);
    });
  }

  const ARROWS = { ArrowUp: [-1, 0], ArrowDown: [1, 0], ArrowLeft: [0, -1], ArrowRight: [0, 1] };

  // On a head arrows move the query as positions lie; on the large pattern they go from cell to cell.
  function onKey(viewer, event) {
    if (event.key === "Escape" && viewer.open) openHead(viewer, null);
    else if (event.key in ARROWS) move(viewer, ARROWS[event.key], event.target === viewer.open?.pattern);
    else return;
    event.preventDefault();
    event.stopPropagation();
  }

  function move(viewer, [down, right], reads) {
    const { size, layout } = levelOf(viewer);
    const query = queryOf(viewer);
    const within = (at) => Math.min(size - 1, Math.max(0, at));
    if (reads) return choose(viewer, within(query + down), within((viewer.key ?? 0) + right));
    if (layout.rows === 1) return choose(viewer, within(query + down + right), viewer.key);
    const [row, col] = layout.places[query];
    const next = layout.places.findIndex((place) => place[0] === row + down && place[1] === col + right);
    return choose(viewer, next < 0 ? query : next, viewer.key);
  }

  function openHead(viewer, head, asked = true) {
    const before = viewer.open;
    before?.box.remove();
    before?.button.setAttribute("aria-expanded", "false");
    viewer.open = head === null ? null : opened(viewer, head);
    if (!asked) return;
    keep(viewer);
    redraw(viewer);
    if (head === null) before?.button.focus();
  }

  function opened(viewer, head) {
    const hooks = {
      point: (query, key) => {
        viewer.head = head;
        choose(viewer, query, key);
      },
      key: (event) => {
        viewer.head = head;
        onKey(viewer, event);
      },
      close: () => openHead(viewer, null),
    };
    const { button } = viewer.tiles[head];
    button.setAttribute("aria-expanded", "true");
    const built = { ...large.build(viewer.data.heads[head], hooks), index: head, button };
    button.closest(".layer").after(built.box);
    viewer.head = head;
    return built;
  }

  // Drawing ---------------------------------------------------------------------------------------------------------

  function fillQueries(viewer) {
    viewer.controls.query.replaceChildren(...levelOf(viewer).tokens.map((token, at) => new Option(token, String(at))));
  }

  function redraw(viewer) {
    const { root, controls, families, family } = viewer;
    const words = controls.find.value.toLowerCase().split(/[\s,]+/).filter(Boolean);
    for (const { head, button } of viewer.tiles) {
      const text = [head.name, ...head.classes.map(([name]) => name)].join(" ").toLowerCase();
      button.hidden = words.length > 0 && !words.some((word) => text.includes(word));
    }
    for (const layer of root.querySelectorAll(".layer")) layer.hidden = !layer.querySelector(".head:not([hidden])");
    root.querySelectorAll(".family-choice")[family].checked = true;
    root.querySelectorAll(".pictures figure").forEach((figure, at) => { figure.hidden = at !== family; });
    root.style.setProperty("--ticks", levelOf(viewer).groups.length ? "none" : ticks(families[family].marked, levelOf(viewer).size));
    loadOpen(viewer);
    for (const head of shown(viewer)) tiles.paint(viewer.tiles[head], viewOf(viewer, head));
    if (viewer.open) large.paint(viewer.open, viewOf(viewer, viewer.open.index));
    tellScale(viewer);
    linkHeads(viewer, words);
    showWall(viewer);
    moved(viewer);
  }

  // The stops of a gradient along an axis that has a tick at each marked position.
  function ticks(marked, size) {
    if (!marked.size) return "none";
    const stops = Array.from({ length: size }, (_, at) => {
      const colour = marked.has(at) ? "var(--ink)" : "transparent";
      return `${colour} ${(100 * at) / size}% ${(100 * (at + 1)) / size}%`;
    });
    return stops.join(", ");
  }

  // Large maps stand beside the page; the open head's is loaded, the first one's where none is open.
  async function loadOpen(viewer) {
    const level = levelOf(viewer);
    if (!level.beside) return;
    if (!viewer.open) openHead(viewer, shown(viewer)[0] ?? 0, false);
    const { family, open } = viewer;
    if (mapOf(viewer, open.index)) return;
    try {
      const map = await packed.load(viewer.data.folder, `${family}-${open.index}.js`);
      (level.maps[family] ??= {})[open.index] = map;
      redraw(viewer);
    } catch (error) {
      viewer.root.querySelector(".scale-note").textContent = error.message;
    }
  }

  // The query has moved.
  function moved(viewer) {
    for (const head of shown(viewer)) tiles.paintQuery(viewer.tiles[head], viewOf(viewer, head));
    if (viewer.open) large.paintQuery(viewer.open, viewOf(viewer, viewer.open.index));
    viewer.controls.query.value = String(queryOf(viewer));
    viewer.root.querySelector(".reading").textContent = read(viewer);
  }

  function read(viewer) {
    const { key, head } = viewer;
    const { values, size, tokens, query, marked } = viewOf(viewer, head);
    if (key === null || !values) return "\u00a0";
    const mark = marked.has(key) ? ` (${viewer.families[viewer.family].mark})` : "";
    const value = values[query * size + key].toPrecision(2);
    return `${viewer.data.heads[head].name}: query ${tokens[query]}, key ${tokens[key]}${mark}: ${value}`;
  }

  function tellScale(viewer) {
    const { root, controls } = viewer;
    const [own, none] = [controls.scale.value === "own", shown(viewer).length === 0];
    const high = own ? "its maximum" : endOf(viewer).toPrecision(2);
    const more = own || ["1", "step"].includes(controls.scale.value) ? "" : " and more";
    cells.showBar(root.querySelector(".colour-bar"), "0", `${high}${more}`);
    root.querySelector(".colour-bar").hidden = none;
    root.querySelector(".scale-note").textContent = none ? "No head has these words in its name or classes." : "";
  }

  // Ways to the pages of the heads that were searched for or opened.
  function linkHeads(viewer, words) {
    const { data, open } = viewer;
    const heads = words.length ? shown(viewer) : open ? [open.index] : [];
    const names = heads.map((head) => data.heads[head].name).filter((name) => name in (data.pages ?? {}));
    const links = names.slice(0, MOST_LINKS).flatMap((name) => [" ", tiles.element("a", name, { href: data.pages[name] })]);
    viewer.root.querySelector(".head-links").replaceChildren(...(links.length ? ["Over all steps:", ...links] : []));
  }

  function showWall(viewer) {
    const chosen = viewer.controls.wall.checked;
    const wall = viewer.root.querySelector(".circuitsvis");
    viewer.root.querySelector(".heads").hidden = chosen;
    wall.hidden = !chosen;
    if (!chosen) return wall.replaceChildren();
    const heads = shown(viewer).filter((head) => mapOf(viewer, head));
    const views = heads.map((head) => ({ ...viewOf(viewer, head), head: viewer.data.heads[head] }));
    return mcinterp.wall.show(wall, views, viewer.open?.head.name);
  }

  document.addEventListener("DOMContentLoaded", () => document.querySelectorAll(".attention").forEach(setUp));
})();
