import { ask, listen, make, money, percent, ready, say, table } from "./common.js";

const room = await ask("/api/room");
const verdicts = {};
const places = Object.fromEntries(room.clouds.map(({ name, title }) => [name, section(name, title)]));

function section(name, title) {
  const place = make("div", { class: "tables" }, make("p", { class: "hint" }, "looking …"));
  const verdict = make("div", { class: "tables" });
  const heading = make("h2", { id: `${name}-title` }, title);
  verdicts[name] = verdict;
  document.getElementById("figures").append(make("section", { class: "cloud", "aria-labelledby": `${name}-title` }, heading, verdict, place));
  return place;
}

function draw(value) {
  const place = places[value.cloud];
  if (value.error) {
    place.replaceChildren(make("p", { class: "trouble" }, `not read: ${value.error}`));
    return;
  }
  place.replaceChildren(earned(value), came(value), failed(value), took(value));
}

const figure = { class: "figure" };
const row = (name, ...figures) => make("tr", {}, make("th", { scope: "row" }, name), ...figures.map((each) => make("td", figure, each)));

function listed(caption, names, rows) {
  const [first, ...rest] = names;
  return table(caption, [{ title: first }, ...rest.map((title) => ({ title, ...figure }))], rows.length ? rows : [row("none yet", ...rest.map(() => "—"))]);
}

function earned({ revenue, payments, refunds }) {
  const rows = Object.entries(revenue).map(([currency, minor]) => row(`revenue, ${currency}`, money(minor, currency)));
  return listed("Revenue, refunds taken off", ["of today", "amount or count"], [...rows, row("payments", String(payments)), row("refunds", String(refunds))]);
}

function came({ placed, confirmed, shipped, cancelled, under_way: open }) {
  const steps = [["placed", placed], ["confirmed", confirmed], ["shipped", shipped], ["cancelled", cancelled], ["under way", open]];
  return listed("Conversion", ["orders", "count", "of placed"], steps.map(([name, count]) => row(name, String(count), percent(count, placed))));
}

function failed({ reasons, cancelled }) {
  const rows = Object.entries(reasons).sort(([, a], [, b]) => b - a);
  return listed("Cancelled, by reason", ["reason", "count", "share"], rows.map(([reason, count]) => row(reason, String(count), percent(count, cancelled))));
}

function took({ shipping, shipped }) {
  const seconds = (ms) => `${ms / 1000} s`;
  const rows = shipping.within.filter(([, count]) => count);
  const name = (bound) => (bound === null ? "longer" : `up to ${seconds(bound)}`);
  const title = shipping.mean_ms === null ? "From placed to shipped" : `From placed to shipped, ${(shipping.mean_ms / 1000).toFixed(1)} s on average`;
  return listed(title, ["within", "orders", "share"], rows.map(([bound, count]) => row(name(bound), String(count), percent(count, shipped))));
}
async function check(name, title) {
  verdicts[name].replaceChildren(make("p", { class: "hint" }, "checking …"));
  const { orders, invariants } = await ask(`/api/${name}/check`);
  const rows = invariants.map(({ name: id, says, broken }) =>
    make(
      "tr",
      {},
      make("th", { scope: "row", class: "span" }, `${id} ${says}`, ...broken.slice(0, 3).map((what) => make("p", { class: "hint" }, what))),
      make("td", { class: broken.length ? "figure trouble" : "figure" }, broken.length ? `▲ ${broken.length} broken` : "✓ holds"),
    ),
  );
  verdicts[name].replaceChildren(table(`Invariants of ${orders} orders`, [{ title: "invariant" }, { title: "", class: "figure" }], rows));
  const all = invariants.every(({ broken }) => !broken.length);
  return { all, text: `${title}: ${all ? "all hold" : "not all hold"}` };
}

document.getElementById("check").addEventListener("click", async () => {
  say("Checking …");
  const done = await Promise.allSettled(room.clouds.map(({ name, title }) => check(name, title)));
  for (const [at, { reason }] of done.entries()) {
    if (reason) {
      verdicts[room.clouds[at].name].replaceChildren(make("p", { class: "trouble" }, `not checked: ${reason.message}`));
    }
  }
  say(done.map(({ value, reason }) => value?.text ?? reason.message).join("; "), !done.every(({ value }) => value?.all));
});

ready();
listen({ today: draw });
