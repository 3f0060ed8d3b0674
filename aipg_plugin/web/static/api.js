// Requests to the API and the live socket. Every address is relative to the page, so that any path prefix works.

const base = new URL("api/", document.baseURI);
export const session = { token: "", user: null, role: null, login_needed: false, languages: ["en"], version: "" };
export const live = new EventTarget();
let language = "en";

export function speak(code) { language = code; }
export const address = (path) => new URL(path, base).href;

export class ApiError extends Error {
  constructor(status, body) {
    super(body?.problems?.[0]?.message ?? `HTTP ${status}`);
    this.status = status;
    this.kind = body?.error ?? "failed";
    this.problems = body?.problems ?? [];
    this.body = body ?? {};
  }
}

async function request(method, path, body, retry = true) {
  const headers = { "X-Language": language };
  if (method !== "GET") headers["X-CSRF-Token"] = session.token;
  if (body !== undefined) headers["Content-Type"] = "application/json";
  let response;
  try {
    response = await fetch(address(path), { method, headers, body: body === undefined ? undefined : JSON.stringify(body) });
  } catch {
    throw new ApiError(0, { error: "offline" });
  }
  const json = response.headers.get("Content-Type")?.includes("json");
  const found = json ? await response.json() : await response.text();
  if (response.ok) return found;
  const error = new ApiError(response.status, json ? found : null);
  if (error.kind === "token" && retry) {  // the server was started again
    await refreshSession();
    return request(method, path, body, false);
  }
  if (error.kind === "login") live.dispatchEvent(new Event("login"));
  throw error;
}

export const get = (path) => request("GET", path);
export const post = (path, body) => request("POST", path, body);
export const remove = (path) => request("DELETE", path);

export async function refreshSession() {
  Object.assign(session, await request("GET", "session", undefined, false));
  return session;
}

// -- the live socket ----------------------------------------------------------------------------------------------

const watchers = new Map();  // "camera/stream" → Set of {camera, stream, width, fps, paint}
let socket = null;
let pause = 500;
let closed = false;
export const connection = { up: false };

export function connect() {
  closed = false;
  const url = new URL("live", base);
  url.protocol = url.protocol.replace("http", "ws");
  socket = new WebSocket(url);
  socket.binaryType = "arraybuffer";
  socket.onopen = () => {
    pause = 500;
    connection.up = true;
    live.dispatchEvent(new Event("up"));
    tellWishes();
  };
  socket.onmessage = ({ data }) => (typeof data === "string" ? onText(JSON.parse(data)) : onPicture(data));
  socket.onclose = () => {
    const was = connection.up;
    connection.up = false;
    socket = null;
    if (closed) return;
    if (was) live.dispatchEvent(new Event("down"));
    setTimeout(reconnect, pause);
    pause = Math.min(pause * 2, 8000);
  };
}

async function reconnect() {
  if (closed || socket) return;
  try {
    await refreshSession();
  } catch {
    setTimeout(reconnect, pause);
    return;
  }
  if (session.login_needed) live.dispatchEvent(new Event("login"));
  else connect();
}

export function disconnect() {
  closed = true;
  socket?.close();
}

function onText(message) {
  live.dispatchEvent(new CustomEvent(message.type, { detail: message }));
}

async function onPicture(buffer) {
  const length = new DataView(buffer).getUint32(0);
  const head = JSON.parse(new TextDecoder().decode(new Uint8Array(buffer, 4, length)));
  const wanting = watchers.get(`${head.camera}/${head.stream}`);
  if (!wanting?.size) return;
  const picture = await createImageBitmap(new Blob([new Uint8Array(buffer, 4 + length)], { type: "image/jpeg" }));
  for (const each of wanting) each.paint(picture, head);
  picture.close();
}

function tellWishes() {
  if (socket?.readyState !== WebSocket.OPEN) return;
  const watch = [...watchers.values()].filter((wanting) => wanting.size).map((wanting) => {
    const all = [...wanting];
    return { camera: all[0].camera, stream: all[0].stream, width: Math.max(...all.map((each) => each.width)),
      fps: Math.max(...all.map((each) => each.fps)) };
  });
  socket.send(JSON.stringify({ watch }));
}

// Paint a stream's guarded pictures; returns a function that ends it.
export function watch(camera, stream, { width = 640, fps = 5, paint }) {
  const key = `${camera}/${stream}`;
  const mine = { camera, stream, width, fps, paint };
  if (!watchers.has(key)) watchers.set(key, new Set());
  watchers.get(key).add(mine);
  tellWishes();
  return () => {
    watchers.get(key)?.delete(mine);
    tellWishes();
  };
}
