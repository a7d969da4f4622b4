// What all pages share: the token, asking and telling the room, making elements, and the stream.

const KEPT = "room-token";

// The token comes behind the "#" of the address that orderflow up prints. It is kept for this tab and taken out of the
// address, so that it is in no history and no screenshot.
const given = new URLSearchParams(location.hash.slice(1)).get("token");
if (given) {
  sessionStorage.setItem(KEPT, given);
  history.replaceState(null, "", location.pathname + location.search);
}
export const token = sessionStorage.getItem(KEPT);
document.getElementById("look-only").hidden = Boolean(token);
document.querySelector(`nav [href="${location.pathname}"]`)?.setAttribute("aria-current", "page");

export async function ask(path) {
  return answerOf(await fetch(path));
}

export async function tell(path, body) {
  const headers = { "content-type": "application/json", "x-room-token": token ?? "" };
  return answerOf(await fetch(path, { method: "POST", headers, body: JSON.stringify(body) }));
}

async function answerOf(response) {
  const body = await response.json();
  if (!response.ok) {
    throw new Error([body.error, body.hint].filter(Boolean).join(" — "));
  }
  return body;
}

// Says what became of something that was done: to everyone, screen readers included.
export function say(text, trouble = false) {
  const place = document.getElementById("said");
  place.classList.toggle("trouble", trouble);
  place.textContent = text;
}

// An element with attributes and children; what is not an element becomes text, never markup.
export function make(name, attributes = {}, ...children) {
  const element = document.createElement(name);
  for (const [key, value] of Object.entries(attributes)) {
    if (value === true) {
      element.setAttribute(key, "");
    } else if (value !== false && value !== null && value !== undefined) {
      element.setAttribute(key, value);
    }
  }
  element.append(...children.filter((child) => child !== null && child !== undefined));
  return element;
}

export function options(select, values, label = (value) => value) {
  select.append(...values.map((value) => make("option", { value }, label(value))));
}

export function table(caption, columns, rows) {
  return make(
    "table",
    {},
    make("caption", {}, caption),
    make(
      "thead",
      {},
      make("tr", {}, ...columns.map((column) => make("th", { scope: "col", class: column.class }, column.title))),
    ),
    make("tbody", {}, ...rows),
  );
}

export const money = (minor, currency) => `${(minor / 100).toFixed(2)} ${currency}`;
export const percent = (part, whole) => (whole ? `${((100 * part) / whole).toFixed(1)} %` : "—");
export const short = (id) => id.slice(0, 8);
export const clock = (time) => new Date(time).toLocaleTimeString([], { hour12: false });
export const day = (time) => new Date(time).toLocaleDateString("sv"); // Sweden writes dates as ISO 8601 does.
export const moment = (time) => `${day(time)} ${clock(time)}`;
export const orderPath = (cloud, id) => `/order?${new URLSearchParams({ cloud, id })}`;

// Lets people in: until a page has its listeners, a click on it would be lost.
export function ready() {
  document.getElementById("main").inert = false;
}

// Listens to the room. `hear` maps a kind of part to what is to be done with its newest value.
export function listen(hear = {}) {
  const place = document.getElementById("connection");
  const source = new EventSource("/events");
  source.onopen = () => {
    place.textContent = "live";
    place.classList.remove("trouble");
  };
  source.onerror = () => {
    place.textContent = "not connected: trying again";
    place.classList.add("trouble");
  };
  for (const [kind, take] of Object.entries(hear)) {
    source.addEventListener(kind, (event) => take(JSON.parse(event.data)));
  }
}
