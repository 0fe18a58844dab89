"use strict";
// What is shown and what follows from it: state in, answers, patterns, errors and the nuclear norm solution out.
const Live = (() => {
  const LARGEST_SOLVED = 100; // entries; above, the nuclear norm would take longer than a click may

  // `model` is the page's JSON; `text(step)` gives a checkpoint's own weights in base64, `common` those of all.
  function start(model, common, text) {
    const { task, model: shape } = model;
    const random = Task.generator(1);
    const shared = Encoder.decode(common);
    const kept = new Map();
    const none = () => Array.from({ length: shape.n_layers }, () => new Array(shape.n_heads).fill(false));

    function weights(step) {
      if (!kept.has(step)) {
        kept.set(step, Encoder.weights(model.parameters, model.runs, shared, Encoder.decode(text(step))));
      }
      return kept.get(step);
    }

    const sizes = task.sizes ?? [[task.rows, task.cols]];
    const largest = sizes.reduce((most, size) => (size[0] * size[1] > most[0] * most[1] ? size : most));
    const state = { at: model.steps.length - 1, size: largest, entry: 0, ablated: none() };

    function resize(rows, cols) {
      Object.assign(state, { size: [rows, cols], entry: 0 });
      draw(false);
      cover();
    }

    function draw(fullRank) {
      state.values = Task.matrix(...state.size, task, random, fullRank);
    }

    // A fresh mask at random, or one of those that come with the page.
    function cover(name = "random") {
      const named = masks().find((mask) => mask.name === name);
      state.mask = named ? name : "random";
      state.observed = named ? Uint8Array.from(named.observed) : Task.mask(state.values.length, task, random);
    }

    const masks = () => model.masks[state.size.join("x")];

    function toggle(index) {
      state.observed[index] = 1 - state.observed[index];
      state.mask = "by hand";
    }

    function type(index, value) {
      state.values[index] = Task.rounded(value, task);
    }

    // Turns heads on where all of them are ablated, and ablates them where not.
    function ablate(heads) {
      const on = heads.every(([layer, head]) => state.ablated[layer][head]);
      for (const [layer, head] of heads) state.ablated[layer][head] = !on;
    }

    function ablateAll(value) {
      for (const heads of state.ablated) heads.fill(value);
    }

    const cache = { intact: {}, solution: {} };

    function remembered(kind, key, make) {
      if (cache[kind].key !== key) cache[kind] = { key, value: make() };
      return cache[kind].value;
    }

    function judged(answers) {
      const [rows, cols] = state.size;
      const norm = Linear.nuclearNorm(Linear.matrix(rows, cols, Float64Array.from(answers)));
      return { answers, norm, ...Task.errors(answers, state.values, state.observed) };
    }

    function solution() {
      if (state.values.length > LARGEST_SOLVED) return null;
      const found = Nuclear.complete(state.values, state.observed, ...state.size);
      return { ...found, ...judged(found.completed), norm: found.norm };
    }

    // Everything that is shown, of the state as it is.
    function outcome() {
      const cols = state.size[1];
      const step = model.steps[state.at];
      const tokens = Task.tokens(state.values, state.observed, task);
      const positions = tokens.map((_, i) => Math.floor(i / cols) * task.cols + (i % cols));
      const named = weights(step);
      const intact = remembered("intact", `${step}:${state.size}:${tokens}`, () =>
        Encoder.run(named, shape, tokens, positions, none()),
      );
      const now = Encoder.run(named, shape, tokens, positions, state.ablated, intact);
      return {
        step,
        patterns: now.patterns,
        model: judged(now.answers),
        intact: now === intact ? null : judged(intact.answers),
        nuclear: remembered("solution", `${state.size}:${state.values}:${state.observed}`, solution),
        truth: judged(state.values).norm,
        clipped: state.values.filter((value, i) => state.observed[i] && !Task.fits(value, task)).length,
      };
    }

    resize(...state.size);
    return { model, task, state, resize, draw, cover, masks, toggle, type, ablate, ablateAll, outcome };
  }

  return { start };
})();
