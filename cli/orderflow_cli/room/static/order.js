import { ask, clock, listen, make, money, short, table } from "./common.js";

const asked = new URLSearchParams(location.search);
const cloud = asked.get("cloud");
const id = asked.get("id");
const place = (name) => document.getElementById(name);
place("order-id").textContent = id;

let drawn = "";

async function refresh() {
  let order;
  try {
    order = await ask(`/api/${encodeURIComponent(cloud)}/orders/${encodeURIComponent(id)}`);
  } catch (error) {
    place("absent").hidden = false;
    place("absent").textContent = error.message;
    return;
  }
  const text = JSON.stringify(order);
  place("absent").hidden = true;
  place("order").hidden = false;
  if (text !== drawn) {
    drawn = text;
    draw(order);
  }
}

function draw({ row, lines, tracking, services, timeline }) {
  const facts = [
    ["cloud", cloud],
    ["status", row.closed ? `${row.status}, closed` : row.status],
    ["reason", row.reason],
    ["customer", row.customer_id],
    ["total", money(row.total, row.currency)],
    ["placed", new Date(row.placed_at).toLocaleString()],
    ["tracking", tracking],
    ["correlation", timeline.correlation_id],
  ];
  place("facts").replaceChildren(
    ...facts.filter(([, value]) => value).map(([name, value]) => make("div", {}, make("dt", {}, name), make("dd", {}, value))),
  );
  const goods = lines.map((line) =>
    make(
      "tr",
      {},
      make("th", { scope: "row" }, line.sku),
      make("td", { class: "figure" }, String(line.quantity)),
      make("td", { class: "figure" }, money(line.unit_price, row.currency)),
    ),
  );
  const columns = [{ title: "goods" }, { title: "quantity", class: "figure" }, { title: "each", class: "figure" }];
  place("lines").replaceChildren(...table("Lines", columns, goods).children);
  place("services").replaceChildren(
    ...Object.entries(services).map(([name, state]) =>
      make("details", {}, make("summary", {}, name, make("span", { class: "hint" }, ` ${state.status ?? ""}`)), json(state)),
    ),
  );
  place("waits").textContent = timeline.waits_for.length
    ? `Stands out: ${timeline.waits_for.join(", ")}.`
    : "Every event was absorbed by everyone who hears it.";
  const kinds = Object.fromEntries(timeline.entries.map((entry) => [entry.event_id, entry.kind]));
  place("story").replaceChildren(...timeline.entries.map((entry) => event(entry, kinds)));
}

function event(entry, kinds) {
  const cause = entry.causation_id ? `because of ${kinds[entry.causation_id] ?? "a command"} ${short(entry.causation_id)}` : "by a command";
  const notes = [
    entry.absorbed_by.length ? `absorbed by ${entry.absorbed_by.join(", ")}` : null,
    entry.waits_for.length ? `▲ not yet absorbed by ${entry.waits_for.join(", ")}` : null,
    ...counted(entry.duplicates ?? {}, "duplicate absorbed", "duplicates absorbed"),
    ...Object.entries(entry.attempts).map(([service, { count, last_error: error }]) => `▲ ${service}: ${count} failed attempts since it was last given up; last: ${error}`),
  ].filter(Boolean);
  return make(
    "li",
    { class: `depth-${Math.min(entry.depth, 6)}` },
    make(
      "p",
      { class: "event" },
      make("time", { datetime: entry.time }, clock(entry.time)),
      " ",
      make("strong", {}, entry.kind),
      entry.compensation ? make("span", { class: "tag" }, "↩ undoes") : "",
      ` by ${entry.service} `,
      make("span", { class: "hint" }, cause),
    ),
    ...notes.map((note) => make("p", { class: note.startsWith("▲") ? "note trouble" : "note" }, note)),
    make("details", {}, make("summary", {}, "data of ", short(entry.event_id)), json(entry.data)),
  );
}

function counted(counts, one, many) {
  return Object.entries(counts).map(([service, count]) => `${service}: ${count} ${count === 1 ? one : many}`);
}

function json(value) {
  return make("pre", { tabindex: "0" }, JSON.stringify(value, null, 2));
}

await refresh();
listen({ orders: (value) => value.cloud === cloud && value.rows?.some((row) => row.order_id === id) && refresh() });
