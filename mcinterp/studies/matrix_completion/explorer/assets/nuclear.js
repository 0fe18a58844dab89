"use strict";
// The matrix of least nuclear norm that has the observed entries: a primal-dual interior-point method,
//
//   minimise ‖X‖_*  with X = M on Ω,        maximise ⟨M, Y⟩  with Y = 0 outside Ω and ‖Y‖₂ ≤ 1,
//
// as semidefinite programs in Z = [[W₁, X], [Xᵀ, W₂]] and S = [[I, −Y], [−Yᵀ, I]]. Their gap is ½⟨Z, S⟩; each step is
// Mehrotra's predictor and corrector along the direction of Helmberg, Rendl, Vanderbei and Wolkowicz (SIAM J. Optim. 6,
// 1996), a linear system in the observed entries. The same method as mcinterp.studies.matrix_completion.baselines.interior_point.
const Nuclear = (() => {
  const TOLERANCE = 1e-9; // relative duality gap aimed at; rounding may stop short of it
  const ACCEPTED = 1e-5; // and that which still counts as solved
  const PATIENCE = 3; // steps without a smaller gap after which rounding has the upper hand
  const MAX_STEPS = 60;
  const LENGTHS = [1, 0.9, 0.75, 0.6, 0.4, 0.2, 0.05];
  const INSIDE = 0.98; // share of a length that is gone, to stay off the boundary
  const RIDGE = 1e-11; // near the end the systems are singular to rounding
  const ACTIVE = 1e-3; // a singular value of Y this near 1 counts as 1
  const INJECTIVE = 1e-3; // smallest eigenvalue at which the observed entries decide the minimiser

  const { make, get, plus, times, inner, product, transpose, part } = Linear;

  // `values` and `observed` are flat. Gives the completion, its norm, the relative gap that bounds the norm's excess over
  // the least one, whether it converged, and whether certainly no other matrix has the least norm.
  function complete(values, observed, rows, cols) {
    const target = make(rows, cols, (i, j) => (observed[i * cols + j] ? values[i * cols + j] : 0));
    const scale = Math.sqrt(inner(target, target));
    if (scale === 0) {
      return { completed: target.at, norm: 0, gap: 0, converged: true, unique: true };
    }
    const found = approach(begin(times(target, 1 / scale), observed));
    const converged = found.gap <= ACCEPTED;
    return {
      completed: found.feasible.at.map((value, i) => (observed[i] ? values[i] : scale * value)),
      norm: scale * found.norm,
      gap: Math.max(found.gap, 0),
      converged,
      unique: converged && isUnique(found.Y, observed),
    };
  }

  // The iterate of the smallest gap.
  function approach(state) {
    let best = certify(state);
    for (let step = 0, since = 0; best.gap > TOLERANCE && since < PATIENCE && step < MAX_STEPS; step++) {
      if (!advance(state)) break;
      const found = certify(state);
      since = found.gap < best.gap ? 0 : since + 1;
      if (!since) best = found;
    }
    return best;
  }

  // Y = 0 and X = M are strictly inside, M being of Frobenius norm 1.
  function begin(target, observed) {
    const entries = entriesOf(observed, target.cols);
    const Z = plus(Linear.symmetricBlocks(target), Linear.identity(target.rows + target.cols), 2);
    return { target, observed, entries, Z, Y: make(target.rows, target.cols, () => 0), centring: 0.1 };
  }

  function entriesOf(observed, cols) {
    const entries = [];
    observed.forEach((seen, at) => {
      if (seen) entries.push([Math.floor(at / cols), at % cols]);
    });
    return entries;
  }

  const primal = (state) => part(state.Z, 0, state.target.rows, state.target.rows, state.target.cols);

  // The iterate with the observed entries put in exactly, its norm, and how far above the dual's bound that is.
  function certify(state) {
    const X = primal(state);
    const feasible = make(X.rows, X.cols, (i, j) => get(state.observed[i * X.cols + j] ? state.target : X, i, j));
    const norm = Linear.nuclearNorm(feasible);
    return { feasible, Y: state.Y, norm, gap: (norm - inner(feasible, state.Y)) / norm };
  }

  // One predictor-corrector step; false if it leads nowhere.
  function advance(state) {
    const n = state.target.rows + state.target.cols;
    let trace = 0;
    for (let i = 0; i < n; i++) trace += get(state.Z, i, i);
    const mu = (trace - 2 * inner(primal(state), state.Y)) / n;
    const slack = inverseSlack(state.Y);
    const system = slack && systemOf(state, slack);
    if (!system) return false;
    const guess = direction(state, slack, system, times(state.Z, -1), 0);
    const bend = product(product(guess.Z, Linear.symmetricBlocks(guess.Y)), slack);
    const aim = plus(plus(times(slack, state.centring * mu), state.Z, -1), Linear.symmetricPart(bend));
    const move = direction(state, slack, system, aim, 2);
    const length = LENGTHS.find((each) => staysInside(state, move, each)) ?? 0;
    if (!length) return false;
    state.Z = plus(state.Z, move.Z, INSIDE * length);
    state.Y = plus(state.Y, move.Y, INSIDE * length);
    // A long step shows that the path is straight here, a short one that it bends.
    const factor = length >= 0.9 ? 0.3 : length < 0.75 ? 3 : 1;
    state.centring = Math.min(Math.max(factor * state.centring, 1e-3), 0.5);
    return true;
  }

  // S⁻¹ = [[P, G], [Gᵀ, Q]] with Q = (I − YᵀY)⁻¹, G = Y Q, P = I + G Yᵀ.
  function inverseSlack(Y) {
    const Q = Linear.inverse(plus(Linear.identity(Y.cols), product(transpose(Y), Y), -1));
    if (!Q) return null;
    const G = product(Y, Q);
    const P = plus(Linear.identity(Y.rows), product(G, transpose(Y)));
    const whole = Linear.symmetricBlocks(G);
    const n = whole.rows;
    for (let i = 0; i < Y.rows; i++) for (let j = 0; j < Y.rows; j++) whole.at[i * n + j] = get(P, i, j);
    for (let i = 0; i < Y.cols; i++) {
      for (let j = 0; j < Y.cols; j++) whole.at[(Y.rows + i) * n + Y.rows + j] = get(Q, i, j);
    }
    return whole;
  }

  // The map dY ↦ ½(Z D S⁻¹ + S⁻¹ D Z)₁₂ on observed entries, D = [[0, dY], [dYᵀ, 0]], with its Cholesky factor.
  function systemOf(state, slack) {
    const { Z, entries } = state;
    const r = state.target.rows;
    const size = entries.length;
    const matrix = make(size, size, (a, b) => {
      const [i, j] = entries[a];
      const [k, l] = entries[b];
      const straight = get(Z, i, k) * get(slack, r + j, r + l) + get(slack, i, k) * get(Z, r + j, r + l);
      const crossed = get(Z, i, r + l) * get(slack, k, r + j) + get(slack, i, r + l) * get(Z, k, r + j);
      return (straight + crossed) / 2;
    });
    const largest = Math.max(...entries.map((_, i) => get(matrix, i, i)));
    const factor = Linear.cholesky(plus(matrix, Linear.identity(size), RIDGE * largest));
    return factor && { matrix, factor };
  }

  function solved(system, wanted, refinements) {
    const size = wanted.length;
    const x = Linear.solve(system.factor, wanted);
    for (let round = 0; round < refinements; round++) {
      const left = product(system.matrix, Linear.matrix(size, 1, x)).at.map((value, i) => wanted[i] - value);
      Linear.solve(system.factor, left).forEach((more, i) => (x[i] += more));
    }
    return x;
  }

  // The moves dY and dZ = aim + ½(Z D S⁻¹ + S⁻¹ D Z) that put X on the observed entries.
  function direction(state, slack, system, aim, refinements) {
    const { target, entries } = state;
    const X = primal(state);
    const wanted = entries.map(([i, j]) => get(target, i, j) - get(X, i, j) - get(aim, i, target.rows + j));
    const change = make(target.rows, target.cols, () => 0);
    solved(system, wanted, refinements).forEach((value, at) => {
      change.at[entries[at][0] * target.cols + entries[at][1]] = value;
    });
    const turn = Linear.symmetricPart(product(product(state.Z, Linear.symmetricBlocks(change)), slack));
    return { Y: change, Z: plus(aim, turn) };
  }

  function staysInside(state, move, length) {
    const Y = plus(state.Y, move.Y, length);
    const gram = plus(Linear.identity(Y.cols), product(transpose(Y), Y), -1);
    return Linear.cholesky(gram) !== null && Linear.cholesky(plus(state.Z, move.Z, length)) !== null;
  }

  // Every minimiser is U S Vᵀ with S ⪰ 0, where U and V are the singular vectors of Y of singular value 1. There is one
  // only if no symmetric S but 0 makes U S Vᵀ vanish on all observed entries: that map's Gram matrix is then well inside
  // the positive definite ones.
  function isUnique(Y, observed) {
    const { u, values, v } = Linear.singular(Y);
    const entries = entriesOf(observed, Y.cols);
    const active = values.flatMap((value, i) => (value >= 1 - ACTIVE ? [i] : []));
    const forms = active.flatMap((p, first) =>
      active.slice(first).map((q) =>
        Float64Array.from(entries, ([i, j]) =>
          p === q ? u[p][i] * v[p][j] : (u[p][i] * v[q][j] + u[q][i] * v[p][j]) * Math.SQRT1_2,
        ),
      ),
    );
    const gram = make(forms.length, forms.length, (a, b) => forms[a].reduce((sum, x, i) => sum + x * forms[b][i], 0));
    return Linear.cholesky(plus(gram, Linear.identity(forms.length), -INJECTIVE)) !== null;
  }

  return { complete };
})();
