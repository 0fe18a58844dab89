"use strict";
// Singular values of the matrix as it is, and its rank up to the rounding of its values.
const Rank = (() => {
  // Values are rounded by at most half a unit of their last digit, which moves a singular value by at most the Frobenius
  // norm of the rounding (Weyl): a singular value up to that can come from rounding alone.
  const tolerance = (rows, cols, task) => 0.5 * 10 ** -task.decimals * Math.sqrt(rows * cols);

  function of(values, rows, cols, task) {
    const singular = Linear.singular(Linear.matrix(rows, cols, Float64Array.from(values))).values.slice(0, Math.min(rows, cols));
    const bound = tolerance(rows, cols, task);
    return { singular, tolerance: bound, rank: singular.filter((value) => value > bound).length };
  }

  // `typed` tells whether a value was typed since the matrix was drawn.
  function sentence({ singular, tolerance: bound, rank }, task, typed) {
    const usual = task.factors === "full-rank" ? null : task.rank;
    const other = usual === null || rank === usual ? "" : typed && rank > usual ? `, no longer ${usual}` : `, not ${usual} as in training`;
    const { number } = Numbers;
    const said = (value) => number(value < 1e-12 * singular[0] ? 0 : value, 2); // below double precision
    const unit = number(10 ** -task.decimals, 1);
    return (
      `Rank ${rank}${other}. Singular values ${singular.map(said).join(", ")}; ` +
      `those up to ${number(bound, 2)} count as 0, which rounding to ${unit} can make.`
    );
  }

  return { of, sentence };
})();
