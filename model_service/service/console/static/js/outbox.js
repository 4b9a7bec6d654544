// Decisions on their way. One that can't be sent now is kept, here and in the tab's own storage,
// and is sent when the service is back, in order; its key makes it one decision however often it is
// sent. Tells the page: outbox:sent, outbox:refused, outbox:waiting.

import { lift, raise } from "./alarm.js";
import { down, inWords, request } from "./request.js";
import { user, withSession } from "./session.js";

const STORE = "crisiscall.outbox";
const EVERY_MS = 1000;

let waiting = stored();
let sending = false;
let again = 0;

function stored() {
  try {
    return JSON.parse(sessionStorage.getItem(STORE) ?? "[]").filter(({ by }) => by === user);
  } catch {
    return [];
  }
}

function save() {
  if (waiting.length) sessionStorage.setItem(STORE, JSON.stringify(waiting));
  else sessionStorage.removeItem(STORE);
}

function tell(kind, detail) {
  document.dispatchEvent(new CustomEvent(`outbox:${kind}`, { detail }));
}

// A key of our own making: `randomUUID` is there over TLS alone.
const newKey = () => [...crypto.getRandomValues(new Uint8Array(16))].map((b) => b.toString(16).padStart(2, "0")).join("");

export function send(assessment, decision) {
  waiting.push({ assessment, decision, by: user, key: newKey() });
  save();
  flush();
}

export const unsent = () => waiting.length;

export async function flush() {
  if (sending) return;
  sending = true;
  clearTimeout(again);
  try {
    while (waiting.length) {
      const [one] = waiting;
      const { assessment, decision, key } = one;
      let answer = null, problem = null;
      try {
        answer = await withSession(() => request(
          "POST", `/v1/assessments/${assessment}/decision`, decision, { "Idempotency-Key": key }));
      } catch (thrown) {
        problem = thrown;
      }
      if (problem && down(problem)) {
        const n = waiting.length;
        raise("outbox", `${inWords(problem)} Your ${n === 1 ? "decision is" : `${n} decisions are`} kept here and sent when it is back.`);
        tell("waiting", { assessment, decision });
        again = setTimeout(flush, EVERY_MS);
        return;
      }
      waiting = waiting.filter((other) => other !== one);
      save();
      lift("outbox");
      tell(problem ? "refused" : "sent", { assessment, decision, answer, problem });
    }
  } finally {
    sending = false;
  }
}

document.addEventListener("session:leaving", (event) => {
  if (waiting.length && !confirm("Decisions that you took have not been sent yet. Leave all the same?")) event.preventDefault();
});
addEventListener("beforeunload", (event) => {
  if (waiting.length) event.preventDefault();
});
flush();
