// Draws every figure from the JSON beside it, in the colours of the page's theme: light, dark, or light on paper.
"use strict";

const root = document.documentElement;

function themed(json) {
  const styles = getComputedStyle(root);
  const value = (_, name) => styles.getPropertyValue(name).trim().replaceAll('"', "'");
  return JSON.parse(json.replace(/var\((--[\w-]+)\)/g, value));
}

function draw(width, part = document) {
  for (const place of part.querySelectorAll(".plot")) {
    const { data, layout } = themed(place.nextElementSibling.textContent);
    const config = { responsive: true, displayModeBar: false };
    if (matchMedia("(pointer: coarse)").matches) config.staticPlot = true; // a thumb scrolls the page, not the figure
    if (width) Object.assign(layout, { width });
    Plotly.react(place, data, layout, config);
  }
}

draw();
matchMedia("(prefers-color-scheme: dark)").addEventListener("change", () => draw());
addEventListener("beforeprint", () => { root.classList.add("on-paper"); draw(640); });
addEventListener("afterprint", () => { root.classList.remove("on-paper"); draw(); });
