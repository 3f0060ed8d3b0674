// Small building blocks: elements, icons, switches, dialogs, toasts.

import { t } from "./i18n.js";

const SVG = "http://www.w3.org/2000/svg";

function build(element, props, children) {
  for (const [name, value] of Object.entries(props ?? {})) {
    if (value === undefined || value === null || value === false) continue;
    if (name.startsWith("on")) element.addEventListener(name.slice(2), value);
    else if (name === "style") for (const [key, each] of Object.entries(value)) element.style.setProperty(key, each);
    else if (name === "dataset") Object.assign(element.dataset, value);
    else if (name === "value" && "value" in element) element.value = value;
    else if (["checked", "disabled", "selected", "hidden", "required", "open", "multiple", "readOnly"].includes(name)) element[name] = value;
    else element.setAttribute(name, value === true ? "" : value);
  }
  for (const child of children.flat(Infinity)) {
    if (child !== null && child !== undefined && child !== false) element.append(child);
  }
  return element;
}

export const h = (tag, props, ...children) => {
  const element = document.createElement(tag);
  const late = tag === "select" && props?.value !== undefined ? props.value : undefined;
  build(element, props, children);
  if (late !== undefined) element.value = late;
  return element;
};
export const svg = (tag, props, ...children) => build(document.createElementNS(SVG, tag), props, children);

const ICONS = {
  cameras: "M12 3a7 7 0 0 0-4.900 12L5 20h14l-2.100-5A7 7 0 0 0 12 3m0 3.500a3.500 3.500 0 1 1 0 7 3.500 3.500 0 0 1 0-7",
  guard: "M12 2 4 5v6c0 5 3.400 9 8 11 4.600-2 8-6 8-11V5zm-1 13.500L7.500 12l1.400-1.400 2.100 2.100 4.600-4.600L17 9.500z",
  extension: "M3 6h9.200a3 3 0 0 1 5.600 0H21v2h-3.200a3 3 0 0 1-5.600 0H3zm0 10h3.200a3 3 0 0 1 5.600 0H21v2h-9.200a3 3 0 0 1-5.600 0H3z",
  areas: "M4 4h4v1.500h8V4h4v4h-1.500v8H20v4h-4v-1.500H8V20H4v-4h1.500V8H4zm4 3.500V8H7.500v8H8v.5h8V16h.5V8H16v-.5z",
  status: "M4 19V5h2v12h14v2zm4-4 3.500-5 3 3L19 7l1.600 1.200-5.800 7.600-3-3L9.600 16z",
  system: "m12 2 1 2.700 2.200.9L17.800 4.400l1.800 1.800-1.200 2.600.9 2.200L22 12l-2.700 1-.9 2.200 1.200 2.600-1.800 1.800-2.600-1.200-2.200.9L12 22l-1-2.700-2.200-.9-2.600 1.200-1.800-1.800 1.200-2.600-.9-2.200L2 12l2.700-1 .9-2.200-1.200-2.600L6.200 4.400l2.600 1.200 2.200-.9zm0 6.500a3.500 3.500 0 1 0 0 7 3.500 3.500 0 0 0 0-7",
  plus: "M11 4h2v7h7v2h-7v7h-2v-7H4v-2h7z", close: "m6.400 5 5.600 5.600L17.600 5 19 6.400 13.400 12l5.600 5.600-1.400 1.400-5.600-5.600L6.400 19 5 17.600l5.600-5.600L5 6.400z",
  warn: "M12 3 1.500 21h21zm-1 6.500h2v6h-2zm0 7.500h2v2h-2z", check: "m9.500 17.500-5-5L6 11l3.500 3.500L18 6l1.500 1.500z",
  info: "M12 2a10 10 0 1 1 0 20 10 10 0 0 1 0-20m-1 5v2h2V7zm0 4v6h2v-6z", people: "M9 5a3.500 3.500 0 1 1 0 7 3.500 3.500 0 0 1 0-7m0 8.500c3.900 0 7 2 7 4.500v1.500H2V18c0-2.500 3.100-4.500 7-4.500M16.500 6a3 3 0 1 1-.5 5.900 5 5 0 0 0 .5-5.900m1.300 8c2.500.5 4.200 2 4.200 4v1.500h-4V18c0-1.500-.7-2.900-1.800-3.900z",
  copy: "M8 3h12v14H8zm2 2v10h8V5zM4 7h2v12h10v2H4z", trash: "M9 3h6l1 2h4v2H4V5h4zM6 8h12l-1 13H7zm3 2v9h1.500v-9zm4.500 0v9H15v-9z",
  undo: "M8 5v4h5.500a5.500 5.500 0 0 1 0 11H8v-2h5.500a3.500 3.500 0 0 0 0-7H8v4L2.500 10z", redo: "M16 5v4h-5.500a5.500 5.500 0 0 0 0 11H16v-2h-5.500a3.500 3.500 0 0 1 0-7H16v4l5.500-5z",
  rect: "M4 5h16v14H4zm2 2v10h12V7z", polygon: "m12 3 8.500 6.500L17 20H7L3.500 9.500zm0 2.600L6 10.200 8.500 18h7l2.500-7.800z", select: "m5 3 14 7.500-6 1.700L9.600 18z",
  download: "M11 4h2v8l3-3 1.400 1.400L12 16l-5.400-5.600L8 9l3 3zM5 18h14v2H5z", upload: "M11 16V8L8 11 6.600 9.600 12 4l5.400 5.600L16 11l-3-3v8zm-6 2h14v2H5z",
  lock: "M7 10V8a5 5 0 0 1 10 0v2h2v11H5V10zm2 0h6V8a3 3 0 0 0-6 0z", out: "M4 4h9v2H6v12h7v2H4zm11 4 4.500 4-4.500 4v-3H9v-2h6z", edit: "m4 16.500 9.500-9.500 3.500 3.500L7.500 20H4zM15 5.500 17 3.500 20.500 7l-2 2z",
};

export function icon(name, size = 20) {
  return svg("svg", { viewBox: "0 0 24 24", width: size, height: size, class: "icon", "aria-hidden": "true", focusable: "false" },
    svg("path", { d: ICONS[name] ?? ICONS.info, fill: "currentColor", "fill-rule": "evenodd" }));
}

export function button(label, onclick, { kind = "", symbol, title, disabled, type = "button", id } = {}) {
  return h("button", { type, class: `button ${kind}`, onclick, title, disabled, id, "aria-label": title && !label ? title : undefined },
    symbol && icon(symbol, 18), label && h("span", {}, label));
}

export const iconButton = (symbol, title, onclick, kind = "") => button("", onclick, { symbol, title, kind: `only-icon ${kind}` });

export function toggle(label, checked, onchange, { hidden = false, disabled = false, id } = {}) {
  const input = h("input", { type: "checkbox", role: "switch", checked, disabled, id, "aria-label": label,
    onchange: () => onchange(input.checked, input) });
  return h("label", { class: "switch" }, input, h("span", { class: "track", "aria-hidden": "true" }),
    h("span", { class: hidden ? "sr" : "switch-label", "aria-hidden": "true" }, label));
}

export function segmented(label, name, choices, value, onchange, disabled = false) {
  return h("div", { class: "segmented", role: "radiogroup", "aria-label": label }, choices.map(([key, text]) =>
    h("label", {}, h("input", { type: "radio", name, value: key, checked: key === value, disabled,
      onchange: () => onchange(key) }), h("span", {}, text))));
}

// A modal dialog. `body` may be a function of the dialog's `close`; resolves with what close was given.
export function dialog({ title, body, actions = () => [], wide = false, kind = "" }) {
  return new Promise((resolve) => {
    let result;
    const close = (value) => { result = value; box.close(); };
    const heading = h("h2", { id: `dialog-${Math.random().toString(36).slice(2)}` }, title);
    const box = h("dialog", { class: `dialog ${wide ? "wide" : ""} ${kind}`, "aria-labelledby": heading.id, onclose: () => { box.remove(); resolve(result); } },
      h("div", { class: "dialog-head" }, heading, iconButton("close", t("close"), () => close(undefined))),
      h("div", { class: "dialog-body" }, typeof body === "function" ? body(close) : body),
      h("div", { class: "dialog-foot" }, actions(close)));
    document.body.append(box);
    box.showModal();
  });
}

let toasts;
export function toast(message, { kind = "ok", action } = {}) {
  if (!toasts?.isConnected) {
    toasts = h("div", { class: "toasts", role: "status", "aria-live": "polite" });
    document.body.append(toasts);
  }
  const card = h("div", { class: `toast ${kind}` }, icon(kind === "ok" ? "check" : "warn", 18), h("span", {}, message),
    action && button(action[0], () => { card.remove(); action[1](); }, { kind: "quiet" }));
  toasts.append(card);
  setTimeout(() => card.remove(), kind === "ok" ? 5000 : 12000);
}

export function notice(kind, ...children) {
  return h("div", { class: `notice ${kind}`, role: kind === "danger" ? "alert" : undefined },
    icon(kind === "ok" ? "check" : kind === "info" ? "info" : "warn", 20), h("div", {}, children));
}

export function problems(error) {
  const list = error.problems?.length ? error.problems : [{ message: error.status === 0 ? t("offline") : error.message }];
  return notice("danger", list.map((each) => h("p", {}, each.path && h("code", {}, each.path), each.path && " ",
    each.message, each.cure && h("span", { class: "cure" }, ` ${each.cure}.`))));
}

export const empty = (node, ...children) => { node.replaceChildren(...children.flat(Infinity).filter(Boolean)); return node; };
