// Sensitivity, mosaic and camera height, with a drawing over the picture of what the height changes.

import { get } from "./api.js";
import { number, t } from "./i18n.js";
import { Draft, fields, saveBar } from "./form.js";
import { at, cameraName, cameras } from "./store.js";
import { h, svg } from "./ui.js";
import { cameraPicker, points } from "./view.js";
import { noCameras, stage } from "./page-guard.js";

export function show(content, wanted) {
  const ids = cameras().map(([id]) => id);
  if (!ids.length) { noCameras(content, "extension"); return () => {}; }
  const camera = ids.includes(wanted) ? wanted : ids[0];
  const stream = Object.keys(at(`cameras.${camera}.streams`))[0];
  const draft = new Draft();
  const live = stage(camera, stream);
  const expected = svg("g", {});
  const rim = svg("ellipse", { class: "rim" });
  live.layer.append(rim, expected);
  let circle = null;
  let asked = "";
  const drawRim = () => {
    const below = `cameras.${camera}.privacy_guard`;
    const on = circle && draft.get(`${below}.circumferential_mosaic`);
    rim.style.setProperty("display", on ? "" : "none");
    if (!on) return;
    const inner = circle[2] * (1 - draft.get(`${below}.circumferential_width`)) * 1000;
    for (const [name, value] of Object.entries({ cx: circle[0] * 1000, cy: circle[1] * live.view.height, rx: inner, ry: inner })) rim.setAttribute(name, value);
  };
  const load = async () => {
    const height = draft.get(`cameras.${camera}.camera_height`);
    drawRim();
    if (asked === `${height} ${live.view.height}` || !(height >= 2 && height <= 6)) return;
    asked = `${height} ${live.view.height}`;
    const found = await get(`cameras/${camera}/streams/${stream}/overlays?height=${height}`).catch(() => null);
    if (!found) return;
    circle = found.circle;
    drawRim();
    expected.replaceChildren(...found.figures.flatMap((each) => {
      const [x, y] = [0, 1].map((axis) => each.points.reduce((sum, point) => sum + point[axis], 0) / each.points.length);
      return [svg("polygon", { class: "ghost", points: points(each.points, live.view.height) }),
        svg("text", { class: "ghost-label", x: x * 1000, y: y * live.view.height + 9 }, `${number(each.distance_m)} m`)];
    }));
  };
  live.view.addEventListener("size", load);
  draft.addEventListener("change", load);
  live.box.append(h("p", { class: "caption" }, t("extension.figures")));
  content.append(h("div", { class: "page-head" }, h("h1", {}, t("page.extension")), cameraPicker(ids, camera, "extension", cameraName), h("p", { class: "lead" }, t("extension.lead"))),
    h("div", { class: "split" }, live.box, h("section", { class: "card fields" }, fields((form) => form.page === "extension" && form.path.includes("privacy_guard"), { camera }, draft),
      fields((form) => form.page === "extension" && !form.path.includes("privacy_guard"), { camera }, draft))), saveBar(draft));
  return live.stop;
}
