import { ask, clock, listen, make, moment, money, ready, short, table } from "./common.js";

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
  await trace();
}

let traced = null;

// The waterfall: a row a span, its bar where it lies on the time of the whole trace.
async function trace() {
  let found;
  try {
    found = await ask(`/api/${encodeURIComponent(cloud)}/orders/${encodeURIComponent(id)}/trace`);
  } catch (error) {
    place("trace-about").textContent = error.message;
    return;
  }
  if (found.spans.length !== traced?.spans.length) {
    traced = found;
    waterfall();
  }
}

function waterfall() {
  const { trace_id: traceId, took_ms: whole, spans } = traced;
  const calls = place("trace-calls").checked;
  const shown = spans.filter((span) => calls || span.kind !== "client" || span.error);
  const services = new Set(spans.map(({ service }) => service).filter(Boolean)).size;
  const lost = spans.some(({ missing }) => missing) ? " A lost span is of a process that was killed before it could send it." : "";
  place("trace-choice").hidden = false;
  place("trace-about").textContent = `${spans.length} spans of ${services} services in ${milliseconds(whole)}; trace ${traceId}.${lost}`;
  const columns = [{ title: `span, on the time from 0 to ${milliseconds(whole)}`, class: "span" }, { title: "at", class: "figure" }, { title: "took", class: "figure" }];
  place("trace-table").replaceChildren(table("Waterfall", columns, shown.map((span) => spanRow(span, whole))));
}

function spanRow(span, whole) {
  const bar = make("span", { class: span.error ? "bar-of-time failed" : "bar-of-time", "aria-hidden": "true" });
  const share = (ms) => `${Math.min(100, (100 * ms) / Math.max(whole, 0.001))}%`;
  bar.style.marginInlineStart = share(span.began_ms);
  bar.style.inlineSize = share(span.took_ms);
  const said = span.outcome && !/^(handled|2..)$/.test(span.outcome) ? make("span", { class: span.error ? "trouble" : "hint" }, ` ${span.error ? "▲ " : ""}${span.outcome}`) : "";
  const name = make("span", { class: `span-name depth-${Math.min(span.depth, 10)}` }, make("strong", {}, span.service), ` ${span.name}`, said);
  return make(
    "tr",
    {},
    make("th", { scope: "row", class: "span" }, name, bar),
    make("td", { class: "figure" }, milliseconds(span.began_ms)),
    make("td", { class: "figure" }, milliseconds(span.took_ms)),
  );
}

const milliseconds = (ms) => (ms < 10_000 ? `${Math.round(ms)} ms` : `${(ms / 1000).toFixed(1)} s`);

place("trace-calls").addEventListener("change", waterfall);

function draw({ row, lines, tracking, services, timeline }) {
  const facts = [
    ["cloud", cloud],
    ["status", row.closed ? `${row.status}, closed` : row.status],
    ["reason", row.reason],
    ["customer", row.customer_id],
    ["total", money(row.total, row.currency)],
    ["placed", moment(row.placed_at)],
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

ready();
await refresh();
// What happens to it late (duplicates, analytics, the last spans) shows in the other parts of its cloud.
const here = (value) => value.cloud === cloud && refresh();
listen({ orders: (value) => value.rows?.some((row) => row.order_id === id) && here(value), trouble: here, today: here });
