// Areas as the editor holds them, with undo. No drawing here.

export const COLOURS = ["#ffffff", "#ffd400", "#00d0ff", "#ff4fa3", "#39d353", "#ff7a00", "#9d6bff", "#ff2e2e"];
export const LISTS = ["prohibited_areas", "always_mask_areas"];
export const MOST = 64;
const round = (value) => Math.round(Math.min(1, Math.max(0, value)) * 10000) / 10000;
export const colourOf = (number) => COLOURS[(number - 1) % COLOURS.length];

export class AreasModel extends EventTarget {
  areas = [];
  selected = null;
  #past = [];
  #future = [];
  #next = 1;

  constructor(guard, firstStream) {
    super();
    this.firstStream = firstStream;
    this.load(guard);
  }

  load(guard) {
    this.areas = LISTS.flatMap((list) => (guard[list] ?? []).map((area) => ({ uid: this.#next++, list, number: area.number,
      name: area.name ?? "", colour: area.colour ?? colourOf(area.number), on: Boolean(area.status), stream: area.stream ?? null,
      rectangle: Boolean(area.rectangle), points: area.rectangle ? corners(area.rectangle) : area.points.map((point) => [...point]) })));
    this.selected = null;
    this.#past = [];
    this.#future = [];
    this.#tell();
  }

  // The two lists as YAML has them.
  values() {
    return Object.fromEntries(LISTS.map((list) => [list, this.areas.filter((area) => area.list === list).map((area) => ({
      number: area.number, ...(area.rectangle ? { rectangle: box(area.points) } : { points: area.points.map((point) => point.map(round)) }),
      status: area.on, colour: area.colour, name: area.name, ...(area.stream ? { stream: area.stream } : {}) }))]));
  }

  streamOf(area) { return area.stream ?? this.firstStream; }
  get(uid) { return this.areas.find((area) => area.uid === uid); }
  get current() { return this.get(this.selected); }
  get canUndo() { return this.#past.length > 0; }
  get canRedo() { return this.#future.length > 0; }

  select(uid) { if (uid !== this.selected) { this.selected = uid; this.#tell("select"); } }

  // Remember how things are before an edit; call once per gesture.
  mark() {
    const now = JSON.stringify(this.areas);
    if (this.#past.at(-1) === now) return;
    this.#past.push(now);
    if (this.#past.length > 100) this.#past.shift();
    this.#future = [];
  }

  edit(change) {
    this.mark();
    change();
    this.#tell();
  }

  moved() { this.#tell("move"); }

  undo() { this.#swap(this.#past, this.#future); }
  redo() { this.#swap(this.#future, this.#past); }

  #swap(from, to) {
    if (!from.length) return;
    to.push(JSON.stringify(this.areas));
    this.areas = JSON.parse(from.pop());
    if (!this.current) this.selected = null;
    this.#tell();
  }

  freeNumber(list) {
    const taken = new Set(this.areas.filter((area) => area.list === list).map((area) => area.number));
    let number = 1;
    while (taken.has(number)) number += 1;
    return number;
  }

  add(list, stream, points, rectangle) {
    if (this.areas.filter((area) => area.list === list).length >= MOST) return null;
    const number = this.freeNumber(list);
    const area = { uid: this.#next++, list, number, name: "", colour: colourOf(number), on: true, stream, rectangle, points: points.map((point) => point.map(round)) };
    this.edit(() => { this.areas.push(area); this.selected = area.uid; });
    return area;
  }

  copy(uid) {
    const area = this.get(uid);
    if (area) this.add(area.list, area.stream, area.points.map(([x, y]) => [x + 0.03, y + 0.03]), area.rectangle);
  }

  remove(uid) { this.edit(() => { this.areas = this.areas.filter((area) => area.uid !== uid); this.selected = null; }); }

  // Move a whole area, kept inside the picture.
  shift(area, from, dx, dy) {
    const xs = from.map((point) => point[0]);
    const ys = from.map((point) => point[1]);
    const x = Math.min(Math.max(dx, -Math.min(...xs)), 1 - Math.max(...xs));
    const y = Math.min(Math.max(dy, -Math.min(...ys)), 1 - Math.max(...ys));
    area.points = from.map((point) => [round(point[0] + x), round(point[1] + y)]);
  }

  // Move one corner; a rectangle stays one.
  corner(area, index, x, y) {
    if (!area.rectangle) { area.points[index] = [round(x), round(y)]; return; }
    const opposite = area.points[(index + 2) % 4];
    area.points = corners([opposite[0], opposite[1], round(x), round(y)], index);
  }

  insert(area, index, x, y) { area.rectangle = false; area.points.splice(index + 1, 0, [round(x), round(y)]); }

  // Take a corner away; an area keeps three.
  drop(area, index) {
    if (area.points.length <= 3) return false;
    area.rectangle = false;
    area.points.splice(index, 1);
    return true;
  }

  setList(area, list) { this.edit(() => { area.list = list; area.number = this.freeNumber(list); area.colour = colourOf(area.number); }); }

  #tell(kind = "change") { this.dispatchEvent(new Event(kind)); }
}

// Corners of [x0, y0, x1, y1], clockwise from the top left; with `held`, the corner at that place is (x1, y1).
function corners([x0, y0, x1, y1], held) {
  if (held === undefined) {
    const [left, right] = [Math.min(x0, x1), Math.max(x0, x1)];
    const [top, low] = [Math.min(y0, y1), Math.max(y0, y1)];
    return [[left, top], [right, top], [right, low], [left, low]];
  }
  const points = [];
  points[held] = [x1, y1];
  points[(held + 2) % 4] = [x0, y0];
  const odd = held % 2 === 0;
  points[(held + 1) % 4] = odd ? [x0, y1] : [x1, y0];
  points[(held + 3) % 4] = odd ? [x1, y0] : [x0, y1];
  return points;
}

function box(points) {
  const xs = points.map((point) => point[0]);
  const ys = points.map((point) => point[1]);
  return [Math.min(...xs), Math.min(...ys), Math.max(...xs), Math.max(...ys)].map(round);
}

export { round };
