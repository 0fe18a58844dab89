"use strict";
// What the page says in words and rows of numbers.
const Said = (() => {
  const { number } = Numbers;
  const NONE = { observed: NaN, masked: NaN, all: NaN, norm: NaN };
  const WAYS = {
    uniform: { done: "ablated", tile: "uniform", says: "ablated, attends uniformly", words: () => "Attending uniformly" },
    zero: { done: "ablated", tile: "zero", says: "ablated, its output is 0", words: () => "Output 0" },
    mean: {
      done: "ablated",
      tile: "mean",
      says: "ablated, its output is the mean one",
      words: ({ n, seed }) => `Output the mean over ${Numbers.whole(n)} random matrices (seed ${seed})`,
    },
    patch: { done: "patched", tile: "patched", says: "patched with the second matrix", words: () => "Output that of the second matrix" },
  };

  // Of ablated heads: which, and what became of them.
  function ablated({ ablated: heads, method }, { n_layers: layers, n_heads: each }, means) {
    const gone = Address.headsOf(heads);
    const which = gone.length === layers * each ? "all heads" : gone.map(Address.name).join(", ");
    return gone.length ? `${WAYS[method].words(means)}: ${which}.` : "";
  }

  // Rows of the table of errors: a name and what was found.
  function rows({ model, intact, asSecond, nuclear, truth }, method) {
    const { done } = WAYS[method];
    const found = intact ? [[`${done} model`, model]] : [["model", model]];
    if (asSecond) found.push(["… against the second", { ...asSecond, norm: NaN }]);
    if (intact) found.push(["intact model", intact]);
    if (nuclear) found.push(["least norm", nuclear]);
    return [...found, ["the matrix", { ...NONE, norm: truth }]];
  }

  function certificate(nuclear) {
    if (!nuclear) return "The nuclear norm is minimised in this page for matrices up to 10 × 10.";
    const gap = `relative duality gap ${number(nuclear.gap, 1)}`;
    if (!nuclear.converged) return `The least nuclear norm did not converge (${gap}): what is shown is not the solution.`;
    const only = nuclear.unique ? "no other matrix has this norm" : "other matrices may have the same norm";
    return `Least nuclear norm: ${gap}; ${only}.`;
  }

  const clipped = (count) =>
    count ? `Observed values without a token: ${count}; the model is given the nearest that has one.` : "";

  function legend(largest, end, errors) {
    const all = `Blue is below 0, orange above; the strongest is ± ${number(largest, 2)}`;
    return errors ? `${all}, for errors ± ${number(end, 2)}.` : `${all}.`;
  }

  return { WAYS, ablated, rows, certificate, clipped, legend };
})();
