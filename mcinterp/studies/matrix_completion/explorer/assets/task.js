"use strict";
// Matrix completion as the model knows it: values and tokens, random matrices and masks, errors.
const Task = (() => {
  const MASK = 0;

  // To the nearest whole number, ties to the even one, as torch rounds.
  function halfEven(x) {
    const nearest = Math.round(x);
    return Math.abs(nearest - x) === 0.5 ? 2 * Math.round(x / 2) : nearest;
  }

  function rounded(value, task) {
    const scale = 10 ** task.decimals;
    return halfEven(value * scale) / scale;
  }

  const fits = (value, task) => rounded(value, task) >= task.v_min && rounded(value, task) <= task.v_max;

  // The token of a value; one outside the vocabulary has that of the nearest end.
  function token(value, task) {
    const scale = 10 ** task.decimals;
    const clipped = Math.min(Math.max(rounded(value, task), task.v_min), task.v_max);
    if (task.tokens !== "truncate") return 1 + halfEven((clipped - task.v_min) * scale);
    // The authors' code truncates a product of float32, so that some values land one token low.
    const float = Math.fround;
    return Math.trunc(float(1 + float(float(float(clipped) * scale) - float(task.v_min * scale))));
  }

  const tokens = (values, observed, task) => Array.from(values, (value, i) => (observed[i] ? token(value, task) : MASK));

  // A generator of uniform numbers in [0, 1) from a whole number (the mulberry32 recurrence).
  function generator(seed) {
    let state = seed >>> 0;
    return () => {
      state = (state + 0x6d2b79f5) >>> 0;
      let mixed = Math.imul(state ^ (state >>> 15), state | 1);
      mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
      return ((mixed ^ (mixed >>> 14)) >>> 0) / 4294967296;
    };
  }

  const LAWS = {
    uniform: (random) => 2 * random() - 1,
    gaussian: (random) => Math.sqrt(-2 * Math.log(1 - random())) * Math.cos(2 * Math.PI * random()),
    laplace: (random) => {
      const centred = 2 * random() - 1;
      return -Math.sign(centred) * Math.log(Math.max(1 - Math.abs(centred), 2 ** -24));
    },
  };

  function factor(length, law, task, random) {
    return Array.from({ length }, () => task.factor_scale * LAWS[law](random));
  }

  // A matrix of the task's own law and rank, or with independent uniform entries.
  function matrix(rows, cols, task, random, fullRank) {
    if (fullRank || task.factors === "full-rank") {
      return Float64Array.from(factor(rows * cols, "uniform", task, random), (value) => rounded(value, task));
    }
    const u = factor(rows * task.rank, task.factors, task, random);
    const v = factor(cols * task.rank, task.factors, task, random);
    return Float64Array.from({ length: rows * cols }, (_, at) => {
      let sum = 0;
      for (let k = 0; k < task.rank; k++) {
        sum += u[Math.floor(at / cols) * task.rank + k] * v[(at % cols) * task.rank + k];
      }
      return rounded(sum, task);
    });
  }

  const mask = (length, task, random) => Uint8Array.from({ length }, () => (random() >= task.p_mask ? 1 : 0));

  function meanSquare(answers, values, chosen) {
    let sum = 0;
    let count = 0;
    values.forEach((value, i) => {
      if (!chosen(i)) return;
      sum += (answers[i] - value) ** 2;
      count += 1;
    });
    return count ? sum / count : NaN;
  }

  // L_obs, L_mask and the mean square over all entries; NaN where there is no such entry.
  function errors(answers, values, observed) {
    return {
      observed: meanSquare(answers, values, (i) => observed[i]),
      masked: meanSquare(answers, values, (i) => !observed[i]),
      all: meanSquare(answers, values, () => true),
    };
  }

  return { MASK, rounded, fits, token, tokens, generator, matrix, mask, errors };
})();
