"use strict";
// The encoder's forward pass on one matrix, in double precision from float32 weights under HookedEncoder's names.
// Arrays are flat and row-major; `n` is the number of positions.
const Encoder = (() => {
  const SQRT_PI = Math.sqrt(Math.PI);

  // The numbers of a base64 text; browsers run on little-endian machines only.
  function decode(base64) {
    const text = atob(base64.trim());
    const bytes = new Uint8Array(text.length);
    for (let i = 0; i < text.length; i++) bytes[i] = text.charCodeAt(i);
    return new Float32Array(bytes.buffer);
  }

  // A checkpoint's parameters by name. `runs` are lengths of stretches of its own numbers and of those that all
  // checkpoints have in common, in turn.
  function weights(parameters, runs, common, own) {
    const flat = new Float32Array(common.length + own.length);
    const read = [0, 0];
    let at = 0;
    runs.forEach((length, index) => {
      const kind = index % 2;
      flat.set((kind ? common : own).subarray(read[kind], read[kind] + length), at);
      read[kind] += length;
      at += length;
    });
    const named = {};
    at = 0;
    for (const [name, shape] of parameters) {
      const size = shape.reduce((product, side) => product * side, 1);
      named[name] = flat.subarray(at, at + size);
      at += size;
    }
    return named;
  }

  // To double precision: a series of positive terms, and far out the continued fraction of 1 − erf.
  function erf(x) {
    const size = Math.abs(x);
    if (size >= 6) return Math.sign(x);
    if (size < 3) {
      let term = x;
      let sum = x;
      for (let k = 3; Math.abs(term) > 1e-17 * Math.abs(sum); k += 2) {
        term *= (2 * x * x) / k;
        sum += term;
      }
      return (2 / SQRT_PI) * Math.exp(-x * x) * sum;
    }
    let fraction = size;
    for (let k = 40; k > 0; k--) fraction = size + k / 2 / fraction;
    return Math.sign(x) * (1 - Math.exp(-x * x) / (SQRT_PI * fraction));
  }

  const gelu = (x) => 0.5 * x * (1 + erf(x * Math.SQRT1_2));

  // x (n × inputs) times weight (inputs × outputs) plus bias. Four inputs at a time: most of the page's time goes here.
  function linear(x, n, weight, bias) {
    const outputs = bias.length;
    const inputs = x.length / n;
    const y = new Float64Array(n * outputs);
    for (let i = 0; i < n; i++) {
      const row = i * outputs;
      const own = i * inputs;
      for (let j = 0; j < outputs; j++) y[row + j] = bias[j];
      let k = 0;
      for (; k + 3 < inputs; k += 4) {
        const [a, b, c, d] = [x[own + k], x[own + k + 1], x[own + k + 2], x[own + k + 3]];
        const [p, q, r, s] = [k * outputs, (k + 1) * outputs, (k + 2) * outputs, (k + 3) * outputs];
        for (let j = 0; j < outputs; j++) {
          y[row + j] += a * weight[p + j] + b * weight[q + j] + c * weight[r + j] + d * weight[s + j];
        }
      }
      for (; k < inputs; k++) {
        for (let j = 0; j < outputs; j++) y[row + j] += x[own + k] * weight[k * outputs + j];
      }
    }
    return y;
  }

  function layerNorm(x, n, weight, bias, eps) {
    const width = weight.length;
    const y = new Float64Array(x.length);
    for (let i = 0; i < n; i++) {
      const start = i * width;
      let mean = 0;
      for (let j = 0; j < width; j++) mean += x[start + j];
      mean /= width;
      let variance = 0;
      for (let j = 0; j < width; j++) variance += (x[start + j] - mean) ** 2;
      const scale = 1 / Math.sqrt(variance / width + eps);
      for (let j = 0; j < width; j++) y[start + j] = (x[start + j] - mean) * scale * weight[j] + bias[j];
    }
    return y;
  }

  function plus(x, y) {
    const sum = new Float64Array(x);
    for (let i = 0; i < x.length; i++) sum[i] += y[i];
    return sum;
  }

  function softmax(scores) {
    const largest = Math.max(...scores);
    let total = 0;
    for (let k = 0; k < scores.length; k++) total += scores[k] = Math.exp(scores[k] - largest);
    for (let k = 0; k < scores.length; k++) scores[k] /= total;
  }

  // Softmax probabilities (query × key) of one head.
  function pattern(q, k, n) {
    const width = q.length / n;
    const attention = new Float64Array(n * n);
    for (let query = 0; query < n; query++) {
      const scores = attention.subarray(query * n, (query + 1) * n);
      for (let key = 0; key < n; key++) {
        let product = 0;
        for (let d = 0; d < width; d++) product += q[query * width + d] * k[key * width + d];
        scores[key] = product / Math.sqrt(width);
      }
      softmax(scores);
    }
    return attention;
  }

  // z (n × d_head) of one head, into its columns of the layer's z.
  function weigh(z, attention, v, n, from, width) {
    const headWidth = v.length / n;
    for (let query = 0; query < n; query++) {
      const to = query * width + from;
      for (let key = 0; key < n; key++) {
        const share = attention[query * n + key];
        for (let d = 0; d < headWidth; d++) z[to + d] += share * v[key * headWidth + d];
      }
    }
  }

  // The given z of one head, into its columns of the layer's z.
  function put(z, given, n, from, width, headWidth) {
    for (let at = from; at < n * width; at += width) z.set(given.subarray(at, at + headWidth), at);
  }

  // What attention adds to the residual stream, the pattern of every head, and their outputs z before W_O (n × d_model).
  // Of `changed` heads z is the one that is `given`; without one, that of looking at all keys alike.
  function attend(own, x, n, shape, changed, given) {
    const { n_heads: heads, d_model: width } = shape;
    const headWidth = width / heads;
    const part = (array, head) => array.subarray((head * array.length) / heads, ((head + 1) * array.length) / heads);
    const z = new Float64Array(n * width);
    const patterns = [];
    for (let head = 0; head < heads; head++) {
      const of = (name) => linear(x, n, part(own(`attn.W_${name}`), head), part(own(`attn.b_${name}`), head));
      const uniform = changed[head] && !given;
      patterns.push(uniform ? new Float64Array(n * n).fill(1 / n) : pattern(of("Q"), of("K"), n));
      if (changed[head] && given) put(z, given, n, head * headWidth, width, headWidth);
      else weigh(z, patterns[head], of("V"), n, head * headWidth, width);
    }
    return { patterns, z, out: linear(z, n, own("attn.W_O"), own("attn.b_O")) };
  }

  function block(own, x, n, shape, changed, given) {
    const norm = (y, name) => layerNorm(y, n, own(`${name}.w`), own(`${name}.b`), shape.layer_norm_eps);
    const { patterns, z, out } = attend(own, x, n, shape, changed, given);
    const middle = norm(plus(x, out), "ln1");
    const hidden = linear(middle, n, own("mlp.W_in"), own("mlp.b_in")).map(gelu);
    const added = linear(hidden, n, own("mlp.W_out"), own("mlp.b_out"));
    return { patterns, z, out: norm(plus(middle, added), "ln2") };
  }

  function embed(named, tokens, positions, shape) {
    const width = shape.d_model;
    const tokenType = named["embed.token_type_embed.W_token_type"];
    const x = new Float64Array(tokens.length * width);
    tokens.forEach((token, i) => {
      for (let j = 0; j < width; j++) {
        const place = named["embed.pos_embed.W_pos"][positions[i] * width + j];
        x[i * width + j] = named["embed.embed.W_E"][token * width + j] + place + tokenType[j];
      }
    });
    return layerNorm(x, tokens.length, named["embed.ln.w"], named["embed.ln.b"], shape.layer_norm_eps);
  }

  // The model on one matrix. `positions` are those of its entries in the largest matrix: padding, which nothing attends
  // to, is left out. `change.heads[layer][head]` is true for an ablated head, and `change.z` has for each layer what z of
  // such a head becomes; null for uniform attention. With `intact`, the same without ablation, layers below the first
  // ablated head are taken from there.
  function run(named, shape, tokens, positions, change, intact) {
    const n = tokens.length;
    const first = intact ? change.heads.findIndex((heads) => heads.some(Boolean)) : 0;
    if (first < 0) return intact;
    const inputs = intact ? intact.inputs.slice(0, first + 1) : [embed(named, tokens, positions, shape)];
    const patterns = intact ? intact.patterns.slice(0, first) : [];
    const z = intact ? intact.z.slice(0, first) : [];
    for (let layer = first; layer < shape.n_layers; layer++) {
      const own = (name) => named[`blocks.${layer}.${name}`];
      const done = block(own, inputs[layer], n, shape, change.heads[layer], change.z && change.z[layer]);
      patterns.push(done.patterns);
      z.push(done.z);
      inputs.push(done.out);
    }
    const answers = linear(inputs[shape.n_layers], n, named["unembed.W_U"], named["unembed.b_U"]);
    return { answers, patterns, z, inputs };
  }

  return { decode, weights, run, erf };
})();
