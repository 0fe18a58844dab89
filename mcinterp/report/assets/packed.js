"use strict";
// Maps of a byte a cell: in the page, or in files beside it that are loaded one at a time.
(() => {
  const waiting = new Map();

  // Cells row by row; 0 is 0, and 1 … 255 go from the smallest cell to the largest by equal factors.
  function cells([low, top, text]) {
    const value = Float64Array.from({ length: 256 }, (_, code) => (code ? low * (top / (low || 1)) ** ((code - 1) / 254) : 0));
    return Float64Array.from(atob(text), (letter) => value[letter.charCodeAt(0)]);
  }

  // A local page may load scripts and nothing else; each hands its map to `take`.
  function load(folder, name) {
    return new Promise((resolve, reject) => {
      const script = document.createElement("script");
      waiting.set(name, resolve);
      script.addEventListener("load", () => script.remove());
      script.addEventListener("error", () => reject(new Error(`${folder}/${name} is missing beside the page.`)));
      script.src = `${folder}/${name}`;
      document.head.append(script);
    });
  }

  function take(name, packed) {
    waiting.get(name)?.(packed);
    waiting.delete(name);
  }

  globalThis.mcinterp = { ...globalThis.mcinterp, packed: { cells, load }, take };
})();
