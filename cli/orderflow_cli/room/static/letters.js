import { ask, listen, make, moment, options, orderPath, ready, say, short, tell, token } from "./common.js";

const room = await ask("/api/room");
const boxes = Object.fromEntries(room.clouds.map(({ name, title }) => [name, box(name, title)]));
document.getElementById("boxes").append(...Object.values(boxes).map((each) => each.whole));
const byService = document.getElementById("by-service");
const byReason = document.getElementById("by-reason");

function box(name, title) {
  const heading = make("h2", { id: `${name}-title` }, title);
  const count = make("p", { class: "hint" }, "looking …");
  const all = make("button", { type: "button", hidden: true }, "Redrive all shown");
  const list = make("ul", { class: "letters" });
  const whole = make("section", { "aria-labelledby": `${name}-title` }, heading, make("div", { class: "bar" }, count, all), list);
  const each = { name, title, whole, count, all, list, letters: [], counted: 0 };
  all.disabled = !token;
  all.addEventListener("click", () => handle(each, "redrive", wanted(each)));
  return each;
}

const wanted = ({ letters }) =>
  letters.filter(
    (letter) => (!byService.value || letter.service === byService.value) && (!byReason.value || letter.reason === byReason.value),
  );

async function look(each) {
  try {
    const { count, letters } = await ask(`/api/${each.name}/letters`);
    if (each.drawn && count === each.counted && JSON.stringify(letters) === JSON.stringify(each.letters)) {
      return; // What was opened stays open.
    }
    Object.assign(each, { letters, counted: count, drawn: true });
  } catch (error) {
    each.count.textContent = `not read: ${error.message}`;
    return;
  }
  offer(byService, "service");
  offer(byReason, "reason");
  draw(each);
}

function offer(select, field) {
  const values = new Set(Object.values(boxes).flatMap(({ letters }) => letters.map((letter) => letter[field])));
  const known = new Set([...select.options].map((option) => option.value));
  options(select, [...values].filter((value) => !known.has(value)).sort());
}

function draw(each) {
  const shown = wanted(each);
  const listed = each.counted > each.letters.length ? ` (the newest ${each.letters.length} are listed)` : "";
  each.count.textContent = each.counted ? `${shown.length} of ${each.counted}${listed}` : "none";
  each.all.hidden = shown.length === 0;
  each.list.replaceChildren(...shown.map((letter) => item(each, letter)));
}

function item(each, letter) {
  const payload = make("pre", { tabindex: "0" }, "…");
  const details = make("details", {}, make("summary", {}, "Payload"), payload);
  details.addEventListener("toggle", () => details.open && open(each, letter, payload));
  const what = `${letter.kind || "message"} ${short(letter.letter_id.replace("body-", ""))} of ${letter.service}`;
  const does = (verb, title) => {
    const button = make("button", { type: "button", "aria-label": `${title} ${what}` }, title);
    button.disabled = !token;
    button.addEventListener("click", () => handle(each, verb, [letter]));
    return button;
  };
  const about = letter.order_id
    ? make("p", {}, "order ", make("a", { class: "id", href: orderPath(each.name, letter.order_id) }, letter.order_id))
    : null;
  return make(
    "li",
    {},
    make("p", { class: "event" }, make("strong", {}, letter.service), ` ${letter.kind || "no event of ours"} `, make("span", { class: "tag trouble" }, letter.reason)),
    make("p", { class: "detail" }, letter.detail || "no detail"),
    about,
    make("p", { class: "hint" }, attempts(letter)),
    details,
    make("p", { class: "bar" }, does("redrive", "Redrive"), does("discard", "Discard")),
  );
}

function attempts({ attempts: count, first_at: first, last_at: last }) {
  return count === 1 ? `1 attempt, ${when(last)}` : `${count} attempts, ${when(first)} to ${when(last)}`;
}

const when = (time) => (time ? moment(time) : "an unknown time");

async function open(each, letter, place) {
  try {
    const path = [each.name, "letters", letter.service, letter.letter_id].map(encodeURIComponent).join("/");
    const { payload } = await ask(`/api/${path}`);
    place.textContent = typeof payload === "string" ? payload : JSON.stringify(payload, null, 2);
  } catch (error) {
    place.textContent = error.message;
  }
}

async function handle(each, verb, letters) {
  const services = new Map(letters.map(({ service }) => [service, new Set()]));
  letters.forEach(({ service, letter_id: id }) => services.get(service).add(id));
  const totals = { done: 0, gone: 0, left: [] };
  say(`${verb}: ${letters.length} under way`);
  try {
    for (const [service, ids] of services) {
      const { done, left, gone } = await tell(`/api/${each.name}/letters`, { verb, service, ids: [...ids] });
      totals.done += done.length;
      totals.gone += gone.length;
      totals.left.push(...Object.values(left));
    }
    const parts = [`${verb}: ${totals.done} done`];
    parts.push(...totals.left.map((why) => `left as it is: ${why}`));
    parts.push(...(totals.gone ? [`${totals.gone} were gone already`] : []));
    say(parts.join("; "), totals.left.length > 0);
  } catch (error) {
    say(error.message, true);
  }
  await look(each);
}

for (const select of [byService, byReason]) {
  select.addEventListener("change", () => Object.values(boxes).forEach(draw));
}
document.getElementById("again").addEventListener("click", () => Object.values(boxes).forEach(look));

// The stream says how many letters there are; a list that is not of as many is looked at again.
const dead = ({ cloud, services }) => {
  if (services && services.reduce((sum, { dead_letters: count }) => sum + (count ?? 0), 0) !== boxes[cloud].counted) {
    look(boxes[cloud]);
  }
};
ready();
await Promise.all(Object.values(boxes).map(look));
listen({ queues: dead });
