"use strict";
// Light or dark: what the reader's system asks for, unless the switch says otherwise. Loaded before the page is drawn.
window.mcinterp = {};
(() => {
  const KEY = "mcinterp-theme";
  const asked = matchMedia("(prefers-color-scheme: dark)");
  let printing = false;

  // Some browsers keep storage from files; then the choice holds for the page.
  const stored = () => {
    try {
      return localStorage.getItem(KEY);
    } catch {
      return null;
    }
  };
  const store = (name) => {
    try {
      localStorage.setItem(KEY, name);
    } catch {
      // See above.
    }
  };
  let chosen = ["light", "dark"].includes(stored()) ? stored() : "auto";

  const isDark = () => !printing && (chosen === "auto" ? asked.matches : chosen === "dark");

  function show() {
    document.documentElement.dataset.theme = isDark() ? "dark" : "light";
    document.dispatchEvent(new Event("mcinterp-theme"));
  }

  function setUpSwitch() {
    const choice = document.querySelector("select.theme-choice");
    if (!choice) return;
    choice.value = chosen;
    choice.addEventListener("change", () => {
      chosen = choice.value;
      store(chosen);
      show();
    });
  }

  const print = (now) => () => {
    printing = now;
    show();
  };
  window.addEventListener("beforeprint", print(true));
  window.addEventListener("afterprint", print(false));
  asked.addEventListener("change", show);
  document.addEventListener("DOMContentLoaded", setUpSwitch);
  mcinterp.isDark = isDark;
  show();
})();
