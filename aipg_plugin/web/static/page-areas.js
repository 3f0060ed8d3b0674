// Areas drawn on the live guarded picture: where nobody is masked, and where everything is.

import { post } from "./api.js";
import { t } from "./i18n.js";
import { Draft, same, saveBar } from "./form.js";
import { admin, at, cameraName, cameras, store } from "./store.js";
import { button, empty, h, iconButton, notice, segmented, svg, toggle } from "./ui.js";
import { AreasModel, LISTS } from "./areas-model.js";
import { Editor } from "./areas-editor.js";
import { straddle } from "./art.js";
import { cameraPicker, liveView, points } from "./view.js";
import { noCameras, stage } from "./page-guard.js";

export function show(content, wanted, wantedStream) {
  const ids = cameras().map(([id]) => id);
  if (!ids.length) { noCameras(content, "areas"); return () => {}; }
  const camera = ids.includes(wanted) ? wanted : ids[0];
  const streams = Object.keys(at(`cameras.${camera}.streams`));
  const stream = streams.includes(wantedStream) ? wantedStream : streams[0];
  const below = `cameras.${camera}.privacy_guard`;
  const targets = at(`${below}.target_streams`);
  const first = Array.isArray(targets) && targets.length ? targets[0] : streams[0];
  const draft = new Draft();
  const model = new AreasModel(at(below), first);
  const live = stage(camera, stream, { width: 1280 });
  const tools = h("div", { class: "toolbar", role: "toolbar", "aria-label": t("areas.tools") });
  const side = h("div", { class: "stack" });
  const others = h("div", { class: "other-views" });
  const editor = new Editor({ layer: live.layer, model, stream, height: () => live.view.height, editable: admin(), ontool: () => drawTools() });
  live.layer.setAttribute("role", "group");
  live.layer.setAttribute("aria-label", t("areas.canvas"));
  live.view.addEventListener("size", () => { editor.draw(); showOthers(); });

  let loading = true;
  const toDraft = () => {
    if (loading) return;
    const values = model.values();
    const kept = plain(at(below));  // as the model would write what is in force: rounded
    loading = true;  // between the two lists the draft is half told
    for (const list of LISTS) draft.set(`${below}.${list}`, same(values[list], kept[list]) ? at(`${below}.${list}`) : values[list]);
    loading = false;
  };
  const reload = () => { loading = true; model.load(at(below)); loading = false; };
  draft.addEventListener("change", () => { if (!loading && !draft.dirty && !same(model.values(), plain(at(below)))) reload(); });
  store.addEventListener("settings", onSettings);
  function onSettings() { if (!draft.dirty) reload(); }

  function drawTools() {
    const tool = (name, symbol) => { const one = button(t(`tool.${name}`), () => editor.use(name), { symbol, title: t(`tool.${name}`), id: `tool-${name}` }); one.setAttribute("aria-pressed", String(editor.tool === name)); return one; };
    if (!admin()) return;
    empty(tools, tool("select", "select"), tool("rect", "rect"), tool("polygon", "polygon"), h("span", { class: "gap" }),
      Object.assign(iconButton("undo", t("undo"), () => model.undo()), { disabled: !model.canUndo }), Object.assign(iconButton("redo", t("redo"), () => model.redo()), { disabled: !model.canRedo }),
      h("span", { class: "spring" }), segmented(t("areas.kind"), "new-kind", LISTS.map((list) => [list, t(`one.${list}`)]), editor.list, (list) => { editor.list = list; }));
  }

  function drawSide() {
    if (side.contains(document.activeElement) && document.activeElement.matches("input[type=number], input[type=text]")) return;
    empty(side, h("section", { class: "card stack" }, h("h2", {}, t("page.areas")), model.areas.length ? LISTS.map(listOf) : h("p", { class: "muted" }, t("areas.none"))),
      model.current && details(model.current),
      h("details", { class: "card" }, h("summary", {}, t("areas.what")), h("div", { class: "stack" }, straddle(), h("p", {}, t("areas.straddle")), h("p", { class: "help" }, t("areas.keys")))));
  }

  function listOf(list) {
    const own = model.areas.filter((area) => area.list === list);
    if (!own.length) return null;
    return h("div", { class: "stack" }, h("h3", {}, t(`label.${list}`)), h("ul", { class: "area-list" }, own.map((area) => h("li", { class: `area-row ${area.uid === model.selected ? "selected" : ""}`, dataset: { number: area.number, list } },
      h("span", { class: `swatch ${area.on ? "" : "off"}`, style: { background: area.colour } }, String(area.number)),
      h("button", { class: "pick", type: "button", "aria-pressed": String(area.uid === model.selected), onclick: () => model.select(area.uid) }, h("strong", {}, area.name || `${t(`one.${list}`)} ${area.number}`),
        h("small", {}, `${t("stream")} ${model.streamOf(area)} · ${area.rectangle ? t("tool.rect") : t("corners", { count: area.points.length })}`)),
      toggle(`${t(`one.${list}`)} ${area.number}`, area.on, (on) => model.edit(() => { area.on = on; }), { hidden: true, disabled: !admin() }),
      admin() ? iconButton("trash", t("remove"), () => model.remove(area.uid)) : null))));
  }

  function details(area) {
    const put = (index, axis) => h("input", { type: "number", min: 0, max: 100, step: 0.1, disabled: !admin(), value: (area.points[index][axis] * 100).toFixed(1), "aria-label": `${axis ? "y" : "x"} ${index + 1}`,
      onchange: (event) => { const value = event.target.valueAsNumber; if (Number.isFinite(value)) model.edit(() => { const next = [...area.points[index]]; next[axis] = value / 100; model.corner(area, index, ...next); }); } });
    const name = h("input", { type: "text", id: "area-name", value: area.name, maxlength: 100, disabled: !admin(), onchange: (event) => model.edit(() => { area.name = event.target.value; }) });
    return h("section", { class: "card stack" }, h("div", { class: "section-title" }, h("span", { class: `swatch ${area.on ? "" : "off"}`, style: { background: area.colour } }, String(area.number)), h("h2", {}, `${t(`one.${area.list}`)} ${area.number}`)),
      segmented(t("areas.kind"), "area-kind", LISTS.map((list) => [list, t(`one.${list}`)]), area.list, (list) => model.setList(area, list), !admin()), h("p", { class: "help" }, t(`what.${area.list}`)),
      h("div", { class: "field" }, h("label", { class: "label", for: "area-name" }, t("label.name")), name),
      h("div", { class: "field" }, h("span", { class: "label" }, t("areas.numbers")), h("div", { class: "numbers" }, area.points.map((_, index) => [h("span", { class: "muted" }, String(index + 1)), put(index, 0), put(index, 1),
        admin() && area.points.length > 3 && !area.rectangle ? iconButton("close", t("remove_corner"), () => model.edit(() => model.drop(area, index))) : h("span", {})]))),
      admin() && h("div", { class: "button-row" }, button(t("copy"), () => model.copy(area.uid), { symbol: "copy" }), button(t("remove"), () => model.remove(area.uid), { symbol: "trash" })));
  }

  const stops = [];
  const layers = new Map();
  function drawOthers() {
    empty(others, streams.filter((each) => each !== stream).map((each) => {
      const view = liveView(camera, each, { width: 480, fps: 2, overlay: true, label: `${t("stream")} ${each}` });
      stops.push(() => view.stop());
      layers.set(each, view);
      view.addEventListener("size", showOthers);
      return h("figure", {}, h("figcaption", { class: "section-title" }, h("strong", {}, `${t("stream")} ${each}`), h("a", { href: `#/areas/${camera}/${each}` }, t("areas.draw_here"))), view.box);
    }));
  }
  let asking = 0;
  async function showOthers() {
    const turn = ++asking;
    await new Promise((done) => { setTimeout(done, 120); });
    if (turn !== asking || streams.length < 2) return;
    const found = await Promise.all(model.areas.map(async (area) => ({ area, views: await post(`cameras/${camera}/streams/${model.streamOf(area)}/elsewhere`, { points: area.points }).catch(() => ({})) })));
    if (turn !== asking) return;
    editor.showElsewhere(found.filter(({ area }) => model.streamOf(area) !== stream).map(({ area, views }) => ({ area, polygons: views[stream] ?? [] })));
    for (const [each, view] of layers) view.layer.replaceChildren(...found.flatMap(({ area, views }) => {
      const own = model.streamOf(area) === each ? [area.points] : views[each] ?? [];
      return own.map((polygon) => svg("polygon", { class: "elsewhere", "data-number": area.number, points: points(polygon, view.height), fill: "none", stroke: area.colour, "stroke-width": 2.5, "vector-effect": "non-scaling-stroke", "stroke-dasharray": area.on ? undefined : "6 5" }));
    }));
  }

  const redraw = () => { toDraft(); drawTools(); drawSide(); showOthers(); };
  model.addEventListener("change", redraw);
  model.addEventListener("select", () => { drawTools(); drawSide(); });
  const onKey = (event) => editor.key(event);
  document.addEventListener("keydown", onKey);
  const fault = h("div", {});
  draft.addEventListener("refused", () => empty(fault, notice("danger", [...draft.errors.values()].map((each) => h("p", {}, each)))));
  draft.addEventListener("change", () => empty(fault));
  live.box.prepend(tools);
  live.box.append(others);
  content.append(h("div", { class: "page-head" }, h("h1", {}, t("page.areas")), cameraPicker(ids, camera, "areas", cameraName),
    streams.length > 1 && segmented(t("stream"), "area-stream", streams.map((each) => [each, `${t("stream")} ${each}`]), stream, (each) => { location.hash = `#/areas/${camera}/${each}`; }), h("p", { class: "lead" }, t("areas.lead"))),
  h("div", { class: "split" }, live.box, h("div", { class: "stack" }, fault, side)), saveBar(draft));
  reload();
  drawOthers();
  redraw();
  return () => { live.stop(); stops.forEach((stop) => stop()); document.removeEventListener("keydown", onKey); store.removeEventListener("settings", onSettings); };
}

// The lists of the settings in the shape the model gives, to compare them.
const plain = (guard) => new AreasModel(guard, null).values();
