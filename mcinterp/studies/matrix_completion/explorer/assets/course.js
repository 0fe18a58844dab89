"use strict";
// The curve of L_mask over training with a mark for each checkpoint in the page.
const Course = (() => {
  const WIDEST = 640;
  const HEIGHT = 84;
  const EDGE = { left: 46, right: 10, top: 10, bottom: 18 };

  function shape(name, attributes, text) {
    const made = document.createElementNS("http://www.w3.org/2000/svg", name);
    for (const [key, value] of Object.entries(attributes)) made.setAttribute(key, value);
    if (text !== undefined) made.textContent = text;
    return made;
  }

  // Draws into `box`; gives the marks, one a checkpoint. `choose(index, event)` is told of a click on one.
  function draw(box, curve, steps, choose) {
    const points = curve.step.map((step, i) => [step, curve.masked_mse[i]]).filter(([, level]) => level > 0);
    if (points.length < 2) return [];
    const width = Math.min(WIDEST, box.clientWidth || WIDEST);
    box.setAttribute("viewBox", `0 0 ${width} ${HEIGHT}`);
    const levels = points.map(([, level]) => Math.log10(level));
    const [low, high] = [Math.min(...levels), Math.max(...levels)];
    const last = Math.max(steps[steps.length - 1], points[points.length - 1][0]);
    const x = (step) => EDGE.left + (step / last) * (width - EDGE.left - EDGE.right);
    const y = (level) => EDGE.top + ((high - level) / (high - low || 1)) * (HEIGHT - EDGE.top - EDGE.bottom);
    const near = (step) => levels[nearest(points.map(([at]) => at), step)];
    const path = points.map(([step], i) => `${x(step).toFixed(1)},${y(levels[i]).toFixed(1)}`).join(" ");
    const words = (level) => Numbers.number(10 ** level, 2);
    const labels = [
      shape("text", { x: EDGE.left - 6, y: y(high) + 4, "text-anchor": "end" }, words(high)),
      shape("text", { x: EDGE.left - 6, y: y(low) + 4, "text-anchor": "end" }, words(low)),
      shape("text", { x: EDGE.left, y: HEIGHT - 2 }, "step 0"),
      shape("text", { x: x(last), y: HEIGHT - 2, "text-anchor": "end" }, Numbers.whole(last)),
      shape("text", { x: EDGE.left + 6, y: y(low) + 2 }, "L_mask in training"),
    ];
    const marks = steps.map((step, index) => {
      const mark = shape("circle", { cx: x(step), cy: y(near(step)), r: 5, class: "mark" });
      mark.append(shape("title", {}, `step ${Numbers.whole(step)}`));
      mark.addEventListener("click", (event) => choose(index, event));
      return mark;
    });
    box.append(shape("polyline", { points: path }), ...labels, ...marks);
    return marks;
  }

  function nearest(steps, wanted) {
    let best = 0;
    steps.forEach((step, i) => {
      if (Math.abs(step - wanted) < Math.abs(steps[best] - wanted)) best = i;
    });
    return best;
  }

  function choose(marks, index) {
    marks.forEach((mark, i) => mark.classList.toggle("now", i === index));
  }

  return { draw, choose };
})();
