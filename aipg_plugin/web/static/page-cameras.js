// A card for each camera; one camera in detail; cloning, export and import.

import { ApiError, address, post } from "./api.js";
import { t } from "./i18n.js";
import { approve, Draft, field, fields, save, saveBar } from "./form.js";
import { admin, at, cameraName, cameras, reloadSettings, store } from "./store.js";
import { button, dialog, empty, h, icon, iconButton, notice, problems, toast, toggle } from "./ui.js";
import { explain, figures, liveView, pill, stateOf } from "./view.js";
import { lensEditor } from "./lens.js";

export function show(content, camera) {
  return camera && at(`cameras.${camera}`) ? showOne(content, camera) : showAll(content);
}

function showAll(content) {
  const grid = h("div", { class: "cards" });
  const cards = new Map();
  const warnings = h("div", { class: "stack" });
  content.append(h("div", { class: "page-head" }, h("h1", {}, t("page.cameras")), h("span", { class: "spring" }),
    admin() && h("div", { class: "button-row" },
      button(t("add_camera"), addCamera, { kind: "primary", symbol: "plus", id: "add-camera" }),
      cameras().length > 1 && button(t("clone"), clone, { symbol: "copy" }),
      button(t("export"), () => { location.href = address("file"); }, { symbol: "download" }),
      button(t("import"), importFile, { symbol: "upload" }))), warnings, grid);

  const draw = () => {
    const ids = cameras().map(([id]) => id);
    if (ids.join() !== [...cards.keys()].join()) {
      for (const card of cards.values()) card.stop();
      cards.clear();
      for (const id of ids) cards.set(id, cameraCard(id));
      empty(grid, [...cards.values()].map((card) => card.box), !ids.length && welcome());
    }
    for (const [id, card] of cards) card.update(store.state?.cameras[id]);
    const told = (store.settings.warnings ?? []).filter((each) => each.path.startsWith("cameras.") || each.path.startsWith("web."));
    const key = JSON.stringify(told);
    if (warnings.dataset.key !== key) {
      warnings.dataset.key = key;
      empty(warnings, told.map((each) => notice("warn", h("p", {}, h("code", {}, each.path), " ", each.message, ". ", each.cure, "."))));
      warnings.style.marginBottom = told.length ? "18px" : "0";
    }
  };
  draw();
  store.addEventListener("state", draw);
  store.addEventListener("settings", draw);
  return () => {
    store.removeEventListener("state", draw);
    store.removeEventListener("settings", draw);
    for (const card of cards.values()) card.stop();
  };
}

const welcome = () => h("div", { class: "card stack" }, h("h2", {}, t("no_cameras")), h("p", {}, t("no_cameras_text")),
  admin() && h("div", {}, button(t("add_camera"), addCamera, { kind: "primary", symbol: "plus" })));

async function addCamera() {
  const { openWizard } = await import("./wizard.js");
  await openWizard();
}

// Switching on is done at once; switching off is asked about.
export async function switchGuard(camera, on) {
  const below = `cameras.${camera}.privacy_guard`;
  const targets = at(`${below}.target_streams`);
  const changes = [{ path: `${below}.enabled`, value: on, before: at(`${below}.enabled`) }];
  if (on && (!Array.isArray(targets) || !targets.length)) {
    changes.unshift({ path: `${below}.target_streams`, value: Object.keys(at(`cameras.${camera}.streams`)), before: targets });
  }
  return save(changes, { ask: false });
}

function cameraCard(id) {
  const first = () => Object.keys(at(`cameras.${id}.streams`) ?? {})[0];
  const view = liveView(id, first(), { width: 640, fps: 3, label: t("picture_of", { camera: cameraName(id) }) });
  const tag = h("span", {});
  const words = h("div", {});
  const numbers = h("div", {});
  const chips = h("div", { class: "stream-chips" });
  const heading = h("h2", {}, cameraName(id));
  const guard = h("div", {});
  view.box.append(tag);
  const box = h("article", { class: "card camera-card", dataset: { camera: id } }, view.box, h("div", { class: "body" },
    h("div", { class: "row" }, heading, guard), words, numbers, chips, h("div", { class: "links" },
      [["guard", "guard"], ["extension", "extension"], ["areas", "areas"]].map(([page, symbol]) =>
        h("a", { class: "button quiet", href: `#/${page}/${id}` }, icon(symbol, 18), t(`page.${page}`))),
      h("a", { class: "button quiet", href: `#/cameras/${id}` }, icon("edit", 18), t("details")))));
  let shownKey = "";
  const update = (state) => {
    if (!state) return;
    const [name, stream] = Object.entries(state.streams)[0] ?? [];
    const key = JSON.stringify([state, cameraName(id)]);
    if (key === shownKey) return;
    shownKey = key;
    heading.textContent = cameraName(id);
    const { key: word, tone } = state.enabled ? stateOf(stream, stream?.target) : { key: "disabled", tone: "muted" };
    if (tag.dataset.state !== word) { tag.dataset.state = word; empty(tag, pill(word, tone)); }
    if (!guard.contains(document.activeElement) || guard.querySelector("input").checked !== state.guard) {
      empty(guard, toggle(t("guard"), state.guard, async (on, input) => {
        if (!(await switchGuard(id, on))) input.checked = !on;
      }, { disabled: !admin() || !state.enabled }));
    }
    empty(words, explain(word, stream?.reason), Object.entries(stream?.outputs ?? {}).map(([output, why]) =>
      notice("danger", h("p", {}, t("output_fails", { output, why })))));
    empty(numbers, stream && state.enabled && figures(stream));
    empty(chips, h("span", { class: "muted" }, t("label.target_streams")), Object.entries(state.streams).map(([each, one]) =>
      h("span", { class: `pill ${one.target && state.guard ? "ok" : "muted"}` }, icon(one.target ? "guard" : "info", 14), `${t("stream")} ${each}`)));
    void name;
  };
  return { box, update, stop: () => view.stop() };
}

// -- one camera -----------------------------------------------------------------------------------------------------

function showOne(content, camera) {
  const draft = new Draft();
  const streams = Object.keys(at(`cameras.${camera}.streams`));
  const places = { camera };
  const own = (prefix) => (form) => form.page === "cameras" && form.path.startsWith(prefix) && !form.path.slice(prefix.length).includes(".");
  const lens = lensEditor(camera, streams[0], draft);
  content.append(h("div", { class: "page-head" }, h("h1", {}, cameraName(camera)), h("span", { class: "spring" }),
    h("a", { class: "button", href: "#/cameras" }, t("all_cameras")),
    admin() && button(t("remove_camera"), () => removeCamera(camera), { symbol: "trash" })),
  h("div", { class: "split" }, h("div", { class: "stage" }, lens.box), h("div", { class: "stack" },
    h("section", { class: "card fields" }, h("h2", {}, t("camera")), fields(own("cameras.<camera>."), places, draft)),
    h("section", { class: "card fields" }, h("h2", {}, t("label.lens")), fields(own("cameras.<camera>.lens."), places, draft)),
    streams.map((stream) => streamSection({ camera, stream }, draft)))), saveBar(draft));
  return lens.stop;
}

function streamSection(places, draft) {
  const below = "cameras.<camera>.streams.<stream>.";
  const leaf = (prefix) => (form) => form.page === "cameras" && form.path.startsWith(prefix) && !form.path.slice(prefix.length).includes(".") && form.kind !== "list" && !form.path.includes(".<n>");
  const more = h("details", {}, h("summary", {}, t("more_settings")), h("div", { class: "fields two", style: { "margin-top": "14px" } },
    fields((form) => leaf(`${below}source.`)(form) && !form.path.endsWith(".url"), places, draft), fields(leaf(`${below}view.`), places, draft)));
  return h("section", { class: "card fields", dataset: { stream: places.stream } }, h("h2", {}, `${t("stream")} ${places.stream}`),
    fields((form) => form.path === `${below}source.url`, places, draft), fields(leaf(below), places, draft), outputs(places, draft), more);
}

const KINDS = ["http", "rtsp_serve", "rtsp_publish", "file", "segments"];

function outputs(places, draft) {
  const path = `cameras.${places.camera}.streams.${places.stream}.outputs`;
  const list = h("div", { class: "stack" });
  const error = h("p", { class: "error" });
  const box = h("div", { class: "field", dataset: { path } }, h("span", { class: "label" }, t("label.outputs")), list, error);
  const options = store.forms.filter((form) => form.path.includes(".outputs.<n>.") && !/\.(kind|target)$/.test(form.path));
  const draw = () => {
    const value = draft.get(path) ?? [];
    const put = (index, change) => draft.set(path, value.map((each, at_) => (at_ === index ? { ...each, ...change } : each)));
    if (list.contains(document.activeElement) && document.activeElement.matches("input")) return;
    empty(list, value.map((output, index) => h("div", { class: "stack" }, h("div", { class: "button-row" },
      h("select", { value: output.kind, disabled: !admin(), "aria-label": t("label.kind"), style: { width: "auto" }, onchange: (event) => put(index, { kind: event.target.value, target: "" }) },
        KINDS.map((kind) => h("option", { value: kind }, t(`choice.${kind}`)))),
      ["http", "rtsp_serve"].includes(output.kind) ? null : h("input", { type: "text", value: output.target, disabled: !admin(), "aria-label": t("label.target"), placeholder: t("label.target"), style: { flex: "1 1 180px", width: "auto" }, onchange: (event) => put(index, { target: event.target.value }) }),
      admin() && iconButton("trash", t("remove"), () => draft.set(path, value.filter((_, at_) => at_ !== index)))),
    draft.values.has(path) ? null : h("details", {}, h("summary", {}, t("more_settings")), h("div", { class: "fields two", style: { "margin-top": "12px" } },
      options.map((form) => field(form, { ...places, n: index }, draft)))))),
    admin() && h("div", {}, button(t("add_output"), () => draft.set(path, [...value, { kind: value.some((each) => each.kind === "http") ? "rtsp_serve" : "http", target: "" }]), { symbol: "plus", kind: "quiet" })));
    error.textContent = [...draft.errors].find(([at_]) => at_.startsWith(path))?.[1] ?? "";
  };
  draft.addEventListener("change", draw);
  draft.addEventListener("refused", draw);
  draw();
  return box;
}

async function removeCamera(camera) {
  const sure = await dialog({ title: t("remove_camera"), body: () => h("p", {}, t("remove_camera_text", { camera: cameraName(camera) })),
    actions: (close) => [button(t("cancel"), () => close(false), { kind: "quiet" }), button(t("remove"), () => close(true), { kind: "danger" })] });
  if (sure && await save([{ path: `cameras.${camera}`, value: null }], { ask: false })) location.hash = "#/cameras";
}

// -- several cameras ------------------------------------------------------------------------------------------------

async function clone() {
  const ids = cameras().map(([id]) => id);
  let source = ids[0];
  const targets = new Set();
  const parts = new Set(["guard"]);
  const results = h("div", { class: "stack", "aria-live": "polite" });
  const targetBox = h("div", { class: "checks" });
  const check = (set, key, text) => h("label", { class: "check" }, h("input", { type: "checkbox", value: key, checked: set.has(key), onchange: (event) => { if (event.target.checked) set.add(key); else set.delete(key); } }), h("span", {}, text));
  const drawTargets = () => { targets.delete(source); empty(targetBox, ids.filter((id) => id !== source).map((id) => check(targets, id, cameraName(id)))); };
  drawTargets();
  const go = async (confirmed = false) => {
    try {
      const done = await post("clone", { source, targets: [...targets], parts: [...parts], confirmed });
      empty(results, done.results.map((each) => notice(each.ok ? "ok" : "danger", h("p", {}, h("strong", {}, cameraName(each.camera)), " – ", each.ok ? t("saved") : each.problems.map((one) => `${one.path}: ${one.message}. ${one.cure}`).join(" ")))));
      await reloadSettings();
    } catch (error) {
      if (error.kind === "confirm" && await approve(error.body.differences, true)) { await go(true); return; }
      if (error.kind !== "confirm") empty(results, problems(error));
    }
  };
  await dialog({ title: t("clone"), wide: true, body: () => [
    h("div", { class: "field" }, h("label", { class: "label", for: "clone-from" }, t("clone_from")), h("select", { id: "clone-from", value: source, onchange: (event) => { source = event.target.value; drawTargets(); } }, ids.map((id) => h("option", { value: id }, cameraName(id))))),
    h("div", { class: "field" }, h("span", { class: "label" }, t("clone_to")), targetBox),
    h("div", { class: "field" }, h("span", { class: "label" }, t("clone_what")), h("div", { class: "checks" }, ["guard", "mount", "areas"].map((each) => check(parts, each, t(`clone.${each}`))))), results],
  actions: (close) => [button(t("close"), () => close(), { kind: "quiet" }), button(t("clone_go"), () => go(), { kind: "primary", id: "clone-go" })] });
}

function importFile() {
  const input = h("input", { type: "file", accept: ".yaml,.yml", class: "sr", onchange: async () => {
    const text = await input.files[0].text();
    try {
      const { differences } = await post("file/preview", { text });
      if (!differences.length) { toast(t("nothing_changes")); return; }
      const weakens = differences.some((each) => each.weakens);
      if (!(await approve(differences, weakens))) return;
      const done = await post("file", { text, confirmed: weakens });
      await reloadSettings();
      toast(done.unwritten.length ? t("unwritten", { why: done.unwritten[0].message }) : t("saved"), { kind: done.unwritten.length ? "warn" : "ok" });
    } catch (error) {
      if (!(error instanceof ApiError)) throw error;
      await dialog({ title: t("import_refused"), wide: true, body: () => [h("p", {}, t("import_refused_text")), problems(error)], actions: (close) => [button(t("close"), () => close())] });
    }
  } });
  document.body.append(input);
  input.click();
  setTimeout(() => input.remove(), 60000);
}

