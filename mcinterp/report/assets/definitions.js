"use strict";
// What a column means, where one points at its head or comes to it by keyboard; and tables that are wider than the page.
(() => {
  const GAP = 6;
  let box = null;
  let told = null;

  function make() {
    const made = document.createElement("div");
    made.id = "definition";
    made.setAttribute("role", "tooltip");
    made.hidden = true;
    document.body.append(made);
    return made;
  }

  function show(head) {
    box ??= make();
    told = head;
    box.textContent = head.dataset.meaning;
    box.hidden = false;
    const { left, bottom, top } = head.getBoundingClientRect();
    const { width, height } = box.getBoundingClientRect();
    box.style.left = `${Math.max(GAP, Math.min(left, document.documentElement.clientWidth - width - GAP))}px`;
    box.style.top = `${bottom + GAP + height < innerHeight ? bottom + GAP : Math.max(GAP, top - height - GAP)}px`;
    head.querySelector("button, a, .defined")?.setAttribute("aria-describedby", box.id);
  }

  function hide() {
    if (!box || box.hidden) return;
    box.hidden = true;
    told = null;
    document.querySelectorAll("[aria-describedby=definition]").forEach((one) => one.removeAttribute("aria-describedby"));
  }

  function setUpHead(head) {
    head.addEventListener("pointerenter", () => show(head));
    head.addEventListener("pointerleave", hide);
    head.addEventListener("focusin", () => show(head));
    head.addEventListener("focusout", hide);
  }

  // Tables --------------------------------------------------------------------------------------------------------------

  function measure(frame) {
    const scroll = frame.querySelector(".scroll");
    const over = scroll.scrollWidth - scroll.clientWidth;
    frame.classList.toggle("wide", over > 1);
    frame.classList.toggle("cut", over - scroll.scrollLeft > 1);
  }

  // The head of a table stays in sight while the page goes by; a box that scrolls sideways takes that from CSS.
  function keepHeads() {
    for (const scroll of document.querySelectorAll(".scroll")) {
      const table = scroll.querySelector("table");
      const { top, bottom, height } = table.getBoundingClientRect();
      if (!height) continue;
      const head = table.tHead?.offsetHeight ?? 0;
      const down = bottom > 2 * head ? Math.max(0, Math.min(-top, height - 2 * head)) : 0;
      table.style.setProperty("--down", `${down}px`);
    }
  }

  document.addEventListener("DOMContentLoaded", () => {
    document.querySelectorAll("th[data-meaning]").forEach(setUpHead);
    document.addEventListener("keydown", (event) => { if (event.key === "Escape") hide(); });
    const seen = new ResizeObserver((changes) => changes.forEach((change) => measure(change.target)));
    for (const frame of document.querySelectorAll(".frame")) {
      seen.observe(frame);
      frame.querySelector(".scroll").addEventListener("scroll", () => measure(frame), { passive: true });
    }
    document.addEventListener("scroll", () => {
      if (told) show(told); // focus by keyboard scrolls
      keepHeads();
    }, { passive: true });
  });
})();
