// The lens circle over a live guarded picture: dragged by its middle and its rim.

import { get } from "./api.js";
import { t } from "./i18n.js";
import { admin, at, cameraName } from "./store.js";
import { h, svg } from "./ui.js";
import { liveView } from "./view.js";

const clamp = (value, low, high) => Math.min(high, Math.max(low, value));
const rounded = (value) => Math.round(value * 10000) / 10000;

// Handles on an SVG layer 1000 units wide and `height()` high. `circle` is [cx, cy, r] by width, height, width.
export function circleHandles(layer, height, circle, onchange) {
  let value = circle;
  const ring = svg("ellipse", { class: "lens" });
  const handle = (label) => svg("g", { tabindex: "0", role: "slider", "aria-label": label, "aria-valuenow": "0", style: { cursor: "grab" } },
    svg("circle", { r: 34, fill: "transparent" }), svg("circle", { r: 13, fill: "#fff", stroke: "#0b6661", "stroke-width": 5 }));
  const middle = handle(t("lens_middle"));
  const rim = handle(t("lens_rim"));
  const group = svg("g", {}, ring, middle, rim);
  layer.append(group);
  const draw = () => {
    const [cx, cy, r] = value;
    ring.setAttribute("cx", cx * 1000);
    ring.setAttribute("cy", cy * height());
    ring.setAttribute("rx", r * 1000);
    ring.setAttribute("ry", r * 1000);
    middle.setAttribute("transform", `translate(${cx * 1000} ${cy * height()})`);
    rim.setAttribute("transform", `translate(${clamp((cx + r) * 1000, 14, 986)} ${cy * height()})`);
    middle.setAttribute("aria-valuetext", `${Math.round(cx * 100)} %, ${Math.round(cy * 100)} %`);
    rim.setAttribute("aria-valuenow", Math.round(r * 100));
  };
  const put = (next) => {
    value = [rounded(clamp(next[0], 0, 1)), rounded(clamp(next[1], 0, 1)), rounded(clamp(next[2], 0.1, 1))];
    draw();
    onchange(value);
  };
  const place = (event) => {
    const box = layer.getBoundingClientRect();
    return [(event.clientX - box.left) / box.width, (event.clientY - box.top) / box.height, box.height / box.width];
  };
  const drag = (node, move) => {
    node.addEventListener("pointerdown", (event) => { event.preventDefault(); node.setPointerCapture(event.pointerId); node.focus(); });
    node.addEventListener("pointermove", (event) => { if (node.hasPointerCapture(event.pointerId)) move(place(event)); });
    node.addEventListener("keydown", (event) => {
      const step = event.shiftKey ? 0.001 : 0.005;
      const by = { ArrowLeft: [-step, 0], ArrowRight: [step, 0], ArrowUp: [0, -step], ArrowDown: [0, step] }[event.key];
      if (!by) return;
      event.preventDefault();
      if (node === middle) put([value[0] + by[0], value[1] + by[1], value[2]]);
      else put([value[0], value[1], value[2] + by[0] - by[1]]);
    });
  };
  drag(middle, ([x, y]) => put([x, y, value[2]]));
  drag(rim, ([x, y, ratio]) => put([value[0], value[1], Math.hypot(x - value[0], (y - value[1]) * ratio)]));
  draw();
  return { draw, set: (next) => { value = next; draw(); }, remove: () => group.remove() };
}

// The live picture of a camera's details page; dragging the circle sets lens.circle in the draft.
export function lensEditor(camera, stream, draft) {
  const view = liveView(camera, stream, { width: 960, fps: 5, overlay: true, label: t("picture_of", { camera: cameraName(camera) }) });
  const path = `cameras.${camera}.lens.circle`;
  const caption = h("p", { class: "caption" }, t("lens_drag"));
  const box = h("div", {}, view.box, caption);
  let handles = null;
  const load = async () => {
    if (handles || at(`cameras.${camera}.streams.${stream}.capture_mode`) !== "fisheye") { if (!handles) caption.hidden = true; return; }
    const found = await get(`cameras/${camera}/streams/${stream}/overlays`).catch(() => ({}));
    if (!found.circle) return;
    handles = circleHandles(view.layer, () => view.height, found.circle, (circle) => draft.set(path, circle));
    if (!admin()) view.layer.style.setProperty("pointer-events", "none");
  };
  view.addEventListener("size", () => { handles?.draw(); load(); });
  draft.addEventListener("change", () => { const value = draft.get(path); if (Array.isArray(value)) handles?.set(value); });
  return { box, stop: () => view.stop() };
}
