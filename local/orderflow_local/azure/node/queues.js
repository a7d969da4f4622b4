/**
 * Queues with the semantics of Azure Service Bus, without any wire protocol: the core of the Service Bus stand-in.
 *
 * Kept: peek-lock with lock tokens, lock expiry and renewal, delivery count, abandon, dead-lettering with reason and
 * description, max delivery count, scheduled messages and their cancellation, peek, receive-and-delete.
 * Left out, because orderflow uses none of it: sessions, deferral (taken as abandon), duplicate detection, time to live, transactions,
 * topics and subscriptions, auto-forwarding, the HTTP administration API.
 * State is in memory: function hosts may die, the stand-in itself must not.
 */

import { randomBytes } from "node:crypto";

export const DEAD_LETTER_SUFFIX = "/$deadletterqueue";

export class NoSuchQueue extends Error {
  constructor(name) {
    super(`The messaging entity '${name}' could not be found.`);
  }
}

/** One queue. `message` is opaque here but for its `application_properties`, which dead-lettering adds to. */
export class Queue {
  constructor(name, { lockMs, maxDeliveries, deadLetters = null, nextNumber }) {
    this.name = name;
    this.lockMs = lockMs;
    this.maxDeliveries = maxDeliveries;
    this.deadLetters = deadLetters;
    this.nextNumber = nextNumber;
    this.ready = []; // entries by sequence number
    this.locked = new Map(); // lock token (hex) -> entry
    this.scheduled = new Map(); // sequence number -> entry
    this.onReady = () => {};
  }

  enqueue(message) {
    const entry = this.#entry(message);
    this.#makeReady(entry);
    return entry.number;
  }

  /** Enqueue at a time (milliseconds since the epoch). Answers the sequence number that `cancel` takes. */
  schedule(message, at) {
    const entry = this.#entry(message);
    entry.timer = setTimeout(() => {
      this.scheduled.delete(entry.number);
      entry.enqueuedAt = Date.now();
      this.#makeReady(entry);
    }, at - Date.now());
    this.scheduled.set(entry.number, entry);
    return entry.number;
  }

  cancel(number) {
    const entry = this.scheduled.get(number);
    if (!entry) return false;
    clearTimeout(entry.timer);
    return this.scheduled.delete(number);
  }

  /** Take the first ready entry, locked or (receive-and-delete) for good. */
  take({ lock }) {
    const entry = this.ready.shift();
    if (!entry) return null;
    if (lock) {
      entry.token = randomBytes(16);
      entry.lockedUntil = Date.now() + this.lockMs;
      entry.onExpired = () => {};
      entry.timer = setTimeout(() => {
        entry.onExpired();
        this.abandon(entry.token);
      }, this.lockMs);
      this.locked.set(entry.token.toString("hex"), entry);
    }
    return entry;
  }

  /** Each of these answers false where the lock is lost. */
  complete(token) {
    return this.#unlock(token) !== null;
  }

  abandon(token) {
    const entry = this.#unlock(token);
    if (!entry) return false;
    entry.deliveries += 1;
    if (entry.deliveries >= this.maxDeliveries && this.deadLetters) {
      const times = `Message could not be consumed after ${this.maxDeliveries} delivery attempts.`;
      this.#bury(entry, "MaxDeliveryCountExceeded", times);
    } else {
      this.#makeReady(entry);
    }
    return true;
  }

  /** Give back what its receiver never looked at: no delivery is counted. */
  release(token) {
    const entry = this.#unlock(token);
    if (entry) this.#makeReady(entry);
    return entry !== null;
  }

  deadLetter(token, reason, description) {
    const entry = this.#unlock(token);
    if (entry) this.#bury(entry, reason, description);
    return entry !== null;
  }

  /** Answers the new end of the lock in milliseconds since the epoch, or null where the lock is lost. */
  renew(token) {
    const entry = this.locked.get(token.toString("hex"));
    if (!entry) return null;
    entry.lockedUntil = Date.now() + this.lockMs;
    entry.timer.refresh();
    return entry.lockedUntil;
  }

  /** Messages by sequence number, locked and scheduled ones included, without touching them. */
  peek(from, count) {
    return [...this.ready, ...this.locked.values(), ...this.scheduled.values()]
      .filter((entry) => entry.number >= from)
      .sort((a, b) => a.number - b.number)
      .slice(0, count);
  }

  #entry(message) {
    const now = Date.now();
    return { message, number: this.nextNumber(), enqueuedAt: now, deliveries: 0, lockedUntil: 0, token: null };
  }

  #unlock(token) {
    const key = token.toString("hex");
    const entry = this.locked.get(key);
    if (!entry) return null;
    clearTimeout(entry.timer);
    this.locked.delete(key);
    return entry;
  }

  #makeReady(entry) {
    let at = this.ready.length;
    while (at > 0 && this.ready[at - 1].number > entry.number) at -= 1;
    this.ready.splice(at, 0, entry);
    this.onReady();
  }

  #bury(entry, reason, description) {
    const target = this.deadLetters ?? this;
    entry.message.application_properties = {
      ...entry.message.application_properties,
      DeadLetterReason: reason,
      DeadLetterErrorDescription: description,
    };
    entry.deliveries = 0;
    target.#makeReady(entry);
  }
}

/** All queues of the namespace, each with its `$deadletterqueue`, by lower-cased name. */
export class Namespace {
  #byName = new Map();
  #last = 0;

  constructor(definitions) {
    for (const definition of definitions) this.create(definition);
  }

  create({ name, lock_ms: lockMs, max_deliveries: maxDeliveries }) {
    const limits = { lockMs, maxDeliveries, nextNumber: () => ++this.#last };
    const deadLetters = new Queue(name + DEAD_LETTER_SUFFIX, limits);
    const queue = new Queue(name, { ...limits, deadLetters });
    for (const one of [queue, deadLetters]) this.#byName.set(one.name.toLowerCase(), one);
  }

  remove(name) {
    for (const one of [name, name + DEAD_LETTER_SUFFIX]) this.#byName.delete(one.toLowerCase());
  }

  has(name) {
    return this.#byName.has(name.toLowerCase());
  }

  /** Raises `NoSuchQueue`. */
  queue(name) {
    const queue = this.#byName.get(name.toLowerCase());
    if (!queue) throw new NoSuchQueue(name);
    return queue;
  }

  /** How full every queue is. */
  depths() {
    const depths = {};
    for (const queue of this.#byName.values()) {
      depths[queue.name] = {
        waiting: queue.ready.length + queue.scheduled.size,
        in_flight: queue.locked.size,
      };
    }
    return depths;
  }
}
