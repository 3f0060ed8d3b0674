// Add a camera: reach it, look at its guarded picture, say where it hangs, choose outputs. Every step is tested.

import { address, get, post } from "./api.js";
import { t } from "./i18n.js";
import { save } from "./form.js";
import { at, cameras, setting } from "./store.js";
import { button, dialog, empty, h, notice, problems, segmented, svg, toggle } from "./ui.js";
import { circleHandles } from "./lens.js";

const STEPS = ["source", "picture", "place", "outputs"];
const MODES = ["fisheye", "panorama", "double_panorama", "quad_ptz", "single_ptz", "corridor"];

export function openWizard() {
  const made = { url: "", user: "", password: "", url2: "", id: "", name: "", circle: null, found: null, mode: "fisheye", mount: "ceiling", height: 3, outputs: ["http"], guard: true, trial: null, mode2: "fisheye", loop: false };
  let step = 0;
  let redraw = () => {};
  return dialog({ title: t("add_camera"), wide: true, body: (close) => {
    const steps = h("ol", { class: "steps" });
    const content = h("div", { class: "stack" });
    const foot = h("div", { class: "button-row", style: { "justify-content": "flex-end" } });
    redraw = () => {
      empty(steps, STEPS.map((each, index) => h("li", { "aria-current": index === step ? "step" : undefined, class: index < step ? "done" : "" }, t(`wizard.${each}`))));
      const screen = { source: sourceStep, picture: pictureStep, place: placeStep, outputs: outputsStep }[STEPS[step]];
      const go = screen(made, content, (next) => { step = next; redraw(); }, close);
      empty(foot, step > 0 && button(t("back"), () => { step -= 1; redraw(); }, { kind: "quiet" }), go);
      content.querySelector("input, select")?.focus();
    };
    redraw();
    return [steps, content, foot];
  } });
}

export function withUser(url, user, password) {
  if (!user || !url.includes("://")) return url;
  const [scheme, rest] = url.split(/:\/\/(.*)/s);
  const bare = rest.includes("@") ? rest.slice(rest.lastIndexOf("@") + 1) : rest;
  return `${scheme}://${encodeURIComponent(user)}${password ? `:${encodeURIComponent(password)}` : ""}@${bare}`;
}

const escaped = (text) => text.replaceAll("${", "$${");
const isFile = (url) => !url.includes("://") && !url.startsWith("/dev/") && !/^\d+$/.test(url);

const table = (made, url) => ({ mount: made.mount, camera_height: made.height,
  lens: made.circle ? { circle: made.circle } : {}, streams: { 1: { source: { url: escaped(url) } } } });

function input(label, props, help) {
  const id = `w-${props.name}`;
  const error = h("p", { class: "error", id: `${id}-error` });
  const control = h("input", { id, type: "text", autocomplete: "off", spellcheck: "false", autocapitalize: "none", "aria-describedby": `${id}-error`, ...props });
  const box = h("div", { class: "field" }, h("label", { class: "label", for: id }, label), control, help && h("p", { class: "help" }, help), error);
  const fail = (text) => { error.textContent = text; if (text) control.setAttribute("aria-invalid", "true"); else control.removeAttribute("aria-invalid"); };
  return Object.assign(box, { control, fail });
}

function sourceStep(made, content, go) {
  const url = input(t("wizard.url"), { name: "url", value: made.url, placeholder: "rtsp://192.168.1.20/stream1", oninput: (event) => { made.url = event.target.value.trim(); } }, t("wizard.url_help"));
  const user = input(t("wizard.user"), { name: "camera-user", value: made.user, oninput: (event) => { made.user = event.target.value; } });
  const password = input(t("wizard.password"), { name: "camera-password", type: "password", autocomplete: "new-password", value: made.password, oninput: (event) => { made.password = event.target.value; } });
  const cams = h("div", {});
  const told = h("div", { "aria-live": "polite" });
  get("webcams").then((list) => empty(cams, list.length && h("div", { class: "field" }, h("span", { class: "label" }, t("wizard.webcams")), h("div", { class: "button-row" },
    list.map((each) => button(each.name, () => { made.url = each.url; url.control.value = each.url; }, { symbol: "cameras" })))))).catch(() => {});
  empty(content, h("p", { class: "muted" }, t("wizard.source_text")), url, cams, h("div", { class: "fields two" }, user, password), told);
  const next = button(t("wizard.test"), async () => {
    url.fail(""); password.fail("");
    if (!made.url) { url.fail(t("wizard.url_missing")); url.control.focus(); return; }
    next.disabled = true;
    empty(told, notice("info", h("p", {}, h("span", {}, t("wizard.testing")))));
    try {
      const found = await post("trials", { camera: table(made, withUser(made.url, made.user, made.password)) });
      Object.assign(made, { trial: found, circle: found.circle, found: found.circle, mode: found.capture_mode, mount: found.capture_mode === "corridor" ? "wall" : made.mount, loop: isFile(made.url) });
      go(1);
    } catch (error) {
      empty(told);
      if (error.kind === "unauthorised") { password.fail(t("wizard.unauthorised")); user.control.focus(); }
      else if (error.problems.length) { url.fail(error.problems.map((each) => `${each.message}. ${each.cure ? `${each.cure}.` : ""}`).join(" ")); url.control.focus(); }
      else empty(told, problems(error));
    } finally { next.disabled = false; }
  }, { kind: "primary", symbol: "check", id: "wizard-next" });
  return next;
}

function pictureStep(made, content, go) {
  const [w, hgt] = made.trial.size_wh;
  const height = (1000 * hgt) / w;
  const layer = svg("svg", { class: "overlay", viewBox: `0 0 1000 ${height}`, preserveAspectRatio: "none" });
  const live = h("div", { class: "live", style: { "--ratio": `${w} / ${hgt}` } }, h("img", { src: address(`trials/${made.trial.id}.jpg`), alt: t("wizard.guarded") }), layer);
  if (made.mode === "fisheye") circleHandles(layer, () => height, made.circle ?? [0.5, 0.5, 0.45], (circle) => { made.circle = circle; });
  empty(content, h("div", { class: "wizard-split" }, h("div", {}, live, h("p", { class: "caption" }, made.mode === "fisheye" ? t("lens_drag") : "")),
    h("div", { class: "stack" }, notice("ok", h("p", {}, t("wizard.reached", { size: `${w}×${hgt}`, codec: made.trial.codec })), h("p", {}, t("wizard.people", { count: made.trial.people }))),
      !made.trial.circle && made.mode === "fisheye" && notice("warn", h("p", {}, t("wizard.no_circle"))),
      h("div", { class: "field" }, h("label", { class: "label", for: "w-mode" }, t("label.capture_mode")),
        h("select", { id: "w-mode", value: made.mode, onchange: (event) => { made.mode = event.target.value; go(1); } }, MODES.map((mode) => h("option", { value: mode }, t(`choice.${mode}`)))),
        h("p", { class: "help" }, made.trial.sure ? t("wizard.mode_sure") : t("wizard.mode_unsure"))))));
  return button(t("next"), () => go(2), { kind: "primary", id: "wizard-next" });
}

function placeStep(made, content, go) {
  const range = setting("cameras.<camera>.camera_height");
  const out = h("output", {}, `${made.height.toFixed(1)} m`);
  const slider = h("input", { type: "range", id: "w-height", min: range.low, max: range.high, step: range.step, value: made.height, oninput: (event) => { made.height = Math.round(event.target.valueAsNumber * 10) / 10; out.textContent = `${made.height.toFixed(1)} m`; } });
  const second = input(t("wizard.url2"), { name: "url2", value: made.url2, oninput: (event) => { made.url2 = event.target.value.trim(); } }, t("wizard.url2_help"));
  const told = h("div", { "aria-live": "polite" });
  empty(content, h("div", { class: "field" }, h("span", { class: "label" }, t("label.mount")), segmented(t("label.mount"), "w-mount", [["ceiling", t("choice.ceiling")], ["wall", t("choice.wall")]], made.mount, (mount) => { made.mount = mount; })),
    h("div", { class: "field" }, h("label", { class: "label", for: "w-height" }, t("label.camera_height"), " ", out), slider, h("p", { class: "help" }, range.text)), second, told);
  const next = button(t("next"), async () => {
    second.fail("");
    if (!made.url2) { go(3); return; }
    next.disabled = true;
    empty(told, notice("info", h("p", {}, t("wizard.testing"))));
    try {
      made.mode2 = (await post("trials", { camera: table(made, withUser(made.url2, made.user, made.password)) })).capture_mode;
      go(3);
    } catch (error) {
      empty(told);
      second.fail(error.kind === "unauthorised" ? t("wizard.unauthorised") : error.problems.map((each) => each.message).join(". ") || t("offline"));
    } finally { next.disabled = false; }
  }, { kind: "primary", id: "wizard-next" });
  return next;
}

const freeId = (name) => {
  const plain = name.toLowerCase().normalize("NFKD").replace(/[^a-z0-9]+/g, "_").replace(/^_|_$/g, "").slice(0, 40) || "camera";
  const taken = new Set(cameras().map(([id]) => id));
  let id = plain;
  for (let count = 2; taken.has(id); count += 1) id = `${plain}_${count}`;
  return id;
};

function outputsStep(made, content, _go, close) {
  const name = input(t("label.name"), { name: "name", value: made.name, placeholder: t("wizard.name_example"), oninput: (event) => { made.name = event.target.value; } });
  const told = h("div", { "aria-live": "polite" });
  const choice = (kind) => h("label", { class: "check" }, h("input", { type: "checkbox", value: kind, checked: made.outputs.includes(kind), onchange: (event) => {
    made.outputs = event.target.checked ? [...made.outputs, kind] : made.outputs.filter((each) => each !== kind);
  } }), h("span", {}, t(`choice.${kind}`)));
  const clear = h("div", {});
  const warn = () => empty(clear, !made.guard && notice("warn", h("p", {}, t("state.off.what"))));
  empty(content, name, h("div", { class: "field" }, h("span", { class: "label" }, t("label.outputs")), h("div", { class: "checks" }, choice("http"), choice("rtsp_serve")), h("p", { class: "help" }, t("wizard.outputs_help"))),
    toggle(t("wizard.guard_on"), made.guard, (on) => { made.guard = on; warn(); }), clear, told);
  warn();
  return button(t("wizard.finish"), async () => {
    name.fail("");
    const id = freeId(made.name || "camera");
    const outputs = made.outputs.map((kind) => ({ kind }));
    const one = (url, mode) => ({ source: { url: escaped(withUser(url, made.user, made.password)), ...(made.loop && isFile(url) ? { loop: true } : {}) }, capture_mode: mode, outputs });
    const streams = { 1: one(made.url, made.mode), ...(made.url2 ? { 2: one(made.url2, made.mode2) } : {}) };
    const moved = made.circle && JSON.stringify(made.circle) !== JSON.stringify(made.found);
    const value = { name: made.name, mount: made.mount, camera_height: made.height, ...(moved ? { lens: { circle: made.circle } } : {}), streams,
      privacy_guard: made.guard ? { enabled: true, target_streams: Object.keys(streams) } : { enabled: false } };
    if (at(`cameras.${id}`)) return;
    if (await save([{ path: `cameras.${id}`, value, before: null }], { ask: true })) {
      close(id);
      location.hash = "#/cameras";
    }
  }, { kind: "primary", symbol: "plus", id: "wizard-next" });
}

