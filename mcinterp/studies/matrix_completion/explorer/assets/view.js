"use strict";
// The page: draws what `Live` computes, and tells it what was clicked, typed and slid. Asks no network.
const Explorer = (() => {
  const find = (id) => document.getElementById(id);
  const { element, put } = Grid;
  const { fixed, number, whole } = Numbers;
  const GRIDS = ["given", "answered", "solved", "second"];
  const WAIT = 250; // ms without a change after which the address is written; browsers allow few a second
  const view = { written: "", waiting: 0 };
  let live;

  function start() {
    const model = JSON.parse(find("model").textContent);
    const text = (kind, step) => document.querySelector(`script[data-${kind}="${step}"]`).textContent;
    live = Live.start(model, find("common").textContent, text);
    const slid = (at, event) => change(event, () => (live.state.at = at));
    view.course = Course.build(find("curve"), find("step"), model.curve, model.steps, slid);
    setUpControls(model);
    setUpTables();
    view.colours = palette();
    arrive();
    window.addEventListener("hashchange", () => {
      if (location.hash.slice(1) !== view.written) arrive();
    });
    document.addEventListener("mcinterp-theme", () => {
      view.colours = palette();
      paint(view.outcome);
    });
  }

  // Shows what the address says, as far as it fits.
  function arrive() {
    find("address").textContent = Address.read(location.hash.slice(1), live);
    lay();
    view.outcome = live.outcome();
    paint(view.outcome);
  }

  // Puts what is shown into the address, once nothing has changed for a while.
  function note() {
    clearTimeout(view.waiting);
    view.waiting = setTimeout(() => {
      view.written = Address.write(live.state, live.model);
      history.replaceState(null, "", `#${view.written}`);
    }, WAIT);
  }

  // Does something to the state, draws what follows from it, and measures from the event until it is painted.
  function change(event, act) {
    const from = performance.now();
    act(live);
    view.outcome = live.outcome();
    const computed = performance.now() - from;
    paint(view.outcome);
    note();
    if (event) painted((now) => tellTime(computed, now - event.timeStamp));
  }

  // A message that is sent before a frame is painted arrives after it.
  function painted(then) {
    requestAnimationFrame(() => {
      const channel = new MessageChannel();
      channel.port1.onmessage = () => then(performance.now());
      channel.port2.postMessage(0);
    });
  }

  function tellTime(computed, shown) {
    find("timing").title = `computed in ${fixed(computed, 1)} ms, painted after ${fixed(shown, 1)} ms`;
    find("timing").dataset.ms = shown;
  }

  // Tables and tiles for matrices of the present size.
  function lay() {
    const { state } = live;
    view.cells = Object.fromEntries(GRIDS.map((id) => [id, Grid.build(find(id), ...state.size)]));
    view.cells.given.forEach((cell, i) => {
      cell.setAttribute("role", "gridcell");
      cell.tabIndex = i === state.entry ? 0 : -1;
    });
    find("layers").replaceChildren();
    view.heads = Heads.build(find("layers"), live.model.model, ...state.size, { ablate, point });
    const masks = [{ name: "random", words: "random" }, ...live.masks(), { name: "by hand", words: "by hand" }];
    find("mask").replaceChildren(...masks.map(({ name, words }) => new Option(words, name)));
    find("mask").lastChild.disabled = true;
    const grids = document.querySelector(".grids");
    put(grids, "--grid-width", `${Math.max(12.5, 2.3 * (state.size[1] + 1))}rem`);
    put(grids, "--cols", state.size[1]);
    grids.classList.toggle("dense", state.size[1] > 7);
  }

  function setUpControls(model) {
    const on = (id, kind, act) => find(id).addEventListener(kind, (event) => change(event, () => act(event.target)));
    on("draw", "click", () => live.draw(false));
    on("draw-full", "click", () => live.draw(true));
    on("cover", "click", () => live.cover());
    on("mask", "change", (choice) => live.cover(choice.value));
    on("shown", "change", (choice) => (live.state.shown = choice.value));
    on("method", "change", (choice) => (live.state.method = choice.value));
    for (const which of ["negative", "new", "present"]) on(`second-${which}`, "click", () => live.chooseSecond(which));
    on("scale", "change", () => {});
    on("ablate-all", "click", () => live.ablateAll(true));
    on("ablate-none", "click", () => live.ablateAll(false));
    const sizes = model.task.sizes ?? [];
    find("size").append(...sizes.map(([rows, cols]) => new Option(`${rows} × ${cols}`, `${rows},${cols}`)));
    find("size").parentElement.hidden = !sizes.length;
    on("size", "change", (choice) => {
      live.resize(...choice.value.split(",").map(Number));
      lay();
    });
  }

  function setUpTables() {
    for (const id of GRIDS) Grid.choosable(find(id), choose);
    Grid.editable(find("given"), {
      choose,
      toggle: (index, event) => change(event, () => live.toggle(index)),
      text: (index) => live.state.values[index].toFixed(live.task.decimals),
      type,
    });
  }

  function type(index, text, event) {
    const value = Numbers.parse(text);
    const { v_min: least, v_max: most } = live.task;
    const fits = value !== null && Task.fits(value, live.task);
    find("typing").textContent = fits || text === "" ? "" : `Values are numbers from ${fixed(least, 0)} to ${fixed(most, 0)}.`;
    if (fits) change(event, () => live.type(index, value));
    return fits;
  }

  const ablate = (heads, event) => change(event, () => live.ablate(heads));

  // The entry from which heads are shown to look.
  function choose(index) {
    if (live.state.entry === index) return;
    live.state.entry = index;
    paintEntry();
    note();
  }

  // The head whose look from the chosen entry is drawn onto the matrix, until another is pointed at.
  function point(head) {
    live.state.head = head;
    paintLook();
    note();
  }

  // Drawing ---------------------------------------------------------------------------------------------------------

  function paint(outcome) {
    const { state, model } = live;
    find("step").value = outcome.step;
    find("step").setAttribute("aria-valuetext", `step ${whole(outcome.step)}`);
    find("now").textContent = `step ${whole(outcome.step)}`;
    find("mask").value = state.mask;
    find("size").value = state.size.join(",");
    find("shown").value = state.shown;
    find("method").value = state.method;
    find("second-matrix").hidden = state.method !== "patch";
    Course.show(view.course, state.at);
    paintMatrices(outcome);
    paintScores(outcome);
    const largest = Heads.show(view.heads, outcome.patterns, state, find("scale").value);
    Heads.paintPatterns(view.heads, view.colours);
    tellScale(largest);
    paintEntry();
    find("ablated").textContent = Said.ablated(state, model.model, model.means);
  }

  function paintEntry() {
    const { entry, size, observed } = live.state;
    Heads.paintMaps(view.heads, entry, observed, view.colours);
    for (const cells of Object.values(view.cells)) cells.forEach((cell, i) => cell.classList.toggle("chosen", i === entry));
    find("entry").textContent = `${Math.floor(entry / size[1])},${entry % size[1]}`;
    paintLook();
  }

  function paintLook() {
    const { entry, head, values } = live.state;
    const n = values.length;
    const shares = head && view.outcome.patterns[head[0]][head[1]].subarray(entry * n, (entry + 1) * n);
    const most = shares ? Math.max(...shares) : 1;
    view.cells.given.forEach((cell, i) => put(cell, "--look", shares ? (shares[i] / most).toFixed(3) : 0));
    Heads.choose(view.heads, head);
    find("looking").textContent = head ? `Green: where ${Address.name(head)} looks from ${find("entry").textContent}.` : "";
  }

  function paintMatrices({ model, nuclear }) {
    const { values, observed, size } = live.state;
    const { decimals } = live.task;
    const finer = size[1] > 7 ? decimals : decimals + 1;
    const errors = live.state.shown === "errors";
    const largest = Math.max(...values.map(Math.abs)) || 1;
    const place = (i) => `${Math.floor(i / size[1])},${i % size[1]}`;
    const fill = (id, numbers, digits, end, words) =>
      view.cells[id].forEach((cell, i) => {
        const masked = !observed[i];
        const label = words(`${place(i)}: `, numbers[i], masked ? ", masked" : "");
        Grid.show(cell, { text: fixed(numbers[i], digits), share: numbers[i] / end, masked, label });
      });
    fill("given", values, decimals, largest, (at, value, masked) => `${at}${fixed(value, decimals)}${masked}`);
    fill("second", live.second(), decimals, largest, (at, value, masked) => `${at}${fixed(value, decimals)}${masked}`);
    const end = errors ? largest / 4 : largest;
    const word = errors ? "error " : "";
    for (const [id, found] of [["answered", model], ["solved", nuclear]]) {
      const numbers = found ? found.answers.map((answer, i) => (errors ? answer - values[i] : answer)) : values.map(() => NaN);
      fill(id, numbers, finer, end, (at, value, masked) => `${at}${word}${fixed(value, decimals + 3)}${masked}`);
    }
    const letters = Math.max(5, ...Object.values(view.cells).flatMap((cells) => cells.map((cell) => cell.textContent.length)));
    put(document.querySelector(".grids"), "--letters", letters);
    find("legend").textContent = Said.legend(largest, end, errors);
  }

  function paintScores(outcome) {
    const { observed, values, method, typed } = live.state;
    const body = Said.rows(outcome, method).map(([name, found]) => {
      const line = element("tr", "");
      const cells = [found.observed, found.masked, found.all, found.norm].map((value) => element("td", number(value)));
      line.append(element("th", name, { scope: "row" }), ...cells);
      return line;
    });
    find("scores").tBodies[0].replaceChildren(...body);
    find("seen").textContent = `${observed.filter(Boolean).length} of ${values.length} entries observed.`;
    find("clipped").textContent = Said.clipped(outcome.clipped);
    find("certificate").textContent = Said.certificate(outcome.nuclear);
    find("rank").textContent = Rank.sentence(outcome.rank, live.task, typed);
  }

  function tellScale(largest) {
    const choice = find("scale").value;
    const end = number(largest * Number(choice), 2);
    find("scale-note").textContent = choice === "own" ? "the strongest each head's own maximum" : `the strongest ${end} and more`;
  }

  // Colours as the style sheet has them for the reader's setting.
  function palette() {
    const style = getComputedStyle(document.body);
    const hex = (name) => style.getPropertyValue(name).trim();
    const channels = (name) => [1, 3, 5].map((at) => parseInt(hex(name).slice(at, at + 2), 16));
    return { ...Heads.shades(channels("--paper"), channels("--attention")), mark: hex("--mark") };
  }

  document.addEventListener("DOMContentLoaded", start);
  return { change, get live() { return live; }, get outcome() { return view.outcome; } };
})();
