"use strict";
// The curve of L_mask over training with a mark for each checkpoint in the page, and the slider under it: both have one
// axis of steps, so that the slider's thumb is under the mark.
const Course = (() => {
  const HEIGHT = 84;
  const EDGE = { left: 46, right: 14, top: 10, bottom: 18 };
  const MOVES = { ArrowLeft: -1, ArrowDown: -1, PageDown: -1, ArrowRight: 1, ArrowUp: 1, PageUp: 1 };

  function shape(name, attributes, text) {
    const made = document.createElementNS("http://www.w3.org/2000/svg", name);
    for (const [key, value] of Object.entries(attributes)) made.setAttribute(key, value);
    if (text !== undefined) made.textContent = text;
    return made;
  }

  // Sets up curve and slider. `choose(index, event)` is told of a checkpoint that is clicked, slid or stepped to.
  function build(box, slider, curve, steps, choose) {
    const points = curve.step.map((step, i) => [step, curve.masked_mse[i]]).filter(([, level]) => level > 0);
    const last = Math.max(steps[steps.length - 1], points.length ? points[points.length - 1][0] : 0);
    const course = { box, points, steps, last, choose, now: 0, marks: [] };
    Object.assign(slider, { min: 0, max: last, step: 1 });
    slider.parentElement.style.setProperty("--left", `${EDGE.left}px`);
    slider.parentElement.style.setProperty("--right", `${EDGE.right}px`);
    slider.addEventListener("input", (event) => choose(nearest(steps, Number(slider.value)), event));
    slider.addEventListener("keydown", (event) => {
      if (!(event.key in MOVES)) return;
      event.preventDefault();
      choose(Math.min(Math.max(course.now + MOVES[event.key], 0), steps.length - 1), event);
    });
    new ResizeObserver(() => draw(course)).observe(box.parentElement);
    draw(course);
    return course;
  }

  // At the width that there is, a unit of the drawing being a pixel of the page, as the slider's are.
  function draw(course) {
    const { box, points, steps, last } = course;
    const width = box.parentElement.clientWidth;
    if (points.length < 2 || width === course.width) return;
    course.width = width;
    box.setAttribute("viewBox", `0 0 ${width} ${HEIGHT}`);
    box.replaceChildren();
    const levels = points.map(([, level]) => Math.log10(level));
    const [low, high] = [Math.min(...levels), Math.max(...levels)];
    const x = (step) => EDGE.left + (step / (last || 1)) * (width - EDGE.left - EDGE.right);
    const y = (level) => EDGE.top + ((high - level) / (high - low || 1)) * (HEIGHT - EDGE.top - EDGE.bottom);
    const path = points.map(([step], i) => `${x(step).toFixed(1)},${y(levels[i]).toFixed(1)}`).join(" ");
    const at = points.map(([step]) => step);
    course.marks = steps.map((step, index) => mark(course, x(step), y(levels[nearest(at, step)]), index));
    box.append(shape("polyline", { points: path }), ...labels(x, y, [low, high], last), ...course.marks);
    show(course, course.now);
  }

  function labels(x, y, [low, high], last) {
    const words = (level) => Numbers.number(10 ** level, 2);
    return [
      shape("text", { x: EDGE.left - 6, y: y(high) + 4, "text-anchor": "end" }, words(high)),
      shape("text", { x: EDGE.left - 6, y: y(low) + 4, "text-anchor": "end" }, words(low)),
      shape("text", { x: EDGE.left, y: HEIGHT - 2 }, "step 0"),
      shape("text", { x: x(last), y: HEIGHT - 2, "text-anchor": "end" }, Numbers.whole(last)),
      shape("text", { x: EDGE.left + 6, y: y(low) + 2 }, "L_mask in training"),
    ];
  }

  function mark({ steps, choose }, x, y, index) {
    const made = shape("circle", { cx: x, cy: y, r: 5, class: "mark" });
    made.append(shape("title", {}, `step ${Numbers.whole(steps[index])}`));
    made.addEventListener("click", (event) => choose(index, event));
    return made;
  }

  function nearest(steps, wanted) {
    let best = 0;
    steps.forEach((step, i) => {
      if (Math.abs(step - wanted) < Math.abs(steps[best] - wanted)) best = i;
    });
    return best;
  }

  function show(course, index) {
    course.now = index;
    course.marks.forEach((each, i) => each.classList.toggle("now", i === index));
  }

  return { build, show, nearest };
})();
