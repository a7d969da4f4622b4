/**
 * A stand-in for an Azure Service Bus namespace: AMQP 1.0 on rhea, as the real azure-servicebus clients speak it when
 * their connection string says `UseDevelopmentEmulator=true` (plain TCP, SASL ANONYMOUS).
 *
 * The wire format follows learn.microsoft.com/azure/service-bus-messaging/service-bus-amqp-protocol-guide and
 * .../service-bus-amqp-request-response: `$cbs` put-token, `$management` (schedule-message, cancel-scheduled-message,
 * peek-message, renew-lock, update-disposition), the lock token as a 16-byte delivery tag, `x-opt-*` annotations.
 * Tokens are accepted unseen. Message size is limited as in the Standard tier.
 */

import rhea from "rhea";

const { message: codec, types } = rhea;

const MAX_MESSAGE_BYTES = 256 * 1024;
const BATCH_FORMAT = 0x80013700;
const DATA_SECTION = 0x75;
const LONG = 0x81;
const TIMESTAMP = 0x83;
const LOCK_LOST = "com.microsoft:message-lock-lost";

/** Serve a namespace on 127.0.0.1. Answers a promise of the port. */
export function listen(namespace, port) {
  const container = rhea.create_container({ id: "orderflow-service-bus-stand-in" });
  container.sasl_server_mechanisms.enable_anonymous();
  new Front(namespace).attachTo(container);
  const server = container.listen({
    host: "127.0.0.1",
    port,
    noDelay: true,
    receiver_options: { max_message_size: MAX_MESSAGE_BYTES, autoaccept: false, credit_window: 500 },
    sender_options: { treat_modified_as_released: false },
  });
  return new Promise((resolve, reject) => {
    server.once("listening", () => resolve(server.address().port));
    server.once("error", reject);
  });
}

class Front {
  #namespace;
  #consumers = new WeakMap(); // queue -> links that want its messages, in turn

  constructor(namespace) {
    this.#namespace = namespace;
  }

  #of(queue) {
    if (!this.#consumers.has(queue)) {
      this.#consumers.set(queue, []);
      queue.onReady = () => this.#pump(queue);
    }
    return this.#consumers.get(queue);
  }

  attachTo(container) {
    container.on("receiver_open", (context) => this.#clientSends(context.receiver));
    container.on("sender_open", (context) => this.#clientReceives(context.sender));
    container.on("message", (context) => this.#arrived(context));
    container.on("sendable", ({ sender }) => this.#pump(sender.queue));
    container.on("sender_draining", ({ sender }) => {
      this.#pump(sender.queue);
      // A client may take back credit that is used already; rhea would count such a debt down for ever.
      sender.credit = Math.max(sender.credit, 0);
      sender.set_drained(true);
    });
    container.on("sender_close", ({ sender }) => this.#forget(sender));
    container.on("disconnected", ({ connection }) => connection.each_sender((sender) => this.#forget(sender)));
    container.on("accepted", (context) => this.#settle(context, (queue, tag) => queue.complete(tag)));
    container.on("released", (context) => this.#settle(context, (queue, tag) => queue.release(tag)));
    container.on("modified", (context) => this.#settle(context, (queue, tag) => queue.abandon(tag)));
    container.on("rejected", (context) => this.#settle(context, deadLetter));
    // A client that goes away is ordinary; what it held is unlocked when its locks expire.
    for (const ordinary of ["error", "connection_error", "session_error", "sender_error", "receiver_error"]) {
      container.on(ordinary, () => {});
    }
  }

  // ---- links

  #clientSends(receiver) {
    const address = path(receiver.target?.address);
    if (!this.#known(address)) return refuse(receiver, address);
    receiver.set_source({ address: receiver.source?.address });
    receiver.set_target({ address: receiver.target.address });
    receiver.address = address;
  }

  #clientReceives(sender) {
    const address = path(sender.source?.address);
    if (!this.#known(address)) return refuse(sender, address);
    sender.set_source({ address: sender.source.address });
    sender.set_target({ address: sender.target?.address });
    sender.address = address;
    sender.local.attach.snd_settle_mode = sender.snd_settle_mode;
    sender.local.attach.rcv_settle_mode = sender.rcv_settle_mode;
    if (isService(address)) return;
    sender.queue = this.#namespace.queue(address);
    this.#of(sender.queue).push(sender);
  }

  #known(address) {
    return address === "$cbs" || this.#namespace.has(address.replace(/\/\$management$/, ""));
  }

  #forget(sender) {
    const links = sender.queue ? this.#of(sender.queue) : [];
    if (links.includes(sender)) links.splice(links.indexOf(sender), 1);
  }

  // ---- from clients

  #arrived({ message, delivery, receiver, connection }) {
    const reply = (properties, body = {}) => {
      const back = connection.find_sender((sender) => sender.address === receiver.address);
      const sent = back?.send({ correlation_id: message.message_id, application_properties: properties, body });
      if (sent) sent.settled = true; // clients do not settle replies, and rhea would wait for it
    };
    if (receiver.address === "$cbs") {
      delivery.accept();
      reply({ "status-code": types.wrap_int(200), "status-description": "OK" });
    } else if (isService(receiver.address)) {
      delivery.accept();
      const { status, error, body } = this.#manage(receiver.address.replace(/\/\$management$/, ""), message);
      const properties = { statusCode: types.wrap_int(status), statusDescription: error ?? "OK" };
      if (error) properties.errorCondition = types.wrap_symbol(error);
      reply(properties, body);
    } else {
      this.#accept(this.#namespace.queue(receiver.address), message, delivery);
    }
  }

  #accept(queue, message, delivery) {
    const messages = delivery.format === BATCH_FORMAT ? unpack(message) : [message];
    const oversize = messages.some((one) => codec.encode(one).length > MAX_MESSAGE_BYTES);
    if (oversize) {
      const description = `A message is limited to ${MAX_MESSAGE_BYTES} bytes.`;
      return delivery.reject({ condition: "amqp:link:message-size-exceeded", description, info: {} });
    }
    for (const one of messages) put(queue, one);
    delivery.accept();
  }

  #settle({ delivery, sender }, action) {
    if (!sender.queue || sender.snd_settle_mode === 1) return;
    const held = action(sender.queue, delivery.tag, delivery.remote_state);
    if (delivery.remote_settled) return delivery.update(true); // rhea keeps it until it is settled here too
    const lost = { condition: LOCK_LOST, description: "The lock supplied is invalid or expired.", info: {} };
    // The outcome is echoed, but a rejection without its error: with one it would say that settling failed.
    const rejected = delivery.remote_state.constructor.composite_type === "rejected";
    const echo = rejected ? codec.rejected({}) : delivery.remote_state;
    delivery.update(true, (held ? echo : codec.rejected({ error: lost })).described());
    delivery.remote_settled = true; // the client says no more, and rhea would wait for it
  }

  // ---- to clients

  #pump(queue) {
    if (!queue) return;
    const links = this.#of(queue);
    const room = new Map(links.map((link) => [link, link.is_open() ? link.credit - unsent(link) : 0]));
    while (queue.ready.length > 0) {
      const at = links.findIndex((link) => room.get(link) > 0);
      if (at < 0) return;
      const [link] = links.splice(at, 1);
      links.push(link); // each in turn
      room.set(link, room.get(link) - 1);
      const entry = queue.take({ lock: link.snd_settle_mode !== 1 });
      const delivery = link.send(onTheWire(entry), entry.token ?? undefined);
      entry.onExpired = () => setTimeout(forget, queue.lockMs, delivery).unref();
    }
  }

  // ---- $management

  #manage(address, request) {
    const queue = this.#namespace.queue(address);
    const body = request.body ?? {};
    const operation = String(request.application_properties?.operation ?? "").replace("com.microsoft:", "");
    switch (operation) {
      case "schedule-message": {
        const numbers = body.messages.map((item) => put(queue, codec.decode(item.message)));
        return { status: 200, body: { "sequence-numbers": types.wrap_array(numbers, LONG) } };
      }
      case "cancel-scheduled-message": {
        const found = body["sequence-numbers"].map((number) => queue.cancel(Number(number)));
        return found.every(Boolean) ? { status: 200 } : { status: 404, error: "com.microsoft:message-not-found" };
      }
      case "peek-message": {
        const entries = queue.peek(Number(body["from-sequence-number"]), Number(body["message-count"]));
        const messages = entries.map((entry) => ({ message: types.wrap_binary(codec.encode(onTheWire(entry))) }));
        return entries.length > 0 ? { status: 200, body: { messages } } : { status: 204 };
      }
      case "renew-lock": {
        const until = body["lock-tokens"].map((token) => queue.renew(tagOf(token)));
        if (until.includes(null)) return { status: 410, error: LOCK_LOST };
        return { status: 200, body: { expirations: types.wrap_array(until, TIMESTAMP) } };
      }
      case "update-disposition": {
        const act = {
          completed: (tag) => queue.complete(tag),
          abandoned: (tag) => queue.abandon(tag),
          suspended: (tag) =>
            queue.deadLetter(tag, body["deadletter-reason"] ?? "", body["deadletter-description"] ?? ""),
        }[body["disposition-status"]];
        if (!act) return { status: 501, error: "amqp:not-implemented" };
        const held = body["lock-tokens"].map((token) => act(tagOf(token)));
        return held.every(Boolean) ? { status: 200 } : { status: 410, error: LOCK_LOST };
      }
      default:
        return { status: 501, error: "amqp:not-implemented" };
    }
  }
}

/** The path of an entity address, which may come as `amqps://host:port/queue`. */
function path(address) {
  return (address ?? "").replace(/^[a-z]+:\/\/[^/]*\//, "").replace(/^\/+|\/+$/g, "");
}

function isService(address) {
  return address === "$cbs" || address.endsWith("/$management");
}

function refuse(link, address) {
  // No terminus was set, so the attach says that there is none, and the detach says why.
  link.close({
    condition: "amqp:not-found",
    description: `The messaging entity '${address}' could not be found.`,
  });
}

/**
 * Let go of a delivery that its receiver never settled, a while after its lock has expired: rhea has room for 2,048 of a
 * session, in order, and one that stayed for ever would block those behind it.
 */
function forget(delivery) {
  delivery.settled = true;
  delivery.remote_settled = true;
}

/** A batch is one transfer whose data sections are whole messages. */
function unpack(buffer) {
  const reader = new types.Reader(buffer);
  const messages = [];
  while (reader.remaining()) {
    const section = reader.read();
    if (Number(section.descriptor.value) === DATA_SECTION) messages.push(codec.decode(section.value));
  }
  return messages;
}

function put(queue, message) {
  const at = message.message_annotations?.["x-opt-scheduled-enqueue-time"];
  return at && at > Date.now() ? queue.schedule(message, Number(at)) : queue.enqueue(message);
}

function onTheWire(entry) {
  return {
    ...entry.message,
    delivery_count: entry.deliveries, // named even when 0: clients show None where it is absent
    message_annotations: {
      ...entry.message.message_annotations,
      "x-opt-sequence-number": types.wrap_long(entry.number),
      "x-opt-enqueued-time": types.wrap_timestamp(entry.enqueuedAt),
      "x-opt-locked-until": types.wrap_timestamp(entry.lockedUntil),
    },
  };
}

function deadLetter(queue, tag, outcome) {
  const info = outcome.error?.info ?? {};
  return queue.deadLetter(
    tag,
    info.DeadLetterReason ?? "",
    info.DeadLetterErrorDescription ?? outcome.error?.description ?? "",
  );
}

/** How many messages were given to a link but not written yet: rhea takes them off the credit only then. */
function unsent(link) {
  const { deliveries, next_pending_delivery: first, next_delivery_id: end } = link.session.outgoing;
  let count = 0;
  for (let id = first; id < end; id += 1) if (deliveries.by_id(id)?.link === link) count += 1;
  return count;
}

/** A lock token travels as a UUID in management requests, and as its little-endian bytes in delivery tags. */
function tagOf(uuid) {
  const bytes = Buffer.from(uuid);
  return Buffer.concat([
    bytes.subarray(0, 4).reverse(),
    bytes.subarray(4, 6).reverse(),
    bytes.subarray(6, 8).reverse(),
    bytes.subarray(8),
  ]);
}
