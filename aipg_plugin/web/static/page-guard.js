// The guard of a camera: on or off, which streams, how people are hidden.

import { t } from "./i18n.js";
import { Draft, field, fields, saveBar } from "./form.js";
import { admin, cameraName, cameras, setting, store } from "./store.js";
import { empty, h } from "./ui.js";
import { method } from "./art.js";
import { cameraPicker, explain, liveView, pill, stateOf } from "./view.js";

const BELOW = "cameras.<camera>.privacy_guard.";
const FIRST = ["enabled", "target_streams"];

export function noCameras(content, page) {
  content.append(h("div", { class: "page-head" }, h("h1", {}, t(`page.${page}`))), h("div", { class: "card" }, h("p", {}, t("no_cameras_text")), h("a", { class: "button primary", href: "#/cameras", style: { "margin-top": "14px" } }, t("page.cameras"))));
}

// A stream picture with state beside it, following what the server tells.
export function stage(camera, stream, options = {}) {
  const view = liveView(camera, stream, { width: 960, fps: 10, overlay: true, label: t("picture_of", { camera: cameraName(camera) }), ...options });
  const state = h("div", { class: "stack", style: { "margin-top": "12px" }, "aria-live": "polite" });
  const draw = () => {
    const found = store.state?.cameras[camera];
    const one = found?.streams[stream];
    const { key, tone } = found?.enabled === false ? { key: "disabled", tone: "muted" } : stateOf(one, one?.target);
    const id = `${key} ${one?.reason}`;
    if (state.dataset.key === id) return;
    state.dataset.key = id;
    empty(state, h("div", { class: "button-row" }, pill(key, tone)), explain(key, one?.reason));
  };
  draw();
  store.addEventListener("state", draw);
  return { ...view, view, box: h("div", { class: "stage" }, view.box, state), stop: () => { view.stop(); store.removeEventListener("state", draw); } };
}

export function show(content, wanted) {
  const ids = cameras().map(([id]) => id);
  if (!ids.length) { noCameras(content, "guard"); return () => {}; }
  const camera = ids.includes(wanted) ? wanted : ids[0];
  const streams = Object.keys(cameras().find(([id]) => id === camera)[1].streams);
  const draft = new Draft();
  const live = stage(camera, streams[0]);
  const places = { camera };
  const filling = ["fill_colour", "fill_outline"];
  const known = new Set([...FIRST, "masking_method", ...filling]);
  const path = `cameras.${camera}.privacy_guard`;
  draft.addEventListener("change", () => {  // a guard that is switched on guards every stream unless told otherwise
    const targets = draft.get(`${path}.target_streams`);
    if (draft.get(`${path}.enabled`) && draft.values.has(`${path}.enabled`) && !Array.isArray(targets)) draft.set(`${path}.target_streams`, streams);
  });
  const fill = h("div", { class: "fields" }, filling.map((key) => field(setting(BELOW + key), places, draft)));
  const showFill = () => { fill.hidden = draft.get(`${path}.masking_method`) !== "filling"; };
  draft.addEventListener("change", showFill);
  showFill();
  content.append(h("div", { class: "page-head" }, h("h1", {}, t("page.guard")), cameraPicker(ids, camera, "guard", cameraName), h("p", { class: "lead" }, t("guard.lead"))),
    h("div", { class: "split" }, live.box, h("div", { class: "stack" },
      h("section", { class: "card fields" }, FIRST.map((key) => field(setting(BELOW + key), places, draft))),
      h("section", { class: "card fields" }, field(setting(`${BELOW}masking_method`), places, draft, { widget: methods }), fill),
      h("details", { class: "card" }, h("summary", {}, t("more_settings")), h("div", { class: "fields" },
        fields((form) => form.page === "guard" && !known.has(form.path.slice(BELOW.length)), places, draft))))), saveBar(draft));
  return live.stop;
}

function methods({ form, id, value, set }) {
  return h("div", { class: "methods", role: "radiogroup", "aria-label": form.label }, form.choices.map((each) => h("label", { class: "check-card" },
    method(each), h("span", { class: "title" }, h("input", { type: "radio", name: id, value: each, checked: each === value, disabled: !admin(), onchange: () => set(each) }), t(`choice.${each}`)),
    h("span", { class: "hint" }, t(`method.${each}`)))));
}
