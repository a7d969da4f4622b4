/**
 * The process of the two stand-ins: Service Bus on an AMQP port, Event Grid on an HTTP port.
 *
 *     node main.js CONFIG.json
 *
 * CONFIG.json: `{"servicebus_port", "http_port", "queues": [{"name", "lock_ms", "max_deliveries"}],
 * "topic": {"key", "subscriptions": [{"name", "queue", "filter"}], "speedup", "max_attempts", "dead_letter_folder"}}`.
 * HTTP: `POST /api/events` publishes. Two doors that no cloud has: `GET /queues` shows how full the queues are;
 * `PUT /subscriptions/NAME` with `{"filter", "lock_ms", "max_deliveries"}` makes a queue of that name and subscribes it,
 * as one does through Azure Resource Manager, and `DELETE` takes both away.
 */

import { readFileSync } from "node:fs";
import { createServer } from "node:http";
import { Topic } from "./eventgrid.js";
import { Namespace } from "./queues.js";
import { listen } from "./servicebus.js";

const config = JSON.parse(readFileSync(process.argv[2], "utf8"));
const namespace = new Namespace(config.queues);
const topic = new Topic({
  key: config.topic.key,
  subscriptions: config.topic.subscriptions,
  namespace,
  speedup: config.topic.speedup,
  maxAttempts: config.topic.max_attempts,
  deadLetterFolder: config.topic.dead_letter_folder,
});

function answer(response, status, value) {
  response.writeHead(status, { "content-type": "application/json; charset=utf-8" });
  response.end(value === undefined ? "" : JSON.stringify(value));
}

const server = createServer((request, response) => {
  const chunks = [];
  request.on("data", (chunk) => chunks.push(chunk));
  request.on("end", () => {
    const { pathname } = new URL(request.url, "http://127.0.0.1");
    if (request.method === "POST" && pathname === "/api/events") {
      const [status, code, message] = topic.publish(request.headers, Buffer.concat(chunks));
      answer(response, status, code ? { error: { code, message } } : undefined);
    } else if (request.method === "GET" && pathname === "/queues") {
      answer(response, 200, namespace.depths());
    } else if (pathname.startsWith("/subscriptions/") && ["PUT", "DELETE"].includes(request.method)) {
      const name = pathname.slice("/subscriptions/".length);
      topic.unsubscribe(name);
      namespace.remove(name);
      if (request.method === "PUT") {
        const { filter, ...limits } = JSON.parse(Buffer.concat(chunks));
        namespace.create({ name, ...limits });
        topic.subscribe({ name, queue: name, filter });
      }
      answer(response, 200);
    } else {
      answer(response, 404, { error: { code: "NotFound", message: pathname } });
    }
  });
});

for (const signal of ["SIGTERM", "SIGINT"]) process.on(signal, () => process.exit(0));
await listen(namespace, config.servicebus_port);
server.listen(config.http_port, "127.0.0.1", () => console.log("ready"));
