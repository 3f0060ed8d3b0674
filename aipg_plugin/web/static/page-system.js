// Detector, MQTT, users, language, version and licences.

import { get, post, session } from "./api.js";
import { language, number, seconds, t } from "./i18n.js";
import { Draft, fields, saveBar } from "./form.js";
import { admin, changeLanguage, store } from "./store.js";
import { button, empty, h, iconButton, notice, problems, segmented } from "./ui.js";

const NAMES = { en: "English", de: "Deutsch", fr: "Français", es: "Español", it: "Italiano", ja: "日本語", nl: "Nederlands", pt: "Português" };

export function show(content) {
  const draft = new Draft();
  const own = (prefix) => (form) => form.page === "system" && (prefix ? form.path.startsWith(prefix) && !form.path.slice(prefix.length).includes(".") : !form.path.includes("."));
  const link = h("div", {});
  const drawLink = () => {
    const mqtt = store.state?.mqtt;
    const key = mqtt?.broker === "off" ? "off" : mqtt?.connected ? "up" : "down";
    if (link.dataset.key === key) return;
    link.dataset.key = key;
    empty(link, h("span", { class: `pill ${{ off: "muted", up: "ok", down: "danger" }[key]}` }, t(`mqtt.${key}`)));
  };
  const tested = h("div", { "aria-live": "polite" });
  const test = button(t("mqtt.test"), async () => {
    test.disabled = true;
    empty(tested, notice("info", h("p", {}, t("wizard.testing"))));
    const changed = Object.fromEntries([...draft.values].filter(([path]) => path.startsWith("mqtt.")).map(([path, value]) => [path.slice(5), value]));
    try { const done = await post("mqtt/test", { mqtt: changed }); empty(tested, notice("ok", h("p", {}, t("mqtt.works", { address: done.address })))); } catch (error) { empty(tested, problems(error)); }
    test.disabled = false;
  });
  const facts = h("dl", { class: "facts" });
  const licences = h("div", {});
  get("system").then((found) => {
    const rows = [[t("sys.version"), found.version], [t("sys.detector"), found.model], [t("sys.provider"), found.provider], [t("sys.available"), found.available.join(", ")], [t("sys.threads"), `${found.threads} / ${found.cores}`],
      [t("sys.looks"), `${number(found.looks.looks_hz)} / ${number(found.looks.wanted_hz)} /s`],
      [t("sys.uptime"), found.uptime_s < 3600 ? seconds(found.uptime_s, 0) : `${number(found.uptime_s / 3600)} h`], [t("sys.file"), found.file ?? "–"], [t("sys.platform"), `${found.system}, Python ${found.python}`]];
    empty(facts, rows.map(([key, value]) => [h("dt", {}, key), h("dd", {}, value)]));
    empty(licences, h("p", {}, t("licence_text")), h("ul", {}, found.packages.map((each) => h("li", {}, `${each.name} ${each.version}`))));
  }).catch(() => {});
  const tongue = h("select", { id: "language", value: language, onchange: async (event) => { await changeLanguage(event.target.value); await store.again(); } }, session.languages.map((code) => h("option", { value: code, lang: code }, NAMES[code] ?? code)));
  const folded = (title, ...inside) => h("details", { class: "card" }, h("summary", {}, title), h("div", { class: "stack" }, inside));
  content.append(h("div", { class: "page-head" }, h("h1", {}, t("page.system"))), h("div", { class: "split" }, h("div", { class: "stack" },
    h("section", { class: "card stack" }, h("h2", {}, t("sys.about")), facts),
    h("section", { class: "card stack" }, h("div", { class: "section-title" }, h("h2", {}, "MQTT"), link, h("span", { class: "spring" }), admin() && test), tested, h("div", { class: "fields two" }, fields((form) => own("mqtt.")(form) && /\.(broker|port|username|password)$/.test(form.path), {}, draft)),
      h("details", {}, h("summary", {}, t("more_settings")), h("div", { class: "fields two", style: { "margin-top": "14px" } }, fields((form) => own("mqtt.")(form) && !/\.(broker|port|username|password)$/.test(form.path), {}, draft))))),
  h("div", { class: "stack" }, h("section", { class: "card field" }, h("label", { class: "label", for: "language" }, t("page_language")), tongue),
    h("section", { class: "card fields" }, h("h2", {}, t("label.models")), fields(own("models."), {}, draft), h("details", {}, h("summary", {}, t("label.custom")), h("div", { class: "fields", style: { "margin-top": "14px" } }, fields(own("models.custom."), {}, draft)))),
    users(draft), folded(t("sys.access"), h("div", { class: "fields" }, fields(own("web."), {}, draft))), folded(t("sys.more"), h("div", { class: "fields" }, fields(own(""), {}, draft))), folded(t("licences"), licences))), saveBar(draft));
  drawLink();
  store.addEventListener("state", drawLink);
  return () => store.removeEventListener("state", drawLink);
}

function users(draft) {
  const path = "web.users";
  const list = h("div", { class: "stack" });
  const error = h("p", { class: "error" });
  const name = h("input", { type: "text", id: "new-user", autocomplete: "off", placeholder: t("login.user"), "aria-label": t("login.user") });
  const password = h("input", { type: "password", id: "new-password", autocomplete: "new-password", placeholder: t("login.password"), "aria-label": t("login.password") });
  let role = "viewer";
  const draw = () => {
    const value = draft.get(path) ?? {};
    empty(list, Object.entries(value).map(([user, each]) => h("div", { class: "button-row" }, h("strong", { style: { flex: "1" } }, user), segmented(`${t("label.role")} ${user}`, `role-${user}`, [["viewer", t("viewer")], ["admin", t("admin")]], each.role ?? "admin", (next) => draft.set(path, { ...value, [user]: { ...each, role: next } }), !admin()),
      admin() && iconButton("trash", t("remove"), () => { const { [user]: _gone, ...rest } = value; draft.set(path, Object.keys(rest).length ? rest : null); }))), !Object.keys(value).length && h("p", { class: "muted" }, t("no_users")));
  };
  draft.addEventListener("change", draw);
  draft.addEventListener("refused", () => { error.textContent = [...draft.errors].find(([at_]) => at_.startsWith(path))?.[1] ?? ""; });
  draw();
  const add = button(t("add_user"), () => {
    if (!/^[A-Za-z0-9_-]{1,64}$/.test(name.value) || password.value.length < 8) { error.textContent = t("user_rules"); (password.value.length < 8 ? password : name).focus(); return; }
    error.textContent = "";
    draft.set(path, { ...(draft.get(path) ?? {}), [name.value]: { password: password.value, role } });
    name.value = ""; password.value = "";
  }, { symbol: "plus", id: "add-user" });
  return h("section", { class: "card stack", dataset: { path } }, h("h2", {}, t("users")), h("p", { class: "help" }, t("users_text")), list, error,
    admin() && h("div", { class: "fields two" }, name, password), admin() && h("div", { class: "button-row" }, segmented(t("label.role"), "new-role", [["viewer", t("viewer")], ["admin", t("admin")]], role, (next) => { role = next; }), add));
}

