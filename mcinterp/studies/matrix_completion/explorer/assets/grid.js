"use strict";
// A matrix as a table of coloured cells, and how entries of one are chosen, masked and typed.
const Grid = (() => {
  const DARKEST = 85; // percent of a colour that text can still be read on
  const ARROWS = { ArrowLeft: [0, -1], ArrowRight: [0, 1], ArrowUp: [-1, 0], ArrowDown: [1, 0] };

  function element(name, text, attributes = {}) {
    const made = document.createElement(name);
    made.textContent = text;
    for (const [key, value] of Object.entries(attributes)) made.setAttribute(key, value);
    return made;
  }

  // Fills a table with rows × cols cells, told apart by `index`; gives them in row-major order.
  function build(table, rows, cols) {
    const numbers = Array.from({ length: cols }, (_, col) => element("th", col, { scope: "col" }));
    const head = element("tr", "");
    head.append(element("td", "", { role: "none" }), ...numbers);
    const body = Array.from({ length: rows }, (_, row) => {
      const line = element("tr", "");
      line.append(element("th", row, { scope: "row" }));
      for (let col = 0; col < cols; col++) {
        const cell = element("td", "", { class: "entry", "data-index": row * cols + col });
        cell.append(element("span", ""));
        line.append(cell);
      }
      return line;
    });
    const top = element("thead", "");
    top.append(head);
    const rest = element("tbody", "");
    rest.append(...body);
    table.replaceChildren(table.caption, top, rest);
    return Array.from(table.querySelectorAll("td.entry"));
  }

  // Sets a style's property, if that changes it: setting is what costs time.
  function put(target, name, value) {
    if (target.style.getPropertyValue(name) !== String(value)) target.style.setProperty(name, value);
  }

  // One entry: its text, its value as a share of the largest (−1 to 1), and whether it is masked.
  function show(cell, { text, share, masked, label }) {
    const span = cell.firstChild;
    if (span.textContent !== text) span.textContent = text;
    put(cell, "--share", `${Math.round(DARKEST * Math.min(1, Math.abs(share)))}%`);
    cell.classList.toggle("negative", share < 0);
    cell.classList.toggle("strong", Math.abs(share) > 0.6);
    cell.classList.toggle("masked", masked);
    if (cell.title === label) return;
    cell.setAttribute("aria-label", label);
    cell.title = label;
  }

  const indexOf = (target) => {
    const cell = target.closest?.("td.entry");
    return cell ? Number(cell.dataset.index) : null;
  };

  // Pointing at any of the tables chooses an entry.
  function choosable(table, choose) {
    table.addEventListener("pointerover", (event) => {
      const index = indexOf(event.target);
      if (index !== null) choose(index);
    });
  }

  // The table whose entries are masked and typed. `hooks`: choose(index), toggle(index, event), type(index, text, event)
  // (false if the text is no value), text(index).
  function editable(table, hooks) {
    table.addEventListener("focusin", (event) => {
      const index = indexOf(event.target);
      if (index !== null) hooks.choose(index);
    });
    table.addEventListener("click", (event) => {
      const index = indexOf(event.target);
      if (index === null || event.target.tagName === "INPUT") return;
      event.target.closest("td.entry").focus();
      hooks.toggle(index, event);
    });
    table.addEventListener("dblclick", (event) => {
      if (indexOf(event.target) !== null) edit(event.target.closest("td.entry"), null, hooks);
    });
    table.addEventListener("keydown", (event) => pressed(table, event, hooks));
  }

  function pressed(table, event, hooks) {
    const index = indexOf(event.target);
    if (index === null || event.target.tagName === "INPUT" || event.ctrlKey || event.metaKey || event.altKey) return;
    const cell = event.target;
    if (event.key in ARROWS) move(table, index, ...ARROWS[event.key]);
    else if (event.key === "Home" || event.key === "End") move(table, index, 0, event.key === "Home" ? -Infinity : Infinity);
    else if (event.key === " ") hooks.toggle(index, event);
    else if (/^[-−+.,\d]$/.test(event.key)) edit(cell, event.key, hooks, event);
    else if (event.key === "Enter" || event.key === "F2") edit(cell, null, hooks);
    else return;
    event.preventDefault();
  }

  function move(table, index, down, right) {
    const rows = table.tBodies[0].rows;
    const cols = rows[0].cells.length - 1;
    const within = (at, size) => Math.min(Math.max(at, 0), size - 1);
    const row = within(Math.floor(index / cols) + down, rows.length);
    focus(rows[row].cells[within((index % cols) + right, cols) + 1]);
  }

  // One cell at a time is reached by Tab, the others from it by arrows.
  function focus(cell) {
    for (const other of cell.closest("table").querySelectorAll("td[tabindex='0']")) other.tabIndex = -1;
    cell.tabIndex = 0;
    cell.focus();
  }

  // A field in the cell, begun with a typed letter or the value that is there; what is typed counts at once.
  function edit(cell, begun, hooks, event) {
    if (cell.querySelector("input")) return;
    const index = Number(cell.dataset.index);
    const before = hooks.text(index);
    const input = element("input", "", { inputmode: "decimal", autocomplete: "off", "aria-label": `value, ${cell.title}` });
    input.value = begun ?? before;
    cell.append(input);
    input.focus();
    if (begun === null) input.select();
    const typed = (cause) => input.setAttribute("aria-invalid", String(!hooks.type(index, input.value, cause)));
    const close = (back) => {
      input.onblur = null;
      input.remove();
      if (back) focus(cell);
    };
    if (begun !== null) typed(event);
    input.addEventListener("input", typed);
    input.onblur = () => close(false);
    input.addEventListener("keydown", (key) => {
      if (key.key === "Escape") hooks.type(index, before, key);
      if (!["Escape", "Enter", "ArrowUp", "ArrowDown"].includes(key.key)) return;
      key.preventDefault();
      key.stopPropagation();
      close(true);
      if (key.key in ARROWS) move(cell.closest("table"), index, ...ARROWS[key.key]);
    });
  }

  return { element, put, build, show, choosable, editable };
})();
