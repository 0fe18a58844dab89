"use strict";
// Marks the section that is read in the list of contents.
(() => {
  function setUp(list) {
    const links = [...list.querySelectorAll("a[href^='#']")];
    const parts = links.map((link) => document.getElementById(link.getAttribute("href").slice(1)));
    const mark = () => {
      const read = parts.findLastIndex((part) => part && part.getBoundingClientRect().top < innerHeight / 3);
      links.forEach((link, at) => {
        if (at === read) link.setAttribute("aria-current", "true");
        else link.removeAttribute("aria-current");
      });
    };
    let asked = false;
    document.addEventListener("scroll", () => {
      if (asked) return;
      asked = true;
      requestAnimationFrame(() => {
        asked = false;
        mark();
      });
    }, { passive: true });
    mark();
  }

  document.addEventListener("DOMContentLoaded", () => document.querySelectorAll("nav.contents").forEach(setUp));
})();
