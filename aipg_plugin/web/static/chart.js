// Small line charts and the heat map.

import { clock, number } from "./i18n.js";
import { h, svg } from "./ui.js";

// `series`: lists of numbers at the same times. Values are read by pointing at the chart or with the arrow keys.
export function chart({ title, t_s, series, format = (value) => number(value), low = 0, least = 1 }) {
  const all = series.flat();
  const high = Math.max(least, ...all);
  const [start, end] = [t_s[0] ?? 0, t_s.at(-1) ?? 1];
  const x = (time) => ((time - start) / Math.max(1, end - start)) * 1000;
  const y = (value) => 118 - ((value - low) / (high - low || 1)) * 112;
  const lines = series.map((values, index) => svg("polyline", { class: `line ${index ? "second" : ""}`, points: values.map((value, at) => `${x(t_s[at]).toFixed(1)},${y(value).toFixed(1)}`).join(" ") }));
  const area = t_s.length > 1 ? svg("polygon", { class: "fill", points: `0,118 ${series[0].map((value, at) => `${x(t_s[at]).toFixed(1)},${y(value).toFixed(1)}`).join(" ")} 1000,118` }) : null;
  const marker = svg("line", { class: "grid", y1: 0, y2: 118, visibility: "hidden" });
  const plot = svg("svg", { viewBox: "0 0 1000 120", preserveAspectRatio: "none", "aria-hidden": "true" }, [6, 62, 118].map((at) => svg("line", { class: "grid", x1: 0, x2: 1000, y1: at, y2: at })), [area].filter(Boolean), lines, marker);
  const now = series.map((values) => values.at(-1)).filter((value) => value !== undefined).map(format).join(" → ") || "–";
  const value = h("strong", {}, now);
  const when = h("span", {}, t_s.length ? clock(start) : "");
  const show = (index) => {
    if (index === null) { value.textContent = now; when.textContent = t_s.length ? clock(start) : ""; marker.setAttribute("visibility", "hidden"); return; }
    value.textContent = series.map((values) => format(values[index])).join(" → ");
    when.textContent = clock(t_s[index]);
    marker.setAttribute("x1", x(t_s[index]));
    marker.setAttribute("x2", x(t_s[index]));
    marker.setAttribute("visibility", "visible");
  };
  let at = t_s.length - 1;
  const box = h("div", { class: "plot", tabindex: "0", role: "img", "aria-label": `${title}: ${now}`,
    onpointermove: (event) => { const rect = box.getBoundingClientRect(); if (t_s.length) { at = Math.round(((event.clientX - rect.left) / rect.width) * (t_s.length - 1)); at = Math.min(t_s.length - 1, Math.max(0, at)); show(at); } },
    onpointerleave: () => show(null), onblur: () => show(null),
    onkeydown: (event) => { const by = { ArrowLeft: -1, ArrowRight: 1 }[event.key]; if (by && t_s.length) { event.preventDefault(); at = Math.min(t_s.length - 1, Math.max(0, at + by)); show(at); } } },
  h("span", { class: "top" }, format(high)), plot);
  return h("div", { class: "chart" }, h("div", { class: "chart-head" }, h("h3", {}, title), value), box, h("div", { class: "axis" }, when, h("span", {}, t_s.length ? clock(end) : "")));
}

// Person-seconds over the floor, the camera in the middle.
export function heatMap(map, label) {
  const rows = map.seconds.length;
  const columns = map.seconds[0].length;
  const reach = Math.max(3, ...[map.origin_xy_m[0], map.origin_xy_m[1], map.origin_xy_m[0] + columns * map.cell_m, map.origin_xy_m[1] + rows * map.cell_m].map(Math.abs));
  const side = Math.ceil((2 * reach) / map.cell_m);
  const canvas = h("canvas", { class: "heat", width: side, height: side, role: "img", "aria-label": label });
  const context = canvas.getContext("2d");
  const most = Math.max(1, ...map.seconds.flat());
  map.seconds.forEach((row, r) => row.forEach((value, c) => {
    if (!value) return;
    const share = Math.log1p(value) / Math.log1p(most);
    context.fillStyle = `hsl(${200 - 190 * share} 85% ${38 + 20 * share}% / ${0.35 + 0.65 * share})`;
    context.fillRect(Math.round((map.origin_xy_m[0] + reach) / map.cell_m) + c, Math.round((map.origin_xy_m[1] + reach) / map.cell_m) + r, 1, 1);
  }));
  context.fillStyle = "#8a94a0";
  context.fillRect(Math.floor(side / 2), Math.floor(side / 2), 1, 1);
  return h("figure", { style: { margin: 0 } }, canvas, h("figcaption", { class: "caption" }, label, ` ${number(2 * reach)} × ${number(2 * reach)} m`));
}
