"use strict";
// Sorts, filters and copies tables.
(() => {
  function sortValue(row, column) {
    const cell = row.cells[column];
    const text = cell.dataset.sort ?? cell.textContent.trim();
    const number = Number(text);
    if (text === "–" || text === "") return null;
    return Number.isNaN(number) ? text : number;
  }

  function compare(a, b) {
    if (typeof a === "number" && typeof b === "number") return a - b;
    return String(a).localeCompare(String(b), "en", { numeric: true });
  }

  function sortBy(button) {
    const head = button.closest("th");
    const body = head.closest("table").tBodies[0];
    const descending = head.getAttribute("aria-sort") === "ascending";
    for (const other of head.parentNode.cells) other.removeAttribute("aria-sort");
    head.setAttribute("aria-sort", descending ? "descending" : "ascending");
    const rows = Array.from(body.rows, (row) => ({ row, value: sortValue(row, head.cellIndex) }));
    rows.sort((a, b) => {
      if (a.value === null || b.value === null) return (a.value === null) - (b.value === null);
      return descending ? compare(b.value, a.value) : compare(a.value, b.value);
    });
    body.append(...rows.map((entry) => entry.row));
  }

  function filterRows(input) {
    const wanted = input.value.trim().toLowerCase();
    for (const row of input.closest(".table").querySelector("tbody").rows) {
      row.hidden = wanted !== "" && !row.textContent.toLowerCase().includes(wanted);
    }
  }

  // Copying ---------------------------------------------------------------------------------------------------------

  const shownText = (cell) => (cell.querySelector("summary") ?? cell).textContent.trim();

  // Numbers unrounded, as the table sorts by them; where an interval is shown it stands in a column beside.
  function shownRows(table) {
    const heads = Array.from(table.tHead.rows[0].cells, shownText);
    const rows = Array.from(table.tBodies[0].rows).filter((row) => !row.hidden && row.cells.length === heads.length);
    const withInterval = heads.map((_, i) => rows.some((row) => /\[.+\]/.test(shownText(row.cells[i]))));
    const spread = (values, more) => values.flatMap((value, i) => (withInterval[i] ? [value, more(i)] : [value]));
    const value = (cell) => cell.dataset.sort ?? shownText(cell);
    return [
      spread(heads, (i) => `${heads[i]}, 95 %`),
      ...rows.map((row) =>
        spread(Array.from(row.cells, value), (i) => shownText(row.cells[i]).match(/\[.+\]/)?.[0] ?? ""),
      ),
    ];
  }

  mcinterp.csv = (rows) => {
    const quoted = (value) => (/[",\n]/.test(value) ? `"${String(value).replaceAll('"', '""')}"` : String(value));
    return rows.map((row) => row.map(quoted).join(",") + "\n").join("");
  };

  mcinterp.download = (name, text) => {
    const link = document.createElement("a");
    link.href = URL.createObjectURL(new Blob([text], { type: "text/csv" }));
    link.download = name;
    link.click();
    URL.revokeObjectURL(link.href);
  };

  async function copy(button) {
    const rows = shownRows(button.closest(".table").querySelector("table"));
    const said = button.nextElementSibling;
    try {
      await navigator.clipboard.writeText(mcinterp.csv(rows));
      said.textContent = `${rows.length - 1} rows copied`;
    } catch {
      said.textContent = "the browser refused; the numbers are in the files linked below";
    }
  }

  document.addEventListener("DOMContentLoaded", () => {
    for (const button of document.querySelectorAll("button.sort")) button.addEventListener("click", () => sortBy(button));
    for (const button of document.querySelectorAll("button.copy")) button.addEventListener("click", () => copy(button));
    for (const input of document.querySelectorAll(".filter input")) input.addEventListener("input", () => filterRows(input));
  });
})();
