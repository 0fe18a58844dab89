"use strict";
// The page: draws what `Live` computes, and tells it what was clicked, typed and slid. Asks no network.
const Explorer = (() => {
  const find = (id) => document.getElementById(id);
  const { element, put } = Grid;
  const { fixed, number, whole } = Numbers;
  const view = { shown: "values", pointed: null };
  let live;

  function start() {
    const model = JSON.parse(find("model").textContent);
    const text = (step) => document.querySelector(`script[data-weights="${step}"]`).textContent;
    live = Live.start(model, find("common").textContent, text);
    view.marks = Course.draw(find("curve"), model.curve, model.steps, (at, event) => change(event, () => (live.state.at = at)));
    setUpControls(model);
    setUpTables();
    view.colours = palette();
    lay();
    change(null, () => {});
    document.addEventListener("mcinterp-theme", () => {
      view.colours = palette();
      paint(view.outcome);
    });
  }

  // Does something to the state, draws what follows from it, and measures from the event until it is painted.
  function change(event, act) {
    const from = performance.now();
    act(live);
    view.outcome = live.outcome();
    const computed = performance.now() - from;
    paint(view.outcome);
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
    find("timing").textContent = `computed in ${fixed(computed, 1)} ms, painted after ${fixed(shown, 1)} ms`;
    find("timing").dataset.ms = shown;
  }

  // Tables and tiles for matrices of the present size.
  function lay() {
    const { state } = live;
    view.cells = Object.fromEntries(["given", "answered", "solved"].map((id) => [id, Grid.build(find(id), ...state.size)]));
    view.cells.given.forEach((cell, i) => {
      cell.setAttribute("role", "gridcell");
      cell.tabIndex = i === state.entry ? 0 : -1;
    });
    find("layers").replaceChildren();
    view.heads = Heads.build(find("layers"), live.model.model, ...state.size, { ablate, point });
    const names = ["random", ...live.masks().map((mask) => mask.name)];
    find("mask").replaceChildren(...names.map((name) => new Option(name, name)), new Option("by hand", "by hand"));
    find("mask").lastChild.disabled = true;
    const grids = document.querySelector(".grids");
    put(grids, "--grid-width", `${Math.max(12.5, 2.3 * (state.size[1] + 1))}rem`);
    put(grids, "--cols", state.size[1]);
    grids.classList.toggle("dense", state.size[1] > 7);
  }

  function setUpControls(model) {
    const on = (id, kind, act) => find(id).addEventListener(kind, (event) => change(event, () => act(event.target)));
    Object.assign(find("step"), { max: model.steps.length - 1, value: live.state.at });
    on("step", "input", (slider) => (live.state.at = Number(slider.value)));
    on("draw", "click", () => live.draw(false));
    on("draw-full", "click", () => live.draw(true));
    on("cover", "click", () => live.cover());
    on("mask", "change", (choice) => live.cover(choice.value));
    on("shown", "change", (choice) => (view.shown = choice.value));
    on("scale", "change", () => {});
    on("ablate-all", "click", () => live.ablateAll(true));
    on("ablate-none", "click", () => live.ablateAll(false));
    const sizes = model.task.sizes ?? [];
    find("size").append(...sizes.map(([rows, cols]) => new Option(`${rows} × ${cols}`, `${rows},${cols}`)));
    find("size").value = live.state.size.join(",");
    find("size").parentElement.hidden = !sizes.length;
    on("size", "change", (choice) => {
      live.resize(...choice.value.split(",").map(Number));
      lay();
    });
  }

  function setUpTables() {
    for (const id of ["given", "answered", "solved"]) Grid.choosable(find(id), choose);
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
  }

  // The head whose look from the chosen entry is drawn onto the matrix.
  function point(head) {
    view.pointed = head;
    paintLook();
  }

  // Drawing ---------------------------------------------------------------------------------------------------------

  function paint(outcome) {
    const { state, model } = live;
    find("step").value = state.at;
    find("step").setAttribute("aria-valuetext", `step ${whole(outcome.step)}`);
    find("now").textContent = `step ${whole(outcome.step)}`;
    find("mask").value = state.mask;
    Course.choose(view.marks, state.at);
    paintMatrices(outcome);
    paintScores(outcome);
    const largest = Heads.show(view.heads, outcome.patterns, state.ablated, find("scale").value);
    Heads.paintPatterns(view.heads, view.colours);
    tellScale(largest);
    paintEntry();
    const gone = state.ablated.flatMap((heads, layer) => heads.flatMap((is, head) => (is ? [`L${layer}H${head}`] : [])));
    const all = model.model.n_layers * model.model.n_heads;
    const which = gone.length === all ? "all heads" : gone.join(", ");
    find("ablated").textContent = gone.length ? `Attending uniformly: ${which}.` : "";
  }

  function paintEntry() {
    const { entry, size, observed } = live.state;
    Heads.paintMaps(view.heads, entry, observed, view.colours);
    for (const cells of Object.values(view.cells)) cells.forEach((cell, i) => cell.classList.toggle("chosen", i === entry));
    find("entry").textContent = `${Math.floor(entry / size[1])},${entry % size[1]}`;
    paintLook();
  }

  function paintLook() {
    const { entry } = live.state;
    const n = live.state.values.length;
    const [layer, head] = view.pointed ?? [];
    const shares = view.pointed ? view.outcome.patterns[layer][head].subarray(entry * n, (entry + 1) * n) : null;
    const most = shares ? Math.max(...shares) : 1;
    view.cells.given.forEach((cell, i) => put(cell, "--look", shares ? (shares[i] / most).toFixed(3) : 0));
  }

  function paintMatrices({ model, nuclear }) {
    const { values, observed, size } = live.state;
    const { decimals } = live.task;
    const finer = size[1] > 7 ? decimals : decimals + 1;
    const errors = view.shown === "errors";
    const largest = Math.max(...values.map(Math.abs)) || 1;
    const place = (i) => `${Math.floor(i / size[1])},${i % size[1]}`;
    const fill = (id, numbers, digits, end, words) =>
      view.cells[id].forEach((cell, i) => {
        const masked = !observed[i];
        const label = words(`${place(i)}: `, numbers[i], masked ? ", masked" : "");
        Grid.show(cell, { text: fixed(numbers[i], digits), share: numbers[i] / end, masked, label });
      });
    fill("given", values, decimals, largest, (at, value, masked) => `${at}${fixed(value, decimals)}${masked}`);
    const end = errors ? largest / 4 : largest;
    const word = errors ? "error " : "";
    for (const [id, found] of [["answered", model], ["solved", nuclear]]) {
      const numbers = found ? found.answers.map((answer, i) => (errors ? answer - values[i] : answer)) : values.map(() => NaN);
      fill(id, numbers, finer, end, (at, value, masked) => `${at}${word}${fixed(value, decimals + 3)}${masked}`);
    }
    const letters = Math.max(5, ...Object.values(view.cells).flatMap((cells) => cells.map((cell) => cell.textContent.length)));
    put(document.querySelector(".grids"), "--letters", letters);
    const legend = `Blue is below 0, orange above; the strongest is ± ${number(largest, 2)}`;
    find("legend").textContent = errors ? `${legend}, for errors ± ${number(end, 2)}.` : `${legend}.`;
  }

  function paintScores({ model, intact, nuclear, truth, clipped }) {
    const rows = [["model", model]];
    if (intact) rows.splice(0, 1, ["ablated model", model], ["intact model", intact]);
    if (nuclear) rows.push(["least norm", nuclear]);
    rows.push(["the matrix", { observed: NaN, masked: NaN, all: NaN, norm: truth }]);
    const body = rows.map(([name, found]) => {
      const line = element("tr", "");
      const cells = [found.observed, found.masked, found.all, found.norm].map((value) => element("td", number(value)));
      line.append(element("th", name, { scope: "row" }), ...cells);
      return line;
    });
    find("scores").tBodies[0].replaceChildren(...body);
    const seen = live.state.observed.filter(Boolean).length;
    find("seen").textContent = `${seen} of ${live.state.values.length} entries observed.`;
    find("clipped").textContent = clipped
      ? `Observed values without a token: ${clipped}; the model is given the nearest that has one.`
      : "";
    find("certificate").textContent = certificate(nuclear);
  }

  function certificate(nuclear) {
    if (!nuclear) return "The nuclear norm is minimised in this page for matrices up to 10 × 10.";
    const gap = `relative duality gap ${number(nuclear.gap, 1)}`;
    if (!nuclear.converged) return `The least nuclear norm did not converge (${gap}): what is shown is not the solution.`;
    const only = nuclear.unique ? "no other matrix has this norm" : "other matrices may have the same norm";
    return `Least nuclear norm: ${gap}; ${only}.`;
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
