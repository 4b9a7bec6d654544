// The bar with which one decides: accept with one key, override with two. It acts on what is on the
// screen (`aim`), stays in its place whatever comes in, and keeps what is typed into it.

import { lift, raise } from "./alarm.js";
import { bind } from "./keys.js";
import { send } from "./outbox.js";
import { inWords } from "./request.js";
import { user } from "./session.js";

const PROTOCOL = "protocol";
const LETTERS = "ABCDEFGHIJ";
const $ = (id) => document.getElementById(id);
const form = $("deciding");

let aimed = null; // the dataset of what is decided on
let led = ""; // the decision that leads there: "accept desk emt_clinician"

// Decide on this from now on: the data that a row or a detail carries. What was begun in the bar
// stays for a later revision of the call that advises the same.
export function aim(data) {
  const same = (name) => data?.[name] === aimed?.[name];
  const begun = same("key") && same("response") && same("withheld");
  if (!same("assessment")) $("sending").textContent = "";
  aimed = data ? { ...data, choices: JSON.parse(data.choices) } : null;
  led = aimed?.led ?? "";
  form.hidden = !aimed;
  if (!aimed || begun) return;
  form.elements.note.value = "";
  close();
  const withheld = Boolean(aimed.withheld);
  $("answer-advice").hidden = withheld;
  for (const id of ["commit", "commit-fields"]) $(id).hidden = !withheld;
  if (withheld) offer($("send"), "send", aimed.choices, null);
}

export const aimedAt = () => aimed?.assessment;

// Offer responses of the plan, each by a letter.
function offer(place, name, choices, chosen) {
  const offered = choices.map(([response, words], index) => {
    const label = document.createElement("label");
    const input = Object.assign(document.createElement("input"), { type: "radio", name, value: response });
    input.checked = response === chosen;
    const key = document.createElement("kbd");
    key.textContent = LETTERS[index] ?? "";
    label.append(input, key, words);
    return label;
  });
  place.replaceChildren(place.querySelector("legend"), ...offered);
}

function decide(decision) {
  // A second press says nothing new; what somebody else decided does not count as said.
  const says = `${decision.action} ${user} ${decision.response ?? aimed.response}`;
  if (decision.action !== "override" && led === says) return;
  led = says;
  lift("decision");
  $("sending").textContent = "Sending …";
  send(aimed.assessment, decision);
  form.elements.note.value = "";
  close();
}

function accept() {
  if (!aimed) return;
  if (aimed.withheld) commit();
  else decide({ action: "accept" });
}

function commit() {
  const chosen = form.elements.send?.value;
  if (!chosen) return choose("Choose first what to send.", $("send"));
  decide({ action: "commit", response: chosen });
}

function override(reason) {
  const { instead, note } = form.elements;
  if (!instead?.value) return choose("Choose first what to send instead.", $("instead"));
  decide({ action: "override", response: instead.value, reason, note: note.value || null });
}

function choose(words, place) {
  raise("decision", words);
  place.querySelector("input").focus();
}

function open() {
  if (!aimed) return;
  if (aimed.withheld) return $("send").querySelector("input").focus();
  if (!$("override-fields").hidden) return close();
  const others = aimed.choices.filter(([response]) => response !== aimed.response);
  // The centre's own protocol is a safe thing to send by two keys; any team has to be chosen.
  offer($("instead"), "instead", others, PROTOCOL);
  $("override-fields").hidden = false;
  $("override").setAttribute("aria-expanded", "true");
  const inputs = [...$("instead").querySelectorAll("input")];
  (inputs.find((input) => input.checked) ?? inputs[0]).focus();
}

function close() {
  const inside = $("override-fields").contains(document.activeElement);
  $("override-fields").hidden = true;
  $("override").setAttribute("aria-expanded", "false");
  lift("decision");
  if (inside) $("override").focus();
}

bind("F8", accept);
bind("F9", open);
$("accept").addEventListener("click", accept);
$("commit").addEventListener("click", commit);
$("override").addEventListener("click", open);
$("override-reasons").addEventListener("click", (event) => {
  const button = event.target.closest("button");
  if (button) override(button.value);
});
// Enter in the note must not send a decision that lacks its reason.
form.addEventListener("submit", (event) => event.preventDefault());

// Numbers and letters mean something only while the bar asks for them, and not where one types.
document.addEventListener("keydown", (event) => {
  const plain = !(event.ctrlKey || event.altKey || event.metaKey || event.shiftKey);
  if (!plain || event.isComposing || event.repeat || !aimed || document.querySelector("dialog[open]")) return;
  const overriding = !$("override-fields").hidden;
  if (!overriding && !aimed.withheld) return;
  if (overriding && event.key === "Escape") {
    event.preventDefault();
    return close();
  }
  if (event.target.matches("textarea, select, input:not([type=radio])") || event.key.length !== 1) return;
  if (!overriding && !form.contains(event.target)) return;
  const reasons = $("override-reasons").querySelectorAll("button");
  const inputs = $(overriding ? "instead" : "send").querySelectorAll("input");
  const input = inputs[LETTERS.indexOf(event.key.toUpperCase())];
  if (overriding && /^[0-9]$/.test(event.key)) {
    event.preventDefault();
    override(reasons[(Number(event.key) + 9) % 10].value);
  } else if (input) {
    event.preventDefault();
    input.checked = true;
    input.focus();
  }
});

document.addEventListener("outbox:sent", ({ detail: { assessment, answer } }) => {
  if (assessment !== aimed?.assessment) return;
  $("sending").textContent = answer.on_record === false ? "Kept, not on record yet." : "On record.";
});
document.addEventListener("outbox:waiting", ({ detail: { assessment } }) => {
  if (assessment === aimed?.assessment) $("sending").textContent = "Kept here; sent when the service is back.";
});
document.addEventListener("outbox:refused", ({ detail: { assessment, problem } }) => {
  if (assessment === aimed?.assessment) {
    led = "";
    $("sending").textContent = "";
  }
  raise("decision", `Not recorded: ${inWords(problem)}`);
});
