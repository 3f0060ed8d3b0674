// What the server last said: settings, forms, state. Pages listen for "state" and "settings".

import { get, live, speak, session } from "./api.js";
import { choose, keep, use } from "./i18n.js";

export const store = Object.assign(new EventTarget(), { state: null, settings: null, forms: [], events: [] });

export async function loadTexts() {
  const code = choose(session.languages, session.language);
  speak(code);
  use(code, await get(`strings?language=${code}`));
}

export async function changeLanguage(code) {
  keep(code);
  await loadTexts();
  store.forms = await get(`forms?language=${code}`);
}

export async function loadAll() {
  const code = document.documentElement.lang;
  [store.settings, store.state, store.forms] = await Promise.all([
    get("settings"), get("state"), store.forms.length ? store.forms : get(`forms?language=${code}`)]);
}

export async function reloadSettings() {
  store.settings = await get("settings");
  store.dispatchEvent(new Event("settings"));
}

live.addEventListener("state", ({ detail }) => {
  store.state = detail;
  store.dispatchEvent(new Event("state"));
  if (store.settings && detail.revision !== store.settings.revision) reloadSettings().catch(() => {});
});
live.addEventListener("events", ({ detail }) => {
  store.events.push(...detail.entries);
  store.dispatchEvent(new Event("events"));
});

export function at(path, tree = store.settings?.values) {
  let node = tree;
  for (const key of path.split(".")) node = node?.[key];
  return node;
}

export const cameras = () => Object.entries(store.settings?.values.cameras ?? {});
export const cameraName = (id) => at(`cameras.${id}.name`) || id;
export const admin = () => session.role === "admin";
export const setting = (path) => store.forms.find((each) => each.path === path);
