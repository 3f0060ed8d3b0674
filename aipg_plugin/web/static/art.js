// Drawings that explain: what a masking method does, and what happens at the border of an area. No photograph of anybody.

import { svg } from "./ui.js";

const person = (x, fill, extra = {}) => svg("g", { transform: `translate(${x} 0)`, fill, ...extra },
  svg("circle", { cx: 0, cy: 28, r: 11 }), svg("path", { d: "M-17 92v-32c0-11 7-17 17-17s17 6 17 17v32z" }));

const room = () => [svg("rect", { width: 160, height: 110, class: "art-wall" }), svg("rect", { y: 78, width: 160, height: 32, class: "art-floor" }),
  svg("rect", { x: 14, y: 44, width: 30, height: 48, rx: 3, class: "art-thing" }), svg("rect", { x: 118, y: 56, width: 30, height: 36, rx: 3, class: "art-thing" })];

const frame = (...parts) => svg("svg", { viewBox: "0 0 160 110", class: "art", "aria-hidden": "true" }, parts);

function mosaic() {
  const cells = [];
  const tones = ["#c98d6b", "#7f6a7d", "#4d6f94", "#3f5a7c", "#56789b", "#8f7f86"];
  for (let row = 0; row < 5; row += 1) for (let column = 0; column < 3; column += 1) {
    cells.push(svg("rect", { x: 59 + column * 14, y: 16 + row * 16, width: 14.2, height: 16.2, fill: tones[(row * 2 + column * 3) % tones.length] }));
  }
  return cells;
}

export function method(name, colour = "#808080") {
  if (name === "blurring") return frame(room(), mosaic());
  if (name === "filling") return frame(room(), person(80, colour, { stroke: colour, "stroke-width": 8, "stroke-linejoin": "round" }));
  return frame(room(), svg("g", { fill: "none", class: "art-ghost", "stroke-dasharray": "4 4", "stroke-width": 1.5 }, person(80, "none")));
}

export function straddle() {
  return svg("svg", { viewBox: "0 0 320 110", class: "art", "aria-hidden": "true" },
    svg("rect", { width: 320, height: 110, class: "art-wall" }), svg("rect", { y: 78, width: 320, height: 32, class: "art-floor" }),
    svg("rect", { x: 14, y: 6, width: 112, height: 98, class: "art-area" }),
    person(52, "#4d6f94"), person(94, "#b07a5b"),
    svg("rect", { x: 196, y: 6, width: 84, height: 98, class: "art-area" }),
    svg("g", { transform: "translate(200 0)" }, mosaic()));
}
