// Forms made from the schema, a draft of changes, and the dialog that shows what will change.

import { ApiError, post } from "./api.js";
import { has, number, shown, t } from "./i18n.js";
import { admin, at, cameraName, reloadSettings, store } from "./store.js";
import { button, dialog, empty, h, icon, notice, problems, segmented, toast, toggle } from "./ui.js";

const sorted = (_key, value) => (value && typeof value === "object" && !Array.isArray(value) ? Object.fromEntries(Object.entries(value).sort(([one], [other]) => (one < other ? -1 : 1))) : value);
export const same = (one, other) => JSON.stringify(one ?? null, sorted) === JSON.stringify(other ?? null, sorted);

// Changes that are not saved yet. "change" is told for every edit.
export class Draft extends EventTarget {
  values = new Map();
  errors = new Map();

  get(path) { return this.values.has(path) ? this.values.get(path) : at(path); }

  set(path, value) {
    if (same(value, at(path))) this.values.delete(path);
    else this.values.set(path, value);
    this.errors.delete(path);
    this.dispatchEvent(new Event("change"));
  }

  get dirty() { return this.values.size > 0; }
  changes() { return [...this.values].map(([path, value]) => ({ path, value, before: at(path) ?? null })); }

  clear() {
    this.values.clear();
    this.errors.clear();
    this.dispatchEvent(new Event("change"));
  }

  refuse(list) {
    this.errors = new Map(list.map((each) => [each.path, [each.message, each.cure].filter(Boolean).join(". ")]));
    this.dispatchEvent(new Event("refused"));
  }
}

// A path in words: "Lobby › Sensitivity".
export function words(path) {
  const parts = path.split(".");
  const generic = path.replace(/^cameras\.[^.]+/, "cameras.<camera>").replace(/\.streams\.[^.]+/, ".streams.<stream>")
    .replace(/\.users\.[^.]+/, ".users.<user>").replace(/\.\d+(?=\.|$)/g, ".<n>");
  const form = store.forms.find((each) => each.path === generic);
  const last = parts.at(-1);
  const label = form?.label ?? (has(`label.${last}`) ? t(`label.${last}`) : last);
  const where = [];
  if (parts[0] === "cameras") where.push(cameraName(parts[1]));
  if (parts[2] === "streams" && parts[3]) where.push(`${t("stream")} ${parts[3]}`);
  const list = ["prohibited_areas", "always_mask_areas"].find((each) => parts.includes(each));
  if (list) {
    const index = parts[parts.indexOf(list) + 1];
    const area = at(parts.slice(0, parts.indexOf(list) + 2).join("."));
    where.push(`${t(`label.${list}`)}${index === undefined ? "" : ` ${area?.number ?? Number(index) + 1}`}`);
  }
  if (where.length && (last === parts[1] || last === list || /^\d+$/.test(last))) return where.join(" › ");
  return [...where, label].join(" › ");
}

function differenceRow(each) {
  return h("tr", { class: each.weakens ? "weakens" : "" },
    h("th", { scope: "row" }, each.weakens && icon("warn", 16), words(each.path),
      each.restart && h("span", { class: "tag" }, t("after_restart"))),
    h("td", {}, h("del", {}, shown(each.before))), h("td", {}, h("ins", {}, shown(each.after))));
}

export function differenceTable(differences) {
  const few = differences.slice(0, 60);
  return h("div", { class: "scroll-x", tabindex: "0", role: "group", "aria-label": t("changes") }, h("table", { class: "differences" },
    h("thead", {}, h("tr", {}, h("th", { scope: "col" }, t("setting")), h("th", { scope: "col" }, t("before")), h("th", { scope: "col" }, t("after")))),
    h("tbody", {}, few.map(differenceRow))),
    differences.length > few.length && h("p", { class: "muted" }, t("and_more", { count: differences.length - few.length })));
}

// Ask, then save. Returns true when the change is in force.
export async function save(changes, { draft, ask = true } = {}) {
  try {
    const { differences } = await post("changes/preview", { changes });
    if (!differences.length) { draft?.clear(); return true; }
    const weakens = differences.some((each) => each.weakens);
    if ((ask || weakens) && !(await approve(differences, weakens))) return false;
    const done = await post("changes", { changes, confirmed: weakens });
    draft?.clear();
    await reloadSettings();
    if (done.unwritten.length) toast(t("unwritten", { why: done.unwritten[0].message }), { kind: "warn" });
    else toast(t("saved"));
    return true;
  } catch (error) {
    if (!(error instanceof ApiError)) throw error;
    if (error.kind === "conflict") await reloadSettings();
    if (draft) draft.refuse(error.problems);
    else toast(error.problems.map((each) => `${each.message}. ${each.cure}`).join(" ") || t("offline"), { kind: "danger" });
    if (draft && !error.problems.length) toast(t("offline"), { kind: "danger" });
    return false;
  }
}

export function approve(differences, weakens) {
  return dialog({
    title: weakens ? t("weaken_title") : t("review_title"), wide: true, kind: weakens ? "warned" : "",
    body: () => [weakens && notice("warn", h("p", {}, t("weaken_text"))), differenceTable(differences)],
    actions: (close) => [button(t("cancel"), () => close(false), { kind: "quiet" }),
      button(weakens ? t("weaken_apply") : t("apply"), () => close(true), { kind: weakens ? "danger" : "primary", id: "apply" })],
  }).then(Boolean);
}

// The bar that appears while something is not saved.
export function saveBar(draft) {
  const count = h("span", {}, "");
  const faults = h("div", { class: "faults" });
  const bar = h("div", { class: "save-bar", hidden: true, role: "region", "aria-label": t("unsaved") }, faults,
    h("div", { class: "save-row" }, icon("edit", 18), count, h("span", { class: "spring" }),
      button(t("discard"), () => draft.clear(), { kind: "quiet" }),
      button(t("save"), () => save(draft.changes(), { draft }), { kind: "primary", id: "save" })));
  draft.addEventListener("change", () => {
    bar.hidden = !draft.dirty || !admin();
    count.textContent = t("unsaved_count", { count: draft.values.size });
    empty(faults);
  });
  const elsewhere = () => {  // a change made in another browser, by MQTT or in the file
    if (bar.isConnected) draft.dispatchEvent(new Event("change"));
    else store.removeEventListener("settings", elsewhere);
  };
  store.addEventListener("settings", elsewhere);
  draft.addEventListener("refused", () => {
    const shownAtFields = document.querySelectorAll("[data-path]");
    const known = new Set([...shownAtFields].map((each) => each.dataset.path));
    const loose = [...draft.errors].filter(([path]) => !known.has(path));
    empty(faults, loose.length && problems({ problems: loose.map(([path, message]) => ({ path: words(path), message })) }));
    document.querySelector("[aria-invalid=true]")?.focus();
  });
  return bar;
}

const filled = (path, places) => path.replace(/<(\w+)>/g, (whole, name) => places[name] ?? whole);

// One field of a form. `places` fills <camera>, <stream>, <n> of the setting's path.
export function field(form, places, draft, { widget } = {}) {
  const path = filled(form.path, places);
  const id = `f-${path.replace(/[^\w]/g, "-")}`;
  const error = h("p", { class: "error", id: `${id}-error`, hidden: true });
  const help = h("p", { class: "help", id: `${id}-help` }, form.text);
  const slot = h("div", { class: "control" });
  const box = h("div", { class: `field kind-${form.kind.replace(/\W/g, "")}`, dataset: { path } });
  const make = widget ?? WIDGETS[form.kind] ?? textWidget;
  const refresh = () => {
    if (slot.contains(document.activeElement) && !error.textContent && draft.values.has(path)) return;
    empty(slot, make({ form, path, id, value: draft.get(path), set: (value) => draft.set(path, value), places, disabled: !admin() }));
    tell();
  };
  const tell = () => {
    const message = [...draft.errors].find(([at_]) => at_ === path || at_.startsWith(`${path}.`))?.[1] ?? "";
    error.textContent = message;
    error.hidden = !message;
    for (const input of slot.querySelectorAll("input, select")) {
      input.setAttribute("aria-describedby", `${id}-help${message ? ` ${id}-error` : ""}`);
      if (message) input.setAttribute("aria-invalid", "true");
      else input.removeAttribute("aria-invalid");
    }
    box.classList.toggle("changed", draft.values.has(path));
  };
  draft.addEventListener("change", refresh);
  draft.addEventListener("refused", tell);
  const group = ["streamnames", "list"].includes(form.kind.replace(/\W/g, ""));
  box.append(form.kind === "on/off" || group ? h("span", { class: "label", id: `${id}-label` }, form.label)
    : h("label", { class: "label", for: id }, form.label), slot, help, error);
  refresh();
  return box;
}

export function fields(filter, places, draft) {
  return store.forms.filter(filter).map((form) => field(form, places, draft));
}

const choiceText = (word) => (has(`choice.${word}`) ? t(`choice.${word}`) : word);

function textWidget({ form, id, value, set, disabled }) {
  const secret = form.secret;
  return h("input", { id, type: secret ? "password" : "text", value: value ?? "", disabled, spellcheck: "false",
    autocomplete: secret ? "new-password" : "off", placeholder: form.default || undefined,
    oninput: (event) => set(event.target.value === "" && !form.required ? (form.default === "" || secret ? null : form.default) : event.target.value) });
}

function numberWidget({ form, id, value, set, disabled }) {
  const step = form.step ?? (form.kind === "whole number" ? 1 : "any");
  const read = (event) => { const next = event.target.valueAsNumber; if (Number.isFinite(next)) set(next); };
  const box = h("input", { id, type: "number", min: form.low, max: form.high, step, value: value ?? "", disabled, inputmode: "decimal", oninput: read });
  const unit = form.unit && h("span", { class: "unit", "aria-hidden": "true" }, form.unit);
  if (!form.step && !(form.high - form.low <= 60)) return h("span", { class: "with-unit" }, box, unit);
  const slider = h("input", { type: "range", min: form.low, max: form.high, step: form.step ?? (form.high - form.low <= 1 ? 0.01 : 0.1),
    value: value ?? form.low, disabled, "aria-label": form.label, oninput: (event) => { box.value = event.target.value; read({ target: box }); } });
  box.addEventListener("input", () => { slider.value = box.value; });
  return h("span", { class: "with-slider" }, slider, h("span", { class: "with-unit" }, box, unit));
}

function choiceWidget({ form, id, value, set, disabled }) {
  if (form.choices.length <= 3) return segmented(form.label, id, form.choices.map((each) => [each, choiceText(each)]), value, set, disabled);
  return h("select", { id, value, disabled, onchange: (event) => set(event.target.value) },
    form.choices.map((each) => h("option", { value: each }, choiceText(each))));
}

function colourWidget({ id, value, set, disabled }) {
  const text = h("input", { id, type: "text", value, disabled, maxlength: 7, size: 8, oninput: () => { picker.value = text.value; set(text.value); } });
  const picker = h("input", { type: "color", value, disabled, "aria-label": t("pick_colour"), oninput: () => { text.value = picker.value; set(picker.value); } });
  return h("span", { class: "with-colour" }, picker, text);
}

function streamsWidget({ form, path, value, set, places, disabled }) {
  const known = Object.keys(at(`cameras.${places.camera}.streams`) ?? {});
  const chosen = new Set(Array.isArray(value) ? value : value === "all" ? known : []);
  return h("div", { class: "checks", role: "group", "aria-label": form.label }, known.map((name) => h("label", { class: "check" },
    h("input", { type: "checkbox", checked: chosen.has(name), disabled, name: path, value: name, onchange: (event) => {
      if (event.target.checked) chosen.add(name); else chosen.delete(name);
      const next = known.filter((each) => chosen.has(each));
      set(next.length ? next : "off");
    } }), h("span", {}, `${t("stream")} ${name}`))));
}

function listWidget({ form, id, value, set, disabled }) {
  if (form.choices.length) {
    const chosen = value ?? [];
    return h("div", { class: "checks", role: "group", "aria-label": form.label }, form.choices.map((each) => h("label", { class: "check" },
      h("input", { type: "checkbox", checked: chosen.includes(each), disabled, onchange: (event) =>
        set(event.target.checked ? [...chosen, each] : chosen.filter((one) => one !== each)) }), h("span", {}, choiceText(each)))));
  }
  const numbers = /each -?[\d.]+/.test(form.limits);
  return h("input", { id, type: "text", value: (value ?? []).join(", "), disabled, "aria-label": form.label, placeholder: t("comma_list"), oninput: (event) => {
    const parts = event.target.value.split(",").map((each) => each.trim()).filter(Boolean);
    set(numbers ? parts.map((each) => (Number.isFinite(Number(each)) ? Number(each) : each)) : parts);
  } });
}

function circleWidget({ id, value, set, disabled }) {
  const shownValue = Array.isArray(value) ? value.map((each) => Math.round(each * 1e4) / 1e4).join(", ") : "auto";
  return h("input", { id, type: "text", value: shownValue, disabled, oninput: (event) => {
    const raw = event.target.value.trim();
    set(raw.toLowerCase() === "auto" || !raw ? "auto" : raw.split(",").map((each) => Number(each)));
  } });
}

const WIDGETS = {
  "on/off": ({ form, id, value, set, disabled }) => toggle(form.label, Boolean(value), set, { hidden: true, disabled, id }),
  number: numberWidget, "whole number": numberWidget, choice: choiceWidget, colour: colourWidget,
  "stream names": streamsWidget, list: listWidget, circle: circleWidget,
};

export const range = (form) => `${number(form.low, 2)}–${number(form.high, 2)} ${form.unit}`;
