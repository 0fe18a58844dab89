"use strict";
// What is shown and what follows from it: state in, answers, patterns, errors and the nuclear norm solution out.
const Live = (() => {
  const LARGEST_SOLVED = 100; // entries; above, the nuclear norm would take longer than a click may
  const METHODS = ["uniform", "zero", "mean", "patch"]; // what becomes of an ablated head, the first unless chosen

  // `model` is the page's JSON; `text(kind, step)` gives numbers of a checkpoint in base64, its own `weights` or the
  // `means` of its heads' outputs, and `common` those weights that all checkpoints share.
  function start(model, common, text) {
    const { task, model: shape } = model;
    const random = Task.generator(1);
    const shared = Encoder.decode(common);
    const kept = new Map();
    const none = () => Array.from({ length: shape.n_layers }, () => new Array(shape.n_heads).fill(false));

    function numbers(kind, step, read) {
      const key = `${kind}:${step}`;
      if (!kept.has(key)) kept.set(key, read(Encoder.decode(text(kind, step))));
      return kept.get(key);
    }

    const weights = (step) =>
      numbers("weights", step, (own) => Encoder.weights(model.parameters, model.runs, shared, own));

    const sizes = task.sizes ?? [[task.rows, task.cols]];
    const largest = sizes.reduce((most, size) => (size[0] * size[1] > most[0] * most[1] ? size : most));
    const state = {
      at: model.steps.length - 1, size: largest, entry: 0, head: null, ablated: none(), method: METHODS[0], shown: "values",
    };

    function resize(rows, cols) {
      Object.assign(state, { size: [rows, cols], entry: 0, second: null });
      draw(false);
      cover();
    }

    function put(values) {
      Object.assign(state, { values, typed: false });
    }

    const drawn = (fullRank) => Task.matrix(...state.size, task, random, fullRank);
    const draw = (fullRank) => put(drawn(fullRank));

    // The matrix whose z are patched in: X's negative, unless another one is kept.
    const second = () => state.second ?? state.values.map((value) => -value);

    const SECONDS = {
      negative: () => null,
      new: () => drawn(false),
      present: () => Float64Array.from(state.values),
    };

    function chooseSecond(which) {
      state.second = SECONDS[which]();
    }

    // A fresh mask at random, or one of those that come with the page.
    function cover(name = "random") {
      const named = masks().find((mask) => mask.name === name);
      state.mask = named ? name : "random";
      state.observed = named ? Uint8Array.from(named.observed) : Task.mask(state.values.length, task, random);
    }

    const masks = () => model.masks[state.size.join("x")];

    // A mask entry by entry; it has its name if it is one of the page's.
    function observe(observed) {
      state.observed = observed;
      state.mask = masks().find((mask) => mask.observed.join() === observed.join())?.name ?? "by hand";
    }

    function toggle(index) {
      state.observed[index] = 1 - state.observed[index];
      state.mask = "by hand";
    }

    function type(index, value) {
      state.values[index] = Task.rounded(value, task);
      state.typed = true;
    }

    // Turns heads on where all of them are ablated, and ablates them where not.
    function ablate(heads) {
      const on = heads.every(([layer, head]) => state.ablated[layer][head]);
      for (const [layer, head] of heads) state.ablated[layer][head] = !on;
    }

    function ablateAll(value) {
      for (const heads of state.ablated) heads.fill(value);
    }

    function ablateOnly(heads) {
      ablateAll(false);
      for (const [layer, head] of heads) state.ablated[layer][head] = true;
    }

    const cache = { intact: {}, second: {}, solution: {} };

    function remembered(kind, key, make) {
      if (cache[kind].key !== key) cache[kind] = { key, value: make() };
      return cache[kind].value;
    }

    // The model as it is, on values under the present mask.
    function intact(kind, step, values) {
      const tokens = Task.tokens(values, state.observed, task);
      const change = { heads: none(), z: null };
      const run = () => Encoder.run(weights(step), shape, tokens, positions(), change);
      return { tokens, ...remembered(kind, `${step}:${state.size}:${tokens}`, run) };
    }

    const positions = () => {
      const cols = state.size[1];
      return Array.from(state.values, (_, i) => Math.floor(i / cols) * task.cols + (i % cols));
    };

    // For each layer what z of an ablated head becomes, n × d_model; null where it attends uniformly.
    const REPLACED = {
      uniform: () => null,
      zero: () => Array.from({ length: shape.n_layers }, () => new Float64Array(state.values.length * shape.d_model)),
      mean: (step) => {
        const all = numbers("means", step, (means) => means);
        const width = shape.d_model;
        const from = (layer, position) => (layer * task.rows * task.cols + position) * width;
        return Array.from({ length: shape.n_layers }, (_, layer) =>
          Float64Array.from(positions().flatMap((at) => [...all.subarray(from(layer, at), from(layer, at) + width)])),
        );
      },
      patch: (step) => intact("second", step, second()).z,
    };

    function judged(answers, values = state.values) {
      const [rows, cols] = state.size;
      const norm = Linear.nuclearNorm(Linear.matrix(rows, cols, Float64Array.from(answers)));
      return { answers, norm, ...Task.errors(answers, values, state.observed) };
    }

    function solution() {
      if (state.values.length > LARGEST_SOLVED) return null;
      const found = Nuclear.complete(state.values, state.observed, ...state.size);
      return { ...found, ...judged(found.completed), norm: found.norm };
    }

    // Everything that is shown, of the state as it is.
    function outcome() {
      const step = model.steps[state.at];
      const clean = intact("intact", step, state.values);
      const any = state.ablated.some((heads) => heads.some(Boolean));
      const change = { heads: state.ablated, z: any ? REPLACED[state.method](step) : null };
      const now = any ? Encoder.run(weights(step), shape, clean.tokens, positions(), change, clean) : clean;
      return {
        step,
        patterns: now.patterns,
        model: judged(now.answers),
        intact: any ? judged(clean.answers) : null,
        asSecond: any && state.method === "patch" ? judged(now.answers, second()) : null,
        nuclear: remembered("solution", `${state.size}:${state.values}:${state.observed}`, solution),
        truth: judged(state.values).norm,
        rank: Rank.of(state.values, ...state.size, task),
        clipped: state.values.filter((value, i) => state.observed[i] && !Task.fits(value, task)).length,
      };
    }

    resize(...state.size);
    return {
      model, task, state, sizes, resize, put, draw, second, chooseSecond, cover, masks, observe, toggle, type, ablate,
      ablateAll, ablateOnly, outcome,
    };
  }

  return { start, METHODS };
})();
