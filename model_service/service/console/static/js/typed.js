// Type a call: assessed while one types. Each assessment is a revision of the call, on record.

import { lift, raise } from "./alarm.js";
import { aim, aimedAt } from "./deciding.js";
import { putInstead, show } from "./detail.js";
import { bind } from "./keys.js";
import { inWords, request } from "./request.js";
import { withSession } from "./session.js";

const PAUSE_MS = 700;
const $ = (id) => document.getElementById(id);
const form = $("call");

let call; // { call_id, received_at } of the call on the desk
let sent = null; // { revision, text } of what was sent last, so that sending it again is the same
let answered = null; // the text that the assessment in the pane answers
let busy = false;
let pause = 0;

function newCall() {
  const now = new Date();
  const random = [...crypto.getRandomValues(new Uint8Array(3))].map((b) => b.toString(16).padStart(2, "0")).join("");
  const stamp = now.toISOString().replace(/[-:T]/g, "").slice(0, 14);
  call = { call_id: `TYPED-${stamp}-${random}`, received_at: now.toISOString() };
  sent = answered = null;
  clearTimeout(pause);
  form.reset();
  $("call-id").textContent = call.call_id;
  putInstead();
  aim(null);
  ask("");
  lift("assess");
  freshness();
  form.elements.narrative.focus();
}

function typed() {
  const answers = {};
  const body = { ...call };
  for (const [name, value] of new FormData(form)) {
    if (name === "narrative") body[name] = value;
    else if (value && name.startsWith("answer:")) answers[name.slice(7)] = value;
    else if (value) body[name] = value;
  }
  return { ...body, answers };
}

const anything = () => [...new FormData(form).values()].some(Boolean);

// Whether something was typed that no assessment on this page answers.
const unassessed = () => (answered === null ? anything() : JSON.stringify(typed()) !== answered);

function freshness() {
  const stale = answered !== null && unassessed();
  $("stale").hidden = !stale;
  $("pane").classList.toggle("stale", stale);
}

// Mark in the form what should be asked next.
function ask(codes) {
  const next = codes.split(" ");
  for (const question of form.querySelectorAll(".question")) {
    question.classList.toggle("next", next.includes(question.getAttribute("aria-labelledby").slice(2)));
  }
}

function busyWith(state) {
  busy = state;
  $("assess").setAttribute("aria-disabled", String(state));
}

async function assess() {
  clearTimeout(pause);
  if (busy || !form.reportValidity()) return;
  const body = typed();
  const text = JSON.stringify(body);
  // What was sent before and got no answer may be on record under its revision already.
  if (text !== sent?.text) sent = { revision: (sent?.revision ?? 0) + 1, text };
  const { revision } = sent;
  busyWith(true);
  try {
    const { assessment_id } = await withSession(() => request("POST", "/v1/assessments", { ...body, revision }));
    if (body.call_id !== call.call_id) return;
    lift("assess");
    const article = await show(assessment_id, { quietly: answered !== null });
    answered = text;
    ask(article?.dataset.ask ?? "");
    htmx.trigger(document.body, "state");
  } catch (problem) {
    if (body.call_id === call.call_id) raise("assess", inWords(problem));
  } finally {
    busyWith(false);
    freshness();
    if (body.call_id === call.call_id && answered === text && unassessed()) soon(); // typed meanwhile
  }
}

function soon() {
  clearTimeout(pause);
  pause = setTimeout(() => { if (form.checkValidity() && unassessed()) assess(); }, PAUSE_MS);
}

function askForNewCall() {
  if (!unassessed() || confirm("What was typed was not assessed. Clear it?")) newCall();
}

form.addEventListener("submit", (event) => {
  event.preventDefault();
  assess();
});
form.addEventListener("input", () => {
  freshness();
  soon();
});
$("new-call").addEventListener("click", askForNewCall);
bind("F2", askForNewCall);
document.addEventListener("keydown", (event) => {
  if (!event.ctrlKey || event.altKey || event.key !== "Enter" || event.repeat || document.querySelector("dialog[open]")) return;
  event.preventDefault();
  assess();
});
// What was decided is told in the pane; whoever has committed is shown the advice.
document.addEventListener("outbox:sent", ({ detail: { assessment, answer } }) => {
  if (assessment === aimedAt() && answer.on_record !== false) show(assessment, { quietly: true });
});
addEventListener("beforeunload", (event) => {
  if (unassessed()) event.preventDefault();
});
newCall();
