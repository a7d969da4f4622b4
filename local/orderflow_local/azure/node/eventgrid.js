/**
 * A stand-in for an Azure Event Grid custom topic with the CloudEvents 1.0 input schema, and for its event
 * subscriptions to Service Bus queues.
 *
 * Kept: key authentication (`aeg-sas-key`), the batch content type, validation of every event, advanced filters
 * StringIn (AND over filters, OR over values, no case) over extension attributes, delivery as structured JSON with the
 * `aeg-*` message properties, retry of failed deliveries, dead-lettering with the reason.
 * Shortened: the waits between deliveries are Event Grid's (10 s, 30 s, 1 min, 5 min, ...;
 * learn.microsoft.com/azure/event-grid/delivery-and-retry) divided by `speedup`. Dead letters go to a folder at once,
 * not to a blob container after five minutes.
 * A delivery goes into the queue of the Service Bus stand-in in this same process, without AMQP between them.
 */

import { mkdirSync, writeFileSync } from "node:fs";
import { randomUUID } from "node:crypto";
import { join } from "node:path";
import rhea from "rhea";

const MAX_REQUEST_BYTES = 1024 * 1024;
const BATCH_TYPE = "application/cloudevents-batch+json";
const SCHEDULE_S = [10, 30, 60, 300, 600, 1800, 3600, 10800, 21600, 43200];
const CORE = new Set([
  "specversion", "id", "source", "type", "subject", "time", "datacontenttype", "dataschema", "data", "data_base64",
]);

export class Topic {
  #key;
  #subscriptions;
  #namespace;
  #options;

  /** `subscriptions`: `[{name, queue, filter: {attribute: [values]}}]`. */
  constructor({ key, subscriptions, namespace, speedup, maxAttempts, deadLetterFolder }) {
    this.#key = key;
    this.#subscriptions = [...subscriptions];
    this.#namespace = namespace;
    this.#options = { speedup, maxAttempts, deadLetterFolder };
  }

  /** `{name, queue, filter}`, as in the constructor. It hears what is published from now on. */
  subscribe(subscription) {
    this.unsubscribe(subscription.name);
    this.#subscriptions.push(subscription);
  }

  unsubscribe(name) {
    this.#subscriptions = this.#subscriptions.filter((one) => one.name !== name);
  }

  /** Take a publish request: answers `[status, error code or null, message]`. All events of a batch or none. */
  publish(headers, body) {
    if (headers["aeg-sas-key"] !== this.#key) {
      return [401, "Unauthorized", "The request authorization key is not authorized for this topic."];
    }
    if (body.length > MAX_REQUEST_BYTES) return [413, "PayloadTooLarge", "A batch is limited to 1 MB."];
    if (!(headers["content-type"] ?? "").startsWith(BATCH_TYPE)) {
      return [415, "UnsupportedMediaType", `The content type must be ${BATCH_TYPE}.`];
    }
    let events;
    try {
      events = JSON.parse(body.toString("utf8"));
    } catch {
      return [400, "BadRequest", "The body is not JSON."];
    }
    if (!Array.isArray(events) || events.length === 0) return [400, "BadRequest", "The body is no array of events."];
    for (const [index, event] of events.entries()) {
      const mistake = wrong(event);
      if (mistake) return [400, "BadRequest", `Event ${index}: ${mistake}`];
    }
    const publishedAt = new Date();
    for (const event of events) {
      for (const subscription of this.#subscriptions) {
        if (matches(subscription.filter, event)) this.#deliver(subscription, event, publishedAt, 1);
      }
    }
    return [200, null, ""];
  }

  #deliver(subscription, event, publishedAt, attempt) {
    try {
      this.#namespace.queue(subscription.queue).enqueue({
        message_id: randomUUID(),
        content_type: "application/cloudevents+json; charset=utf-8",
        application_properties: {
          "aeg-subscription-name": subscription.name,
          "aeg-delivery-count": String(attempt - 1),
          "aeg-event-type": "Notification",
          "aeg-metadata-version": event.specversion,
          "aeg-output-event-id": event.id,
        },
        body: rhea.message.data_section(Buffer.from(JSON.stringify(event))),
      });
    } catch (error) {
      this.#later(subscription, event, publishedAt, attempt, error);
    }
  }

  #later(subscription, event, publishedAt, attempt, error) {
    const { speedup, maxAttempts, deadLetterFolder } = this.#options;
    if (attempt < maxAttempts) {
      const wait = SCHEDULE_S[Math.min(attempt, SCHEDULE_S.length) - 1] / speedup;
      setTimeout(() => this.#deliver(subscription, event, publishedAt, attempt + 1), wait * 1000);
      return;
    }
    const folder = join(deadLetterFolder, subscription.name);
    mkdirSync(folder, { recursive: true });
    const letter = {
      ...event,
      deadletterreason: "MaxDeliveryAttemptsExceeded",
      deliveryattempts: attempt,
      lastdeliveryoutcome: error.message,
      publishtime: publishedAt.toISOString(),
      lastdeliveryattempttime: new Date().toISOString(),
    };
    writeFileSync(join(folder, `${randomUUID()}.json`), JSON.stringify([letter]));
  }
}

function matches(filter, event) {
  return Object.entries(filter).every(([key, values]) => {
    const value = event[key];
    return typeof value === "string" && values.some((one) => one.toLowerCase() === value.toLowerCase());
  });
}

/** What is wrong with a CloudEvent, or null (github.com/cloudevents/spec, version 1.0.2, context attributes). */
function wrong(event) {
  if (typeof event !== "object" || event === null || Array.isArray(event)) return "not an object";
  if (event.specversion !== "1.0") return "specversion must be 1.0";
  for (const name of ["id", "source", "type"]) {
    if (typeof event[name] !== "string" || event[name] === "") return `${name} must be a non-empty string`;
  }
  for (const name of ["subject", "time", "datacontenttype", "dataschema"]) {
    if (event[name] !== undefined && (typeof event[name] !== "string" || event[name] === "")) {
      return `${name} must be a non-empty string where it is given`;
    }
  }
  if (event.time !== undefined && !/^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?(Z|[+-]\d\d:\d\d)$/i.test(event.time)) {
    return "time must be an RFC 3339 timestamp";
  }
  if (event.data !== undefined && event.data_base64 !== undefined) return "data and data_base64 exclude each other";
  for (const [name, value] of Object.entries(event)) {
    if (CORE.has(name)) continue;
    if (!/^[a-z0-9]{1,20}$/.test(name)) return `extension attribute ${name}: lower-case letters and digits, 20 at most`;
    if (!["string", "number", "boolean"].includes(typeof value)) return `extension attribute ${name} must be a scalar`;
  }
  return null;
}
