"use strict";
// A report in one file. The address asks for a page, as report.html?step-00009000.html#ablation; it is unpacked with the
// scripts and styles that it names and takes the place of what is shown. Files of numbers are unpacked when they are saved.
(() => {
  const parts = new Map(Array.from(document.querySelectorAll("[data-part]"), (one) => [one.dataset.part, one]));

  function bytesOf(name) {
    const letters = atob(parts.get(name).textContent);
    const bytes = new Uint8Array(letters.length);
    for (let i = 0; i < letters.length; i += 1) bytes[i] = letters.charCodeAt(i);
    return bytes;
  }

  const unpacked = (name) =>
    new Response(new Blob([bytesOf(name)]).stream().pipeThrough(new DecompressionStream("gzip")));
  const textOf = (name) => unpacked(name).text();

  // The page as it is in a folder, but for scripts and styles, which stand in it.
  async function whole(name) {
    const page = await textOf(name);
    const head = page.slice(0, page.indexOf("</head>"));
    const tags = [...head.matchAll(/<(script|link)[^>]*? (?:src|href)="(assets\/[^"]+)"[^>]*>(?:<\/script>)?/g)];
    const texts = await Promise.all(tags.map(([, , asset]) => textOf(asset)));
    let [written, end] = ["", 0];
    tags.forEach(({ 0: tag, 1: kind, index }, i) => {
      const element = kind === "script" ? "script" : "style";
      written += `${page.slice(end, index)}<${element}>${texts[i]}</${element}>`;
      end = index + tag.length;
    });
    return written + page.slice(end);
  }

  function show(text) {
    document.open();
    document.write(text);
    // Its scripts have run, and none has drawn anything yet.
    if (window.mcinterp?.packed) mcinterp.packed.load = refused;
    if (window.mcinterp?.wall) mcinterp.wall.load = circuitsvis;
    document.close();
    document.addEventListener("click", save);
  }

  async function circuitsvis() {
    const text = await textOf("assets/circuitsvis.js");
    document.head.append(Object.assign(document.createElement("script"), { textContent: text }));
  }

  const refused = () =>
    Promise.reject(new Error("These maps are too large for a report in one file; the report in a folder has them."));

  async function save(event) {
    const address = event.target.closest("a[href]")?.getAttribute("href");
    if (!parts.has(address)) return;
    event.preventDefault();
    const link = document.createElement("a");
    link.href = URL.createObjectURL(await unpacked(address).blob());
    link.download = address.split("/").slice(1).join("-");
    link.click();
    URL.revokeObjectURL(link.href);
  }

  function tell(...words) {
    const said = document.createElement("p");
    said.append(...words);
    document.getElementById("unpacking").append(said);
  }

  async function start() {
    const name = location.search.slice(1) || "index.html";
    if (!window.DecompressionStream) {
      tell("This file holds a whole report, which this browser cannot unpack: Chrome and Edge 80, Firefox 113 and Safari 16.4, and later ones, can.");
    } else if (parts.has(name)) {
      show(await whole(name));
    } else {
      const link = Object.assign(document.createElement("a"), { href: "?", textContent: "to its overview" });
      tell(`This report has no page ${name}: `, link, ".");
    }
  }

  window.addEventListener("load", start);
})();
