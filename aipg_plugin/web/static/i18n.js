// Texts, numbers and times in the reader's language.

let texts = {};
export let language = "en";

export function use(code, strings) {
  language = code;
  texts = strings;
  document.documentElement.lang = code;
}

export function choose(available, fallback) {
  const kept = localStorage.getItem("aipg.language");
  const wanted = [kept, ...(navigator.languages ?? []), fallback].filter(Boolean);
  for (const each of wanted) {
    const code = each.toLowerCase();
    const found = available.find((one) => one === code) ?? available.find((one) => one === code.split("-")[0]);
    if (found) return found;
  }
  return "en";
}

export function keep(code) { localStorage.setItem("aipg.language", code); }
export const has = (key) => key in texts;

export function t(key, values = {}) {
  const text = texts[key];
  if (text === undefined) return key;
  return text.replace(/\{(\w+)\}/g, (whole, name) => (name in values ? String(values[name]) : whole));
}

export function number(value, digits = 1) {
  return new Intl.NumberFormat(language, { maximumFractionDigits: digits, minimumFractionDigits: 0 }).format(value);
}

export function percent(value, digits = 0) {
  return new Intl.NumberFormat(language, { style: "percent", maximumFractionDigits: digits }).format(value);
}

export function seconds(value, digits = 1) {
  return new Intl.NumberFormat(language, { style: "unit", unit: "second", unitDisplay: "narrow",
    maximumFractionDigits: digits }).format(value);
}

export function clock(seconds_, withDay = false) {
  const options = withDay ? { dateStyle: "short", timeStyle: "medium" } : { timeStyle: "medium" };
  return new Intl.DateTimeFormat(language, options).format(new Date(seconds_ * 1000));
}

export function shown(value) {
  if (value === null || value === undefined || value === "") return "–";
  if (value === true) return t("on");
  if (value === false) return t("off");
  if (typeof value === "number") return number(value, 4);
  if (typeof value === "string") return has(`choice.${value}`) ? t(`choice.${value}`) : value;
  if (Array.isArray(value)) return value.length ? value.map(shown).join(", ") : "–";
  return Object.entries(value).filter(([, each]) => typeof each !== "object").map(([, each]) => shown(each)).slice(0, 4).join(" · ") || "…";
}
