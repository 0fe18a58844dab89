"use strict";
// What is shown, in the page's address: #step=16000&rows=5&cols=5&values=…&mask=1101…&entry=0,3&head=L0H7, all of it
// optional. What does not fit is left out and told; nothing in an address throws.
const Address = (() => {
  const SHOWN_AS = ["values", "errors"];
  const brief = (text) => (text.length > 30 ? `${text.slice(0, 30)}…` : text);
  const name = ([layer, head]) => `L${layer}H${head}`;

  // The state's address, without the #. What is as usual is left out.
  function write(state, model) {
    const list = (values) => Array.from(values, String).join(",");
    const { size, entry, head, method, second, shown } = state;
    const ablated = headsOf(state.ablated);
    const parts = [
      ["step", model.steps[state.at]],
      ["rows", size[0]],
      ["cols", size[1]],
      ["values", list(state.values)],
      ["mask", Array.from(state.observed).join("")],
      ["entry", `${Math.floor(entry / size[1])},${entry % size[1]}`],
      ["head", head && name(head)],
      ["ablated", ablated.map(name).join(",")],
      ["method", method === Live.METHODS[0] ? "" : method],
      ["second", second && list(second)],
      ["shown", shown === SHOWN_AS[0] ? "" : shown],
    ];
    return parts.flatMap(([key, value]) => (value || value === 0 ? [`${key}=${value}`] : [])).join("&");
  }

  function headsOf(ablated) {
    return ablated.flatMap((heads, layer) => heads.flatMap((is, head) => (is ? [[layer, head]] : [])));
  }

  // Puts what an address says into the page's state; gives a sentence on what of it does not fit, '' if all does.
  function read(text, live) {
    const given = new URLSearchParams(text);
    const problems = READERS.flatMap(([key, put]) => {
      const problem = given.has(key) ? put(given.get(key), live, given) : "";
      return problem ? [`${key} ${problem}`] : [];
    });
    return problems.length ? `Not all of the address fits this page: ${problems.join("; ")}.` : "";
  }

  // What an address may say, in the order in which it is read: a size comes before what has that size. Each puts it into
  // the state, or gives the reason why not.
  const READERS = [
    ["rows", putSize],
    ["values", (text, live) => putNumbers(text, live, (values) => live.put(values))],
    ["mask", putMask],
    ["step", putStep],
    ["entry", putEntry],
    ["head", (text, live) => putHeads(text, live, ([head]) => (live.state.head = head))],
    ["ablated", (text, live) => putHeads(text, live, (heads) => live.ablateOnly(heads))],
    ["method", (text, live) => putOneOf(text, Live.METHODS, (method) => (live.state.method = method))],
    ["second", (text, live) => putNumbers(text, live, (values) => (live.state.second = values))],
    ["shown", (text, live) => putOneOf(text, SHOWN_AS, (shown) => (live.state.shown = shown))],
  ];

  function putSize(rows, live, given) {
    const wanted = [Number(rows), Number(given.get("cols"))];
    const found = live.sizes.find((size) => size.every((side, i) => side === wanted[i]));
    if (!found) return `and cols ask for ${brief(rows)} × ${brief(given.get("cols") ?? "?")}, and the model knows ${live.sizes.map((size) => size.join(" × ")).join(", ")}`;
    if (found.join() !== live.state.size.join()) live.resize(...found);
    return "";
  }

  function putNumbers(text, live, put) {
    const wanted = live.state.values.length;
    const values = text.split(",").map(Numbers.parse);
    const wrong = values.indexOf(null);
    if (wrong >= 0) return `has ${brief(text.split(",")[wrong]) || "nothing"} where a number is expected`;
    if (values.length !== wanted) return `has ${values.length} numbers in the place of ${wanted}`;
    put(Float64Array.from(values, (value) => Task.rounded(value, live.task)));
    return "";
  }

  function putMask(text, live) {
    const wanted = live.state.values.length;
    if (!/^[01]*$/.test(text)) return `${brief(text)} is not a row of 1 (observed) and 0 (masked)`;
    if (text.length !== wanted) return `has ${text.length} digits in the place of ${wanted}`;
    live.observe(Uint8Array.from(text, Number));
    return "";
  }

  function putStep(text, live) {
    const { steps } = live.model;
    const wanted = /^\d+$/.test(text) ? Number(text) : NaN;
    if (Number.isNaN(wanted)) return `${brief(text)} is no step`;
    live.state.at = Course.nearest(steps, wanted);
    const found = steps[live.state.at];
    return found === wanted ? "" : `${brief(text)} is not in this page, and the nearest, ${found}, is shown`;
  }

  function putEntry(text, live) {
    const [rows, cols] = live.state.size;
    const [, row, col] = /^(\d+),(\d+)$/.exec(text) ?? [];
    if (row === undefined || Number(row) >= rows || Number(col) >= cols) return `${brief(text)} is none of ${rows} × ${cols}`;
    live.state.entry = Number(row) * cols + Number(col);
    return "";
  }

  function putHeads(text, live, put) {
    const { n_layers: layers, n_heads: heads } = live.model.model;
    const found = text.split(",").map((each) => /^L(\d+)H(\d+)$/.exec(each)?.slice(1).map(Number));
    const wrong = found.findIndex((head) => !head || head[0] >= layers || head[1] >= heads);
    if (wrong >= 0) return `${brief(text.split(",")[wrong]) || "of no name"} is none of L0H0 … ${name([layers - 1, heads - 1])}`;
    put(found);
    return "";
  }

  function putOneOf(text, known, put) {
    if (!known.includes(text)) return `${brief(text)} is none of ${known.join(", ")}`;
    put(text);
    return "";
  }

  return { write, read, headsOf, name };
})();
