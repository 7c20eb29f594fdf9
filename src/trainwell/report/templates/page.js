// Draws every figure from the JSON beside it, in the colours of the page's theme: light, dark, or light on paper.
"use strict";

const root = document.documentElement;
const places = [...document.querySelectorAll(".plot")];
const touched = matchMedia("(pointer: coarse)").matches;

// Only a text that is nothing but a variable's name is a colour; a column may be called whatever it likes.
function themed(json, styles) {
  return JSON.parse(json, (_, value) => {
    const named = typeof value === "string" && /^var\((--[\w-]+)\)$/.exec(value);
    return named ? styles.getPropertyValue(named[1]).trim().replaceAll('"', "'") : value;
  });
}

function draw(place, width) {
  const { data, layout } = themed(place.nextElementSibling.textContent, getComputedStyle(root));
  const config = { responsive: true, displayModeBar: false };
  if (touched) Object.assign(layout, { dragmode: false }); // a thumb scrolls the page; a tap still tells the value
  if (width) Object.assign(layout, { width });
  try {
    Plotly.react(place, data, layout, config);
  } catch (error) {
    place.textContent = "This figure could not be drawn.";
    console.error(error);
  }
}

// One figure at a time, so that the page can be read and scrolled while the others are drawn.
const waiting = [...places];
function next() {
  const place = waiting.shift();
  if (place) {
    draw(place);
    setTimeout(next);
  }
}

function drawAll(width) {
  waiting.length = 0;
  for (const place of places) draw(place, width);
}

// A table that has no more to show than is seen is no stop for the keyboard.
function stops() {
  for (const table of document.querySelectorAll(".table")) {
    const scrolls = table.scrollWidth > table.clientWidth || table.scrollHeight > table.clientHeight;
    table.toggleAttribute("tabindex", scrolls);
    if (scrolls) table.tabIndex = 0;
  }
}

next();
stops();
addEventListener("resize", stops);
document.addEventListener("toggle", stops, true); // a fold that opens may show a table
matchMedia("(prefers-color-scheme: dark)").addEventListener("change", () => drawAll());
addEventListener("beforeprint", () => { root.classList.add("on-paper"); drawAll(640); });
addEventListener("afterprint", () => { root.classList.remove("on-paper"); drawAll(); });
