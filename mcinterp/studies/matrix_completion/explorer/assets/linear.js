"use strict";
// Small dense matrices {rows, cols, at}, `at` being flat and row-major.
const Linear = (() => {
  const matrix = (rows, cols, at = new Float64Array(rows * cols)) => ({ rows, cols, at });

  function make(rows, cols, entry) {
    const made = matrix(rows, cols);
    for (let i = 0; i < rows; i++) for (let j = 0; j < cols; j++) made.at[i * cols + j] = entry(i, j);
    return made;
  }

  const get = (a, i, j) => a.at[i * a.cols + j];
  const transpose = (a) => make(a.cols, a.rows, (i, j) => get(a, j, i));
  const identity = (n) => make(n, n, (i, j) => (i === j ? 1 : 0));

  // a + factor · b.
  const plus = (a, b, factor = 1) => matrix(a.rows, a.cols, a.at.map((value, i) => value + factor * b.at[i]));
  const times = (a, factor) => matrix(a.rows, a.cols, a.at.map((value) => factor * value));
  const inner = (a, b) => a.at.reduce((sum, value, i) => sum + value * b.at[i], 0);

  function product(a, b) {
    const made = matrix(a.rows, b.cols);
    for (let i = 0; i < a.rows; i++) {
      for (let k = 0; k < a.cols; k++) {
        const factor = a.at[i * a.cols + k];
        for (let j = 0; j < b.cols; j++) made.at[i * b.cols + j] += factor * b.at[k * b.cols + j];
      }
    }
    return made;
  }

  const part = (a, row, col, rows, cols) => make(rows, cols, (i, j) => get(a, row + i, col + j));

  // [[0, a], [aᵀ, 0]].
  function symmetricBlocks(a) {
    const n = a.rows + a.cols;
    return make(n, n, (i, j) => {
      if (i < a.rows && j >= a.rows) return get(a, i, j - a.rows);
      return i >= a.rows && j < a.rows ? get(a, j, i - a.rows) : 0;
    });
  }

  const symmetricPart = (a) => make(a.rows, a.cols, (i, j) => (get(a, i, j) + get(a, j, i)) / 2);

  // The lower triangular L with L Lᵀ = a, or null if `a` is not positive definite.
  function cholesky(a) {
    const n = a.rows;
    const L = matrix(n, n);
    for (let i = 0; i < n; i++) {
      for (let j = 0; j <= i; j++) {
        let sum = a.at[i * n + j];
        for (let k = 0; k < j; k++) sum -= L.at[i * n + k] * L.at[j * n + k];
        if (i !== j) L.at[i * n + j] = sum / L.at[j * n + j];
        else if (sum > 0) L.at[i * n + i] = Math.sqrt(sum);
        else return null;
      }
    }
    return L;
  }

  // The x with L Lᵀ x = b.
  function solve(L, b) {
    const n = L.rows;
    const x = Float64Array.from(b);
    for (let i = 0; i < n; i++) {
      for (let k = 0; k < i; k++) x[i] -= L.at[i * n + k] * x[k];
      x[i] /= L.at[i * n + i];
    }
    for (let i = n - 1; i >= 0; i--) {
      for (let k = i + 1; k < n; k++) x[i] -= L.at[k * n + i] * x[k];
      x[i] /= L.at[i * n + i];
    }
    return x;
  }

  // The inverse of a positive definite matrix; null if it is not.
  function inverse(a) {
    const L = cholesky(a);
    if (!L) return null;
    const columns = identity(a.rows);
    const solved = Array.from({ length: a.rows }, (_, i) => solve(L, columns.at.subarray(i * a.rows, (i + 1) * a.rows)));
    return make(a.rows, a.rows, (i, j) => solved[i][j]);
  }

  // Singular values, largest first, and vectors: `u` and `v` are arrays of columns (one-sided Jacobi rotations).
  function singular(a) {
    if (a.rows < a.cols) {
      const turned = singular(transpose(a));
      return { u: turned.v, values: turned.values, v: turned.u };
    }
    const u = Array.from({ length: a.cols }, (_, j) => Float64Array.from({ length: a.rows }, (_, i) => get(a, i, j)));
    const v = Array.from({ length: a.cols }, (_, j) => Float64Array.from({ length: a.cols }, (_, i) => (i === j ? 1 : 0)));
    let turned = true;
    for (let sweep = 0; turned && sweep < 60; sweep++) {
      turned = false;
      for (let p = 0; p < a.cols; p++) for (let q = p + 1; q < a.cols; q++) turned = rotate(u, v, p, q) || turned;
    }
    const lengths = u.map((column) => Math.sqrt(dot(column, column)));
    const order = lengths.map((_, i) => i).sort((i, j) => lengths[j] - lengths[i]);
    return {
      u: order.map((i) => u[i].map((value) => (lengths[i] ? value / lengths[i] : 0))),
      values: order.map((i) => lengths[i]),
      v: order.map((i) => v[i]),
    };
  }

  function dot(x, y) {
    let sum = 0;
    for (let i = 0; i < x.length; i++) sum += x[i] * y[i];
    return sum;
  }

  // Makes columns p and q orthogonal; says whether they were not.
  function rotate(u, v, p, q) {
    const pp = dot(u[p], u[p]);
    const qq = dot(u[q], u[q]);
    const pq = dot(u[p], u[q]);
    if (Math.abs(pq) <= 1e-15 * Math.sqrt(pp * qq) || pq === 0) return false;
    const tau = (qq - pp) / (2 * pq);
    const tangent = (tau < 0 ? -1 : 1) / (Math.abs(tau) + Math.sqrt(1 + tau * tau));
    const cosine = 1 / Math.sqrt(1 + tangent * tangent);
    for (const columns of [u, v]) {
      columns[p].forEach((x, i) => {
        const y = columns[q][i];
        columns[p][i] = cosine * (x - tangent * y);
        columns[q][i] = cosine * (tangent * x + y);
      });
    }
    return true;
  }

  const nuclearNorm = (a) => singular(a).values.reduce((sum, value) => sum + value, 0);

  return {
    matrix, make, get, transpose, identity, plus, times, inner, product, part, symmetricBlocks, symmetricPart,
    cholesky, solve, inverse, singular, nuclearNorm,
  };
})();
