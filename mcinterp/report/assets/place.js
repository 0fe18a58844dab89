"use strict";
// Where the reader is: #step=8000&head=L1H0&at=attention opens exactly that view, and going to another checkpoint keeps
// it. ← and → go through the checkpoints.
(() => {
  // A bare #ablation is a place too.
  function place() {
    const hash = location.hash.slice(1);
    if (!hash.includes("=")) return hash ? { at: hash } : {};
    return Object.fromEntries(new URLSearchParams(hash));
  }

  function address(values) {
    const kept = Object.entries(values).filter(([, value]) => value !== undefined && value !== "" && value !== null);
    return kept.length ? `#${new URLSearchParams(kept)}` : "";
  }

  function keep(changes) {
    const step = document.body.dataset.step;
    history.replaceState(null, "", address({ ...place(), down: "", ...(step ? { step } : {}), ...changes }));
    markRows();
  }

  // The chosen head's rows, in every table.
  function markRows() {
    const { head } = place();
    for (const cell of document.querySelectorAll("tbody th[scope=row]")) {
      cell.parentElement.classList.toggle("chosen", head !== undefined && cell.textContent.trim() === head);
    }
  }

  // The section that is read, and how far its start has gone over the top.
  function reading() {
    const sections = [...document.querySelectorAll("main > section[id]")];
    const current = sections.findLast((one) => one.getBoundingClientRect().top < innerHeight / 3);
    return current ? { at: current.id, down: Math.round(-current.getBoundingClientRect().top) } : { at: "", down: "" };
  }

  // In a report that is one file, pages are written ?step-….html. Another head's page is read at the same section; a checkpoint's page, from a head's, at that head.
  function goTo(page) {
    const step = /^\??step-0*(\d+)\.html$/.exec(page)?.[1];
    const { head } = document.body.dataset;
    const kept = { ...place(), ...reading(), ...(step ? { step } : {}), ...(step && head ? { head } : {}) };
    location.href = page + (step || /^\??head-L\d+H\d+\.html$/.test(page) ? address(kept) : "");
  }

  function scrollThere({ at, down }) {
    const section = at && document.getElementById(at);
    if (section) window.scrollTo({ top: section.getBoundingClientRect().top + scrollY + Number(down || 0), behavior: "instant" });
  }

  // Checkpoints -----------------------------------------------------------------------------------------------------

  const pages = () => JSON.parse(document.getElementById("pages")?.textContent ?? "[]");

  // A place that names another checkpoint is on that one's page.
  function elsewhere() {
    const { step } = place();
    if (step === undefined || step === document.body.dataset.step) return false;
    const found = pages().find((page) => String(page.step) === step);
    if (found) location.replace(found.href + address(place()));
    else tellMissing(step);
    return Boolean(found);
  }

  function tellMissing(step) {
    const note = document.createElement("p");
    note.className = "finding missing";
    note.setAttribute("role", "status");
    note.textContent = `Step ${step} has no page: analysed are ${pages().map((page) => page.step).join(", ") || "none"}.`;
    document.getElementById("main").prepend(note);
  }

  function setUpSlider(slider) {
    const said = slider.parentElement.querySelector("output");
    slider.addEventListener("input", () => { said.textContent = pages()[slider.value].text; });
    slider.addEventListener("change", () => goTo(pages()[slider.value].href));
  }

  function onKey(event) {
    const busy = event.target.closest("input, select, textarea, [role=button], .scroll, .plot");
    if (busy || event.altKey || event.ctrlKey || event.metaKey || event.shiftKey) return;
    const rel = { ArrowLeft: "prev", ArrowRight: "next" }[event.key];
    const link = rel && document.querySelector(`a[rel=${rel}]`);
    if (link) goTo(link.getAttribute("href"));
  }

  mcinterp.place = place;
  mcinterp.keep = keep;
  mcinterp.goTo = goTo;
  document.addEventListener("keydown", onKey);
  document.addEventListener("DOMContentLoaded", () => {
    if (elsewhere()) return;
    document.querySelectorAll("input.steps").forEach(setUpSlider);
    for (const link of document.querySelectorAll("nav.steps a[rel]")) {
      link.addEventListener("click", (event) => {
        if (event.button || event.ctrlKey || event.metaKey || event.shiftKey) return;
        event.preventDefault();
        goTo(link.getAttribute("href"));
      });
    }
    markRows();
    window.addEventListener("hashchange", () => {
      if (location.hash.includes("=") && !elsewhere()) location.reload();
    });
  });
  // Figures and maps take their room while they are drawn; the place is found when all is there.
  window.addEventListener("load", () => scrollThere(place()));
})();
