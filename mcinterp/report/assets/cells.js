"use strict";
// Cells of maps in the colours of the theme: 0 is the page's own colour, full colour is where a scale ends.
(() => {
  const COLOURS = { light: [[0, 90, 140], [190, 75, 0]], dark: [[108, 185, 234], [255, 165, 90]] };

  // The colours of what is above 0, and below.
  const colours = () => COLOURS[mcinterp.isDark() ? "dark" : "light"];

  const opacity = (value, end) => Math.min(1, Math.abs(value) / end);

  // A pixel a cell, row by row.
  function paint(canvas, width, height, valueAt, end) {
    const [above, below] = colours();
    Object.assign(canvas, { width, height });
    const context = canvas.getContext("2d");
    const image = context.createImageData(width, height);
    for (let cell = 0; cell < width * height; cell += 1) {
      const value = valueAt(cell);
      image.data.set(value < 0 ? below : above, 4 * cell);
      image.data[4 * cell + 3] = Math.round(255 * opacity(value, end));
    }
    context.putImageData(image, 0, 0);
  }

  // What the colours are, from `low` to `high`, in words.
  function showBar(bar, low, high, signed = false) {
    const [above, below] = colours().map((colour) => `rgb(${colour})`);
    const [first, ramp, last] = bar.children;
    first.textContent = low;
    ramp.style.background = `linear-gradient(to right, ${signed ? `${below}, ` : ""}transparent, ${above})`;
    last.textContent = high;
    bar.setAttribute("aria-label", `Colours from ${low} to ${high}`);
  }

  mcinterp.cells = { colours, opacity, paint, showBar };
})();
