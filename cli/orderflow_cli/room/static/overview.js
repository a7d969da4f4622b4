import { ask, clock, listen, make, money, options, orderPath, ready, say, short, table, tell, token } from "./common.js";

const UNKNOWN = "not known";
const room = await ask("/api/room");
const titles = Object.fromEntries(room.clouds.map(({ name, title }) => [name, title]));
const shown = Object.fromEntries(room.clouds.map(({ name }) => [name, {}]));
const sections = Object.fromEntries(room.clouds.map(({ name, title }) => [name, section(name, title)]));
document.getElementById("clouds").append(...Object.values(sections).map((each) => each.whole));

function section(name, title) {
  const part = (kind) => make("div", { class: `part part-${kind}`, id: `${name}-${kind}` });
  const parts = Object.fromEntries(["today", "trouble", "queues", "orders", "looks"].map((kind) => [kind, part(kind)]));
  const heading = make("h2", { id: `${name}-title` }, title);
  const whole = make("section", { class: "cloud", "aria-labelledby": `${name}-title` }, heading, ...Object.values(parts));
  return { whole, parts };
}

// A part that could not be read says so, and keeps what was known before.
function draw(kind, build) {
  return (value) => {
    const place = sections[value.cloud].parts[kind];
    if (value.error) {
      place.querySelector(".unread")?.remove();
      place.prepend(make("p", { class: "unread trouble" }, `not read: ${value.error}`));
      return;
    }
    shown[value.cloud][kind] = value;
    const scroll = make("div", { class: "scroll" });
    scroll.append(...build(value));
    const focused = place.contains(document.activeElement) ? document.activeElement.getAttribute("href") : null;
    place.replaceChildren(scroll);
    if (focused) {
      place.querySelector(`[href="${CSS.escape(focused)}"]`)?.focus();
    }
  };
}

function today(value) {
  const figures = [
    ["placed", value.placed],
    ["under way", value.under_way],
    ["shipped", value.shipped],
    ["cancelled", value.cancelled],
  ];
  const reasons = Object.entries(value.reasons).sort(([a], [b]) => a.localeCompare(b));
  const said = reasons.map(([reason, count]) => `${reason} ${count}`).join(", ");
  return [
    make("dl", { class: "figures" }, ...figures.map(([name, count]) => make("div", {}, make("dt", {}, name), make("dd", {}, String(count))))),
    make("p", { class: "hint" }, `today (UTC), as far as analytics has counted${said ? `; cancelled: ${said}` : ""}`),
  ];
}

const STATES = { closed: "closed", open: "▲ open: calls wait", probing: "△ open: trying one call" };

function trouble(value) {
  drawQueues(value.cloud);
  drawHosts();
  const rows = value.providers.map(({ name, mode, breaker }) =>
    make(
      "tr",
      {},
      make("th", { scope: "row" }, name),
      make("td", { class: mode === "ok" ? null : "trouble" }, mode === "ok" ? "ok" : `▲ ${mode}`),
      make("td", { class: breaker === "closed" ? null : "trouble" }, STATES[breaker]),
    ),
  );
  return [table("Providers", [{ title: "provider" }, { title: "simulated as" }, { title: "circuit breaker" }], rows)];
}

function queues(value) {
  const { retries = {}, duplicates = {} } = shown[value.cloud].trouble ?? {};
  const figure = (count, loud) =>
    loud && count > 0
      ? make("td", { class: "figure trouble" }, `▲ ${count}`)
      : make("td", { class: count ? "figure" : "figure zero" }, count === null ? "—" : String(count ?? 0));
  const rows = value.services.map((each) =>
    make(
      "tr",
      {},
      make("th", { scope: "row" }, each.service),
      figure(each.waiting),
      figure(each.in_flight),
      figure(each.oldest_s === null ? null : Math.round(each.oldest_s)),
      figure(retries[each.service]),
      make("td", { class: duplicates[each.service] ? "figure least" : "figure least zero" }, String(duplicates[each.service] ?? 0)),
      figure(each.dead_letters, true),
    ),
  );
  const names = { waiting: "waiting", in_flight: "in flight", oldest_s: "oldest", dead_letters: "dead" };
  const untold = Object.entries(value.untold).map(([name, why]) => `${names[name]}: ${why}`);
  const dupl = make("abbr", { title: "duplicates absorbed" }, "dupl.");
  const columns = ["waiting", "in flight", "oldest, s", "retries", dupl, "dead"];
  const least = (title) => (title === dupl ? "figure least" : "figure");
  return [
    table("Queues", [{ title: "service" }, ...columns.map((title) => ({ title, class: least(title) }))], rows),
    untold.length ? make("p", { class: "hint" }, `— is ${UNKNOWN} here. ${untold.join("; ")}.`) : "",
  ];
}

function drawQueues(cloud) {
  if (shown[cloud].queues) {
    hear.queues(shown[cloud].queues);
  }
}

function orders(value) {
  const rows = value.rows.map((order) =>
    make(
      "tr",
      {},
      make("td", {}, make("a", { href: orderPath(value.cloud, order.order_id), class: "id" }, short(order.order_id))),
      make("td", { class: "less" }, order.customer_id),
      make("td", {}, steps(order)),
      make("td", { class: order.status === "cancelled" ? "words trouble" : "words" }, state(order)),
      make("td", { class: "figure less" }, money(order.total, order.currency)),
      make("td", { class: "figure" }, clock(order.placed_at)),
    ),
  );
  const columns = [{ title: "order" }, { title: "customer", class: "less" }, { title: "steps" }, { title: "state" }];
  const figures = [{ title: "total", class: "figure less" }, { title: "placed", class: "figure" }];
  const { shipping } = value;
  const times = shipping
    ? `Placed to shipped: p50 ${shipping.p50_s} s, p95 ${shipping.p95_s} s (${shipping.orders} orders seen).`
    : "Placed to shipped: no figure until two orders are shipped.";
  return [
    table("Newest orders", [...columns, ...figures], rows),
    value.rows.length ? "" : make("p", { class: "hint" }, "No orders yet."),
    make("p", { class: "hint" }, `${times} Steps: R reserved, P paid, C confirmed, S shipped; of a cancelled order X cancelled, I inventory and P payment have answered.`),
  ];
}

const LETTERS = { cancelled: "X", "inventory answered": "I", "payment answered": "P" };

function steps(order) {
  const done = order.steps.filter(([, is]) => is).map(([name]) => name);
  const label = done.length ? done.join(", ") : "nothing yet";
  const marks = order.steps.map(([name, is]) => make("span", { class: is ? "done" : "" }, LETTERS[name] ?? name[0].toUpperCase()));
  return make("span", { class: "steps", role: "img", "aria-label": label, title: label }, ...marks);
}

function state(order) {
  const reason = order.reason?.split(":")[0];
  const open = order.status === "cancelled" && !order.closed ? ", being undone" : "";
  return reason ? `${order.status}: ${reason}${open}` : order.status;
}

function looks(value) {
  const took = Object.entries(value.took_ms).sort(([a], [b]) => a.localeCompare(b));
  const { per_second: rate, placed, failed, last_error: error } = value.load;
  const { on, repeated, last_error: refused } = value.twice;
  showRate();
  showTwice();
  const load = rate || placed || failed ? `Load: ${rate} a second, ${placed} placed, ${failed} refused${error ? ` (last: ${error})` : ""}. ` : "";
  const twice = on || repeated ? `Every event twice: ${on ? "on" : "off"}, ${repeated} repeated${refused ? ` (last error: ${refused})` : ""}. ` : "";
  return [make("p", { class: "hint" }, `${load}${twice}A look takes: ${took.map(([kind, ms]) => `${kind} ${ms} ms`).join(", ")}.`)];
}

const hear = {
  today: draw("today", today),
  trouble: draw("trouble", trouble),
  queues: draw("queues", queues),
  orders: draw("orders", orders),
  looks: draw("looks", looks),
};

// The panel: every form acts on the chosen cloud, or on all of them.

const target = document.getElementById("target");
options(target, ["", ...room.clouds.map(({ name }) => name)], (name) => titles[name] ?? "all clouds");
const byId = (id) => document.getElementById(id);
options(byId("place").customer, room.customers);
options(byId("place").sku, room.goods.map(({ sku }) => sku));
options(byId("provider").provider, Object.keys(room.providers));
options(byId("poison").service, room.services);
byId("load").per_second.max = room.most_per_second;
offerModes();
byId("provider").provider.addEventListener("change", offerModes);
target.addEventListener("change", () => {
  drawHosts();
  showRate();
  showTwice();
});
for (const button of document.querySelectorAll("#panel button, #panel input[type=range], #panel input[type=checkbox]")) {
  button.disabled = !token;
}
if (token && matchMedia("(min-width: 60rem)").matches) {
  byId("panel").open = true;
}

function offerModes() {
  const { provider, mode } = byId("provider");
  mode.replaceChildren();
  options(mode, room.providers[provider.value]);
}

// The slider shows what the load is, unless it is just being moved.
function showRate() {
  const slider = byId("load").per_second;
  if (document.activeElement !== slider) {
    slider.value = Math.max(...chosen().map((cloud) => shown[cloud].looks?.load.per_second ?? 0));
    byId("rate-shown").textContent = slider.value;
  }
}

// The box shows what is, unless it was just clicked: a look that was on its way then says what was before.
const switched = {};

function showTwice() {
  const known = chosen().map((cloud) => ({ on: false, switched: 0, ...shown[cloud].looks?.twice, cloud }));
  if (known.every((each) => each.switched >= (switched[each.cloud] ?? 0))) {
    byId("twice").on.checked = known.some(({ on }) => on);
  }
}

function drawHosts() {
  const select = byId("kill").host;
  const hosts = shown[target.value]?.trouble?.hosts ?? [];
  const known = [...select.options].slice(1).map((option) => option.value);
  if (hosts.join() !== known.join()) {
    select.replaceChildren(select.options[0]);
    options(select, hosts);
  }
}

const chosen = () => (target.value ? [target.value] : Object.keys(titles));

async function onEach(what, act) {
  const done = await Promise.allSettled(chosen().map(async (cloud) => `${titles[cloud]}: ${await act(cloud)}`));
  const failed = done.filter(({ status }) => status === "rejected");
  say(`${what}. ${done.map(({ value, reason }) => value ?? reason.message).join("; ")}`, failed.length > 0);
}

function act(id, what, path, body, answer) {
  byId(id).addEventListener("submit", (event) => {
    event.preventDefault();
    const fields = Object.fromEntries(new FormData(byId(id)));
    onEach(what(fields), async (cloud) => answer(await tell(`/api/${cloud}/${path}`, body(fields)), fields));
  });
}

act(
  "place",
  () => "Placed",
  "orders",
  ({ customer, sku, quantity, payment_token }) => ({ customer, lines: { [sku]: Number(quantity) }, payment_token }),
  ({ order_id }) => short(order_id),
);
act("provider", ({ provider, mode }) => `${provider} is to be ${mode}`, "provider", (fields) => fields, () => "done");
act("poison", ({ service }) => `Poison for ${service}`, "poison", (fields) => fields, () => "sent");
act("kill", () => "Killed", "kill", ({ host }) => ({ host: host || null }), ({ killed }) => killed);
byId("load").addEventListener("submit", (event) => event.preventDefault());
byId("load").per_second.addEventListener("input", ({ target: slider }) => {
  byId("rate-shown").textContent = slider.value;
});
byId("load").per_second.addEventListener("change", ({ target: slider }) => {
  onEach(`Load of ${slider.value} orders a second`, async (cloud) => {
    await tell(`/api/${cloud}/load`, { per_second: Number(slider.value) });
    return "set";
  });
});
byId("twice").on.addEventListener("change", ({ target: box }) => {
  onEach(`Every event twice: ${box.checked ? "on" : "off"}`, async (cloud) => {
    switched[cloud] = Infinity;
    const told = await tell(`/api/${cloud}/twice`, { on: box.checked }).catch((error) => {
      switched[cloud] = 0;
      throw error;
    });
    switched[cloud] = told.switched;
    return "set";
  });
});

ready();
listen(hear);
