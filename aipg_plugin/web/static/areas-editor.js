// Drawing areas on an SVG layer: pointer, touch and keyboard.

import { t } from "./i18n.js";
import { svg } from "./ui.js";
import { points } from "./view.js";

const SNAP = 10;   // layer units; the layer is 1000 wide
const CLOSE = 26;

export class Editor {
  tool = "select";
  list = "prohibited_areas";
  #pending = [];   // corners of a polygon being drawn
  #drag = null;
  #corner = null;  // corner that has the keyboard

  constructor({ layer, model, stream, height, editable, ontool }) {
    Object.assign(this, { layer, model, stream, height, editable, ontool });
    this.shapes = svg("g", {});
    this.guides = svg("g", {});
    this.elsewhere = svg("g", {});
    layer.classList.add("editor", "selecting");
    layer.append(this.elsewhere, this.shapes, this.guides);
    for (const kind of ["change", "select", "move"]) model.addEventListener(kind, () => this.draw());
    layer.addEventListener("pointerdown", (event) => this.#down(event));
    layer.addEventListener("pointermove", (event) => this.#move(event));
    layer.addEventListener("pointerup", (event) => this.#up(event));
    layer.addEventListener("pointercancel", () => { this.#drag = null; this.draw(); });
    layer.addEventListener("dblclick", () => this.#closePolygon());
    this.draw();
  }

  use(tool) {
    this.tool = tool;
    this.#pending = [];
    this.layer.classList.toggle("selecting", tool === "select");
    this.ontool(tool);
    this.draw();
  }

  // -- drawing ------------------------------------------------------------------------------------------------------

  draw() {
    const focused = document.activeElement?.closest?.("[data-uid]")?.dataset.uid;
    const height = this.height();
    this.shapes.replaceChildren(...this.model.areas.filter((area) => this.model.streamOf(area) === this.stream).map((area) => this.#shape(area, height)));
    const area = this.model.current;
    if (area && this.editable && this.model.streamOf(area) === this.stream) this.shapes.append(this.#handles(area, height));
    if (focused && this.layer.contains(document.activeElement) === false) this.shapes.querySelector(`[data-uid="${focused}"]`)?.focus({ preventScroll: true });
    this.#drawPending(height);
  }

  #shape(area, height) {
    const outline = points(area.points, height);
    const [x, y] = [0, 1].map((axis) => area.points.reduce((sum, point) => sum + point[axis], 0) / area.points.length);
    const kind = t(`one.${area.list}`);
    const group = svg("g", { tabindex: "0", role: "button", class: area.uid === this.model.selected ? "selected" : "", "data-uid": area.uid, "data-number": area.number, "data-list": area.list,
      "aria-label": `${kind} ${area.number}${area.name ? ` ${area.name}` : ""}, ${area.on ? t("on") : t("off")}`, "aria-pressed": String(area.uid === this.model.selected) },
    svg("polygon", { class: "under", points: outline }),
    svg("polygon", { class: `shape ${area.on ? "on" : "off"}`, points: outline, fill: area.list === "always_mask_areas" ? "#000" : area.colour, stroke: area.colour,
      "fill-opacity": area.list === "always_mask_areas" ? 0.45 : undefined }),
    svg("text", { class: "number", x: x * 1000, y: y * height }, String(area.number)));
    group.addEventListener("keydown", (event) => this.#key(event, area));
    group.addEventListener("focus", () => { if (!this.#drag) this.model.select(area.uid); });
    return group;
  }

  #handles(area, height) {
    const group = svg("g", {});
    area.points.forEach(([x, y], index) => {
      const [nx, ny] = area.points[(index + 1) % area.points.length];
      if (area.points.length < MOST_CORNERS) group.append(svg("circle", { class: "middle", "data-middle": index, cx: (x + nx) * 500, cy: ((y + ny) * height) / 2, r: 8 }));
    });
    area.points.forEach(([x, y], index) => group.append(
      svg("circle", { class: "hit", "data-corner": index, cx: x * 1000, cy: y * height, r: 26 }),
      svg("circle", { class: "handle", "data-corner": index, cx: x * 1000, cy: y * height, r: 11 })));
    return group;
  }

  #drawPending(height) {
    this.guides.replaceChildren();
    if (this.#drag?.kind === "rect") {
      const [[x0, y0], [x1, y1]] = [this.#drag.start, this.#drag.now];
      this.guides.append(svg("rect", { class: "guide", fill: "#5fd3c733", x: Math.min(x0, x1) * 1000, y: Math.min(y0, y1) * height, width: Math.abs(x1 - x0) * 1000, height: Math.abs(y1 - y0) * height }));
    }
    if (this.#pending.length) {
      this.guides.append(svg("polyline", { class: "guide", fill: "none", points: points(this.#pending, height) }),
        ...this.#pending.map(([x, y], index) => svg("circle", { class: "handle", cx: x * 1000, cy: y * height, r: index ? 7 : 13 })));
    }
    for (const [axis, value] of this.#drag?.snapped ?? []) {
      this.guides.append(axis ? svg("line", { class: "guide", x1: 0, x2: 1000, y1: value * height, y2: value * height }) : svg("line", { class: "guide", x1: value * 1000, x2: value * 1000, y1: 0, y2: height }));
    }
  }

  showElsewhere(list) {
    const height = this.height();
    this.elsewhere.replaceChildren(...list.flatMap(({ area, polygons }) => polygons.map((polygon) =>
      svg("polygon", { class: "elsewhere", "data-number": area.number, stroke: area.colour, points: points(polygon, height) }))));
  }

  // -- pointer ------------------------------------------------------------------------------------------------------

  #place(event) {
    const box = this.layer.getBoundingClientRect();
    return [(event.clientX - box.left) / box.width, (event.clientY - box.top) / box.height];
  }

  // Draw a coordinate to the picture's border and to corners of other areas that are near.
  #snap([x, y], event, exceptUid) {
    const found = [x, y];
    const snapped = [];
    if (event.altKey) return { found, snapped };
    const height = this.height();
    [0, 1].forEach((axis) => {
      const scale = axis ? height : 1000;
      const lines = [0, 1, ...this.model.areas.filter((area) => area.uid !== exceptUid && this.model.streamOf(area) === this.stream).flatMap((area) => area.points.map((point) => point[axis]))];
      const near = lines.map((line) => [Math.abs(line - found[axis]) * scale, line]).sort((one, other) => one[0] - other[0])[0];
      if (near[0] < SNAP) { found[axis] = near[1]; if (near[1] > 0 && near[1] < 1) snapped.push([axis, near[1]]); }
    });
    return { found, snapped };
  }

  #down(event) {
    if (!this.editable || event.button > 0) return;
    const raw = this.#place(event);
    const { found } = this.#snap(raw, event);
    if (this.tool === "polygon") { event.preventDefault(); this.#addCorner(found); return; }
    event.preventDefault();
    this.layer.setPointerCapture(event.pointerId);
    if (this.tool === "rect") { this.#drag = { kind: "rect", start: found, now: found }; return; }
    const area = this.model.current;
    const { corner, middle } = event.target.dataset;
    if (corner !== undefined && area) { this.#drag = { kind: "corner", area, index: Number(corner), marked: false }; this.#corner = Number(corner); return; }
    if (middle !== undefined && area) {
      this.model.mark();
      this.model.insert(area, Number(middle), ...raw);
      this.#drag = { kind: "corner", area, index: Number(middle) + 1, marked: true };
      this.model.moved();
      return;
    }
    const uid = Number(event.target.closest("[data-uid]")?.dataset.uid);
    this.#corner = null;
    this.model.select(uid || null);
    const picked = this.model.get(uid);
    if (picked) {
      this.shapes.querySelector(`[data-uid="${uid}"]`)?.focus({ preventScroll: true });
      this.#drag = { kind: "area", area: picked, start: raw, from: picked.points.map((point) => [...point]), marked: false };
    }
  }

  #move(event) {
    const drag = this.#drag;
    if (!drag) return;
    const raw = this.#place(event).map((value) => Math.min(1, Math.max(0, value)));
    if (drag.kind === "rect") { const { found, snapped } = this.#snap(raw, event); Object.assign(drag, { now: found, snapped }); this.draw(); return; }
    if (!drag.marked) { this.model.mark(); drag.marked = true; }
    if (drag.kind === "corner") {
      const { found, snapped } = this.#snap(raw, event, drag.area.uid);
      drag.snapped = snapped;
      this.model.corner(drag.area, drag.index, ...found);
    } else this.model.shift(drag.area, drag.from, raw[0] - drag.start[0], raw[1] - drag.start[1]);
    this.model.moved();
  }

  #up() {
    const drag = this.#drag;
    this.#drag = null;
    if (drag?.kind === "rect") {
      const [[x0, y0], [x1, y1]] = [drag.start, drag.now];
      if (Math.abs(x1 - x0) > 0.008 && Math.abs(y1 - y0) > 0.008) {
        const [left, right, top, low] = [Math.min(x0, x1), Math.max(x0, x1), Math.min(y0, y1), Math.max(y0, y1)];
        this.model.add(this.list, this.stream, [[left, top], [right, top], [right, low], [left, low]], true);
        this.use("select");
        this.#focusSelected();
      }
    }
    if (drag?.marked) this.model.dispatchEvent(new Event("change"));
    this.draw();
  }

  #addCorner([x, y]) {
    const [first] = this.#pending;
    const last = this.#pending.at(-1);
    if (this.#pending.length >= 3 && Math.hypot((x - first[0]) * 1000, (y - first[1]) * this.height()) < CLOSE) { this.#closePolygon(); return; }
    if (last && Math.hypot((x - last[0]) * 1000, (y - last[1]) * this.height()) < 3) return;
    this.#pending.push([x, y]);
    this.draw();
  }

  #closePolygon() {
    if (this.#pending.length < 3) return;
    this.model.add(this.list, this.stream, this.#pending, false);
    this.use("select");
    this.#focusSelected();
  }

  // -- keyboard -----------------------------------------------------------------------------------------------------

  #focusSelected() { this.shapes.querySelector(`[data-uid="${this.model.selected}"]`)?.focus({ preventScroll: true }); }

  // Keys that work wherever the focus is in the editor.
  key(event) {
    if (event.target.matches("input, select, textarea")) return;
    const command = event.ctrlKey || event.metaKey;
    const key = event.key.toLowerCase();
    if (command && key === "z") this.#did(event, () => (event.shiftKey ? this.model.redo() : this.model.undo()));
    else if (command && key === "y") this.#did(event, () => this.model.redo());
    else if (command && key === "d" && this.model.current) this.#did(event, () => { this.model.copy(this.model.selected); this.#focusSelected(); });
    else if (key === "escape" && (this.#pending.length || this.tool !== "select")) this.#did(event, () => this.use("select"));
    else if (key === "enter" && this.#pending.length) this.#did(event, () => this.#closePolygon());
  }

  #did(event, what) { event.preventDefault(); if (this.editable) what(); }

  #key(event, area) {
    if (!this.editable) return;
    const step = event.shiftKey ? 0.001 : 0.01;
    const by = { ArrowLeft: [-step, 0], ArrowRight: [step, 0], ArrowUp: [0, -step], ArrowDown: [0, step] }[event.key];
    if (by) this.#did(event, () => this.model.edit(() => {
      const at = this.#corner;
      if (at !== null && at < area.points.length) this.model.corner(area, at, area.points[at][0] + by[0], area.points[at][1] + by[1]);
      else this.model.shift(area, area.points, ...by);
    }));
    else if (event.key === "Delete" || event.key === "Backspace") this.#did(event, () => {
      if (this.#corner !== null && area.points.length > 3) { this.model.edit(() => this.model.drop(area, this.#corner)); this.#corner = null; } else this.model.remove(area.uid);
    });
    else if (event.key === " ") this.#did(event, () => this.model.edit(() => { area.on = !area.on; }));
  }
}

const MOST_CORNERS = 64;
