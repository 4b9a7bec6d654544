// The line on which the service tells what happens. htmx's extension keeps it up and comes back
// with the number of the last event; this says when it is down, and makes a new one where the old
// one only seems to live.

import { lift, raise } from "./alarm.js";
import { flush } from "./outbox.js";
import { askAgain } from "./session.js";

const BEAT_MS = 5000;
const SILENT_MS = 2.5 * BEAT_MS;
const GONE = "Follow protocol – The connection to the service is gone. What you decide is kept here and sent when it is back.";

// Listen after the event `seen`; `hear(name, data)` is called for each.
export function listen(place, seen, names, hear) {
  let heard = Date.now();
  let last = seen;

  function renew() {
    heard = Date.now();
    const line = document.createElement("div");
    line.setAttribute("hx-sse:connect", `/queue/events?after=${last}`);
    line.setAttribute("hx-config", '{"sse": {"pauseOnBackground": false, "reconnectDelay": 300, "reconnectMaxDelay": 2000}}');
    line.setAttribute("hx-swap", "none");
    place.replaceChildren(line);
    htmx.process(line);
  }

  for (const name of ["beat", ...names]) {
    place.addEventListener(name, ({ detail: { data, id } }) => {
      heard = Date.now();
      if (id) last = id;
      lift("line");
      if (name !== "beat") hear(name, data);
    });
  }
  place.addEventListener("htmx:sse:after:connection", () => {
    heard = Date.now();
    if (lift("line")) flush();
  });
  place.addEventListener("htmx:sse:error", ({ detail: { status } }) => {
    if (status === 401) askAgain();
    else raise("line", GONE);
  });
  document.addEventListener("session:locked", () => place.replaceChildren());
  document.addEventListener("session:open", renew);
  setInterval(() => {
    if (Date.now() - heard <= SILENT_MS || document.querySelector("dialog[open]")) return;
    raise("line", GONE);
    renew();
  }, 1000);
  renew();
}
