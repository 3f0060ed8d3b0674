// A live guarded picture with a drawing surface over it, and words for states.

import { watch } from "./api.js";
import { number, percent, seconds, t } from "./i18n.js";
import { h, icon, svg } from "./ui.js";

// canvas + SVG overlay in the picture's shape; the overlay's user units are 1000 across the picture's width.
export function liveView(camera, stream, { width = 960, fps = 10, label, overlay = false } = {}) {
  const canvas = h("canvas", { width: 16, height: 16, role: "img", "aria-label": label });
  const layer = overlay ? svg("svg", { class: "overlay", viewBox: "0 0 1000 1000", preserveAspectRatio: "none" }) : null;
  const waiting = h("div", { class: "waiting" }, h("span", { class: "spinner", "aria-hidden": "true" }), h("span", {}, t("waiting_picture")));
  const box = h("div", { class: "live" }, canvas, layer, waiting);
  const context = canvas.getContext("2d", { alpha: false });
  const view = new EventTarget();
  let stop = () => {};
  const paint = (picture) => {
    if (!box.isConnected) { if (started) stop(); return; }
    if (canvas.width !== picture.width || canvas.height !== picture.height) {
      canvas.width = picture.width;
      canvas.height = picture.height;
      box.style.setProperty("--ratio", `${picture.width} / ${picture.height}`);
      layer?.setAttribute("viewBox", `0 0 1000 ${Math.round((1000 * picture.height) / picture.width)}`);
      view.height = (1000 * picture.height) / picture.width;
      view.dispatchEvent(new Event("size"));
    }
    context.drawImage(picture, 0, 0);
    if (waiting.isConnected) waiting.remove();
    canvas.dataset.frames = String(Number(canvas.dataset.frames ?? 0) + 1);
  };
  let started = false;
  setTimeout(() => { started = true; }, 500);
  stop = watch(camera, stream, { width, fps, paint });
  return Object.assign(view, { box, canvas, layer, height: 1000, stop: () => stop() });
}

export const TONES = { guarding: "ok", degraded: "warn", failsafe: "warn", starting: "info", lost: "danger", off: "danger" };

export function stateOf(stream, guarded = true) {
  if (!stream) return { key: "disabled", tone: "muted" };
  if (!guarded && stream.state !== "lost") return { key: "off", tone: "danger" };
  return { key: stream.state, tone: TONES[stream.state] ?? "info" };
}

export function pill(key, tone) {
  const symbol = { ok: "guard", warn: "warn", danger: "warn", info: "info", muted: "info" }[tone];
  return h("span", { class: `pill ${tone}`, dataset: { state: key } }, icon(symbol, 16), t(`state.${key}`));
}

export function explain(key, reason) {
  return h("p", { class: "explain" }, h("span", {}, t(`state.${key}.what`)), " ", reason && key !== "guarding" && key !== "off" && key !== "starting" ? h("span", { class: "muted" }, `(${reason}) `) : null,
    h("span", {}, t(`state.${key}.do`)));
}

export function figures(stream) {
  const rows = [
    ["people", stream.people === null || stream.people === undefined ? "–" : number(stream.people, 0)],
    ["fps", `${number(stream.fps_in)} → ${number(stream.fps_out)}`],
    ["evidence_age", stream.evidence_age_s === null ? "–" : seconds(stream.evidence_age_s, 1)],
    ["masked_share", stream.masked_share === null || stream.masked_share === undefined ? "–" : percent(stream.masked_share)],
  ];
  return h("dl", { class: "figures" }, rows.map(([key, value]) => h("div", {}, h("dt", {}, t(`fig.${key}`)), h("dd", {}, value))));
}

export function cameraPicker(ids, current, page, name) {
  return h("label", { class: "picker" }, h("span", {}, t("camera")), h("select", { id: "camera-picker", value: current,
    onchange: (event) => { location.hash = `#/${page}/${event.target.value}`; } }, ids.map((id) => h("option", { value: id }, name(id)))));
}

export const points = (list, height) => list.map(([x, y]) => `${(x * 1000).toFixed(1)},${(y * height).toFixed(1)}`).join(" ");
