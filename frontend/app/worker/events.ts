/**
 * The server's events for all tabs of a browser, as a SharedWorker: a browser opens six connections
 * to a server at most, so that with a stream for each tab nothing would be left for the seventh.
 */

import { Stream, type Told } from "./told";

const ports = new Set<MessagePort>();
// Told from this script, which is assets/events.js.
const stream = new Stream("../api/events", (told) => {
  for (const port of ports) port.postMessage(told);
});

self.addEventListener("connect", (event) => {
  const port = (event as MessageEvent).ports[0]!;
  ports.add(port);
  port.onmessage = () => ports.delete(port); // all that a tab says is that it goes
  if (stream.isOpen) port.postMessage({ name: "open" } satisfies Told);
});
