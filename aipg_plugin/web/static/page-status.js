// The last hour in graphs, where people were, and what happened.

import { address, get } from "./api.js";
import { clock, number, percent, seconds, shown, t } from "./i18n.js";
import { admin, at, cameraName, cameras, store } from "./store.js";
import { button, empty, h } from "./ui.js";
import { chart, heatMap } from "./chart.js";
import { words } from "./form.js";
import { explain, figures, pill, stateOf } from "./view.js";

const EVERY_MS = 10000;

export function show(content, wanted) {
  const all = cameras().flatMap(([id, camera]) => Object.keys(camera.streams).map((stream) => `${id}/${stream}`));
  let chosen = all.includes(wanted) ? wanted : all[0];
  const now = h("div", { class: "cards" });
  const graphs = h("div", { class: "cards" });
  const floor = h("div", { class: "stack" });
  const events = h("tbody", {});
  const picker = h("label", { class: "picker" }, h("span", {}, t("stream")), h("select", { id: "stream-picker", value: chosen, onchange: (event) => { chosen = event.target.value; load(); } },
    all.map((key) => { const [id, stream] = key.split("/"); return h("option", { value: key }, `${cameraName(id)} · ${t("stream")} ${stream}`); })));
  content.append(h("div", { class: "page-head" }, h("h1", {}, t("page.status")), all.length ? picker : null, h("span", { class: "spring" }),
    admin() && button(t("diagnostics"), () => { location.href = address("diagnostics"); }, { symbol: "download" })),
  h("div", { class: "stack" }, now, h("h2", {}, t("last_hour")), graphs, h("div", { class: "split" },
    h("section", { class: "card stack" }, h("h2", {}, t("events")), h("div", { class: "events", tabindex: "0", role: "group", "aria-label": t("events") }, h("table", {}, h("thead", {}, h("tr", {}, ["event.when", "event.what", "event.from"].map((key) => h("th", { scope: "col" }, t(key))))), events))),
    h("section", { class: "card stack" }, h("h2", {}, t("floor")), floor))));

  const drawNow = () => {
    const key = JSON.stringify(store.state?.cameras);
    if (now.dataset.key === key) return;
    now.dataset.key = key;
    empty(now, Object.entries(store.state?.cameras ?? {}).flatMap(([id, camera]) => Object.entries(camera.streams).map(([stream, one]) => {
      const { key: word, tone } = camera.enabled ? stateOf(one, one.target) : { key: "disabled", tone: "muted" };
      return h("article", { class: "card stack" }, h("div", { class: "section-title" }, h("h3", {}, `${cameraName(id)} · ${stream}`), h("span", { class: "spring" }), pill(word, tone)), explain(word, one.reason), figures(one));
    })));
  };

  async function load() {
    if (!chosen) return;
    const [camera, stream] = chosen.split("/");
    const [history, map] = await Promise.all([get(`cameras/${camera}/streams/${stream}/history`), get(`cameras/${camera}/floor`)]).catch(() => [null]);
    if (!history) return;
    const { t_s } = history;
    if (!graphs.contains(document.activeElement)) empty(graphs, [
      ["fps", [history.fps_in, history.fps_out], (value) => number(value), 5], ["latency", [history.latency_s], (value) => seconds(value, 2), 0.5],
      ["evidence_age", [history.evidence_age_s], (value) => seconds(value, 2), 0.5], ["people", [history.people], (value) => number(value, 0), 2],
      ["masked_share", [history.masked_share], (value) => percent(value), 0.2], ["full_mosaic", [history.full_mosaic_s.map((value) => value / history.every_s)], (value) => percent(value), 1],
    ].map(([key, series, format, least]) => h("section", { class: "card" }, chart({ title: t(`fig.${key}`), t_s, series, format, least }))));
    empty(floor, map?.heat_map ? heatMap(map.heat_map, t("heat_map")) : h("p", { class: "muted" }, t("nobody_yet")),
      Object.keys(map?.areas ?? {}).length > 0 && h("div", { class: "scroll-x", tabindex: "0", role: "group", "aria-label": t("page.areas") }, h("table", {}, h("thead", {}, h("tr", {}, ["area", "fig.people", "entered", "dwell_mean", "dwell_longest"].map((key) => h("th", { scope: "col" }, t(key))))),
        h("tbody", {}, Object.entries(map.areas).map(([key, area]) => h("tr", {}, h("th", { scope: "row" }, area.name || key), h("td", {}, number(area.people, 0)), h("td", {}, number(area.entered, 0)), h("td", {}, area.dwell_mean_s === null ? "–" : seconds(area.dwell_mean_s)), h("td", {}, seconds(area.dwell_longest_s))))))),
      Object.entries(map?.lines ?? {}).map(([name, line]) => h("p", {}, `${name}: ${t("line_in")} ${line.in}, ${t("line_out")} ${line.out}`)));
  }

  const drawEvents = (list) => empty(events, [...list].reverse().slice(0, 500).map((each) => h("tr", { class: each.weakens ? "weakens" : "" }, h("td", {}, clock(each.t_s, Date.now() / 1000 - each.t_s > 43200)),
    h("td", {}, each.kind === "change" ? [h("strong", {}, words(each.path)), ` ${shown(each.before)} → ${shown(each.after)}`]
      : each.kind === "state" ? [h("strong", {}, `${at(`cameras.${each.camera}`) ? cameraName(each.camera) : each.camera} · ${each.stream} `), t(`state.${each.state}`), each.text?.includes("(") ? h("span", { class: "muted" }, ` ${each.text.slice(each.text.indexOf("("))}`) : null]
        : [h("strong", {}, t(`event.${each.kind}`)), ` ${each.text ?? ""}`]),
    h("td", {}, t(`origin.${each.origin}`), each.who ? ` (${each.who})` : ""))));
  let list = [];
  get("events").then((found) => { list = found; drawEvents(list); }).catch(() => {});
  const onEvents = () => { const known = new Set(list.map((each) => each.seq)); list.push(...store.events.filter((each) => !known.has(each.seq))); drawEvents(list); };
  drawNow();
  load();
  const timer = setInterval(() => { if (!document.hidden) load(); }, EVERY_MS);
  store.addEventListener("state", drawNow);
  store.addEventListener("events", onEvents);
  return () => { clearInterval(timer); store.removeEventListener("state", drawNow); store.removeEventListener("events", onEvents); };
}
