// Start, log-in, navigation. Pages are loaded when they are opened.

import { connect, disconnect, live, post, refreshSession, remove, session } from "./api.js";
import { seconds, t } from "./i18n.js";
import { cameras, loadAll, loadTexts, store } from "./store.js";
import { button, empty, h, icon, iconButton, notice } from "./ui.js";

const PAGES = ["cameras", "guard", "extension", "areas", "status", "system"];
const root = document.getElementById("app");
let leave = () => {};
let main;
let health;
let banner;

async function start() {
  try {
    await refreshSession();
    await loadTexts();
  } catch {
    setTimeout(start, 2000);
    return;
  }
  document.querySelector(".skip").textContent = t("skip");
  if (session.login_needed) logIn();
  else await open();
}

function logIn() {
  leave();
  leave = () => {};
  disconnect();
  const failed = h("div", { "aria-live": "assertive" });
  const user = h("input", { id: "user", autocomplete: "username", required: true, autocapitalize: "none" });
  const password = h("input", { id: "password", type: "password", autocomplete: "current-password", required: true });
  const form = h("form", { class: "card login", onsubmit: async (event) => {
    event.preventDefault();
    try {
      await post("session", { user: user.value, password: password.value });
      await refreshSession();
      await open();
    } catch (error) {
      const wait = error.body.wait_s;
      empty(failed, notice("danger", h("p", {}, wait ? t("login.slow", { wait: seconds(Math.ceil(wait), 0) }) : error.status ? t("login.wrong") : t("offline"))));
      password.value = "";
      password.focus();
    }
  } }, h("img", { src: "static/icon.svg", alt: "", width: 56, height: 56 }), h("h1", {}, "AI Privacy Guard"), failed,
    h("div", { class: "field" }, h("label", { class: "label", for: "user" }, t("login.user")), user),
    h("div", { class: "field" }, h("label", { class: "label", for: "password" }, t("login.password")), password),
    button(t("login.go"), undefined, { kind: "primary", type: "submit" }));
  empty(root, h("main", { id: "main", class: "login-page" }, form));
  user.focus();
}

async function open() {
  try {
    await loadAll();
  } catch (error) {
    if (error.kind === "login") return;
    setTimeout(open, 2000);
    return;
  }
  connect();
  shell();
  await route();
}

function shell() {
  health = h("div", { class: "health", role: "status" });
  banner = h("div", { class: "banner", role: "alert", hidden: true });
  main = h("main", { id: "main", tabindex: "-1" });
  const nav = h("nav", { class: "nav", "aria-label": t("navigation") }, PAGES.map((page) =>
    h("a", { href: `#/${page}`, dataset: { page } }, icon(page, 24), h("span", {}, t(`page.${page}`)))));
  const header = h("header", { class: "top" }, h("a", { href: "#/cameras", class: "brand" }, h("img", { src: "static/icon.svg", alt: "", width: 28, height: 28 }), h("span", {}, "AI Privacy Guard")),
    health, h("span", { class: "spring" }),
    session.can_log_out && h("span", { class: "who" }, session.user, session.role === "viewer" && h("span", { class: "tag" }, t("viewer"))),
    session.can_log_out && iconButton("out", t("log_out"), async () => { await remove("session"); await refreshSession(); logIn(); }));
  empty(root, header, nav, banner, main);
  showHealth();
}

function showHealth() {
  if (!health?.isConnected || !store.state) return;
  const bad = [];
  let clear = 0;
  for (const camera of Object.values(store.state.cameras)) {
    if (!camera.enabled) continue;
    for (const stream of Object.values(camera.streams)) {
      if (!stream.target) clear += 1;
      if (["failsafe", "lost"].includes(stream.state) || Object.keys(stream.outputs ?? {}).length) bad.push(stream.state);
    }
  }
  const [tone, key] = clear ? ["danger", "health.clear"] : bad.length ? ["warn", "health.attention"] : cameras().length ? ["ok", "health.ok"] : ["info", "health.none"];
  const text = t(key, { count: clear || bad.length });
  if (health.dataset.text === text) return;
  health.dataset.text = text;
  empty(health, h("span", { class: `pill ${tone}` }, icon(tone === "ok" ? "guard" : tone === "info" ? "info" : "warn", 16), h("span", {}, text)));
}

async function route() {
  if (!main?.isConnected) return;
  const [page, ...rest] = decodeURIComponent(location.hash.replace(/^#\//, "") || "cameras").split("/");
  const known = PAGES.includes(page) ? page : "cameras";
  for (const link of document.querySelectorAll(".nav a")) {
    if (link.dataset.page === known) link.setAttribute("aria-current", "page");
    else link.removeAttribute("aria-current");
  }
  leave();
  const module = await import(`./page-${known}.js`);
  document.title = `${t(`page.${known}`)} – AI Privacy Guard`;
  const content = h("div", { class: `page page-${known}` });
  empty(main, content);
  leave = module.show(content, ...rest) ?? (() => {});
  window.scrollTo(0, 0);
}

export const again = () => { shell(); return route(); };
let before = location.hash;
window.addEventListener("hashchange", () => {
  if (document.querySelector(".save-bar:not([hidden])") && !window.confirm(t("leave_unsaved"))) {
    history.replaceState(null, "", before);
    return;
  }
  before = location.hash;
  route().then(() => main?.focus({ preventScroll: true }));
});
window.addEventListener("beforeunload", (event) => { if (document.querySelector(".save-bar:not([hidden])")) event.preventDefault(); });
store.addEventListener("state", showHealth);
live.addEventListener("down", () => { if (banner) { banner.hidden = false; banner.textContent = t("connection_lost"); } });
live.addEventListener("up", () => { if (banner) banner.hidden = true; });
live.addEventListener("login", () => { if (!document.querySelector(".login")) logIn(); });
store.again = again;
start();
