// The dispatcher's queue: rows as the service tells of them, the one that was picked in the pane.

import { aim, aimedAt } from "./deciding.js";
import { putInstead, show } from "./detail.js";
import { bind } from "./keys.js";
import { Rows } from "./placing.js";
import { lift, raise } from "./alarm.js";
import { HEADER, UNREACHABLE } from "./request.js";
import { listen } from "./stream.js";

const $ = (id) => document.getElementById(id);
const list = $("rows");
const rows = new Rows(list, (above) => { $("newer").hidden = !above; });
const title = document.title;
let picked = null; // the row in the pane

const all = () => [...list.querySelectorAll("li.call")];
const undecided = () => all().filter((row) => row.dataset.assessment && !row.dataset.led);

let counting = 0; // once for all rows that come together
function count() {
  counting ||= setTimeout(() => {
    counting = 0;
    tell();
  }, 50);
}

function tell() {
  const [n, open] = [all().length, undecided().length];
  const more = list.querySelector(".more") ? "+" : "";
  $("count").textContent = n ? `${n}${more}, ${open} undecided` : "";
  $("empty").hidden = n > 0;
  document.title = open ? `(${open}) ${title}` : title;
}

// Pick a row: what the row knows is there at once, the rest as soon as it is here.
function pick(row) {
  if (!row?.dataset.assessment) return;
  mark(row);
  const brief = document.createElement("div");
  brief.className = "brief";
  brief.append(...row.querySelector("button").cloneNode(true).childNodes);
  putInstead(brief);
  aim(row.dataset);
  follow(row, false);
}

function mark(row) {
  picked?.querySelector("button")?.removeAttribute("aria-current");
  picked = row;
  row.querySelector("button").setAttribute("aria-current", "true");
  $("grown").textContent = "";
}

async function follow(row, quietly) {
  const assessment = row.dataset.assessment;
  const shown = await show(assessment, { quietly });
  // What came in while this was on its way.
  if (shown && picked === row && row.dataset.assessment !== assessment) grown(row);
}

// The picked call has changed. What one decides on changes under nobody's finger: a new revision
// shows by itself only if it advises the same.
function grown(row) {
  const shown = $("detail").querySelector("article")?.dataset;
  if (!shown) return follow(row, true);
  const same = row.dataset.assessment === aimedAt();
  const alike = row.dataset.response === shown.response && row.dataset.withheld === shown.withheld;
  if (same || alike) {
    $("grown").textContent = "";
    return follow(row, true);
  }
  $("grown").innerHTML = "";
  const words = document.createElement("b");
  words.textContent = `Revision ${row.dataset.revision} has come in: ${row.dataset.title}. `;
  const key = document.createElement("button");
  key.type = "button";
  key.className = "small";
  key.append("Show it ", Object.assign(document.createElement("kbd"), { textContent: "F2" }));
  key.addEventListener("click", () => pick(row));
  $("grown").append(words, key);
}

// What wants attention next: a revision that waits to be shown, or the call that has waited longest.
function next() {
  if (picked && $("grown").textContent) return pick(picked);
  const waiting = undecided().filter((row) => row !== picked);
  const row = waiting.at(-1);
  if (!row) return;
  pick(row);
  row.querySelector("button").focus({ preventScroll: true });
  row.scrollIntoView({ block: "nearest" });
}

function step(event) {
  const steps = { ArrowDown: 1, ArrowUp: -1 };
  const at = all().indexOf(event.target.closest("li.call"));
  if (!(event.key in steps) || at < 0) return;
  event.preventDefault();
  const row = all()[at + steps[event.key]];
  row?.querySelector("button")?.focus();
  if (row) pick(row);
}

let told = 0;
function announce(row) {
  told += 1;
  if (told > 1) return;
  setTimeout(() => {
    $("announce").textContent = told > 1 ? `${told} new calls` : `New call: ${row.dataset.title}`;
    told = 0;
  }, 1000);
}

async function again() {
  try {
    const response = await fetch("/queue/rows", { headers: HEADER });
    if (!response.ok) throw response.status;
    rows.replace(await response.text());
    lift("page");
  } catch {
    raise("page", `Follow protocol – ${UNREACHABLE}`);
  }
  if (picked) grown(picked);
  count();
}

function hear(name, data) {
  if (name === "reset") {
    htmx.trigger(document.body, "state");
    return again();
  }
  const [row, fresh] = rows.place(data);
  if (fresh) announce(row);
  else if (row === picked) {
    row.querySelector("button").setAttribute("aria-current", "true");
    grown(row);
  }
  count();
}

list.addEventListener("click", (event) => pick(event.target.closest("li.call")));
list.addEventListener("keydown", step);
list.addEventListener("htmx:after:swap", count);
$("next").addEventListener("click", next);
$("newer").addEventListener("click", () => { list.scrollTop = 0; });
bind("F2", next);
document.addEventListener("outbox:refused", () => { if (picked) follow(picked, true); });
count();
listen($("stream"), list.dataset.seen, ["row", "reset"], hear);
