// The console's one page: sign in, type a call, read the recommendation, decide.
// It talks to the same HTTP interface as any other client, and puts text into the page as text.

const $ = (id) => document.getElementById(id);
const TOKEN = "crisiscall.token";
// A word whose weight is below this share of the strongest one's is not marked.
const FAINT = 0.35;
// An answer takes milliseconds. One that takes this long does not come.
const PATIENCE_MS = 4000;
const PROTOCOL = "protocol";
const MISSING = "(missing)";
const LETTERS = "ABCDEFGHIJ";
// What stands where a recommendation would, and why there is none.
const WITHHELD = {
  off: "Switched off: follow your centre’s protocol",
  shadow: "Not shown: the service runs in shadow",
  held_back: "Held back until you have decided",
};
const MODES = {
  off: "Recommendations are switched off. Follow your centre’s protocol; what you decide is still recorded.",
  shadow: "The service runs in shadow: recommendations are recorded and not shown. Decide as without it.",
};

let call = null; // { call_id, received_at } of the call on the desk
let sent = null; // { revision, text } of what was sent last, so that sending it again is the same
let shown = null; // the assessment on the desk
let decided = null; // the decision on it that leads
let names = {}; // responses of the plan, by id
let busy = false; // an assessment or a decision is under way

function element(tag, text, attributes = {}) {
  const node = document.createElement(tag);
  node.textContent = text;
  for (const [name, value] of Object.entries(attributes)) node.setAttribute(name, value);
  return node;
}

function alarm(words) {
  $("alarm").textContent = words;
  $("alarm").hidden = !words;
}

async function request(method, path, body, form = false) {
  const headers = { Accept: "application/json" };
  const token = sessionStorage.getItem(TOKEN);
  if (token) headers.Authorization = `Bearer ${token}`;
  if (body !== undefined) {
    headers["Content-Type"] = form ? "application/x-www-form-urlencoded" : "application/json";
  }
  const content = body === undefined ? undefined : form ? new URLSearchParams(body) : JSON.stringify(body);
  const signal = AbortSignal.timeout(PATIENCE_MS);
  let response, document;
  try {
    response = await fetch(path, { method, headers, body: content, signal });
    document = response.status === 204 ? null : await response.json();
  } catch {
    throw { status: 0, detail: "The service can't be reached." };
  }
  if (response.ok) return document;
  throw { ...document, status: response.status };
}

function failed(problem) {
  if (problem.status === 401 && sessionStorage.getItem(TOKEN)) {
    sessionStorage.removeItem(TOKEN);
    show(false);
    alarm("You were signed out. Sign in again; what was typed is still there.");
    return;
  }
  const down = problem.status === 0 || problem.status >= 500;
  const title = down ? "Follow protocol" : problem.title;
  const places = (problem.errors ?? []).map((error) => `${error.path}: ${error.message}`);
  alarm([title, problem.detail, ...places].filter(Boolean).join(" – "));
}

function show(signedIn) {
  $("sign-in").hidden = signedIn;
  $("desk").hidden = !signedIn;
  $("sign-out").hidden = !signedIn;
  (signedIn ? $("call").elements.narrative : $("sign-in").elements.username).focus();
}

async function open() {
  show(true);
  if (!call) newCall();
  try {
    mode((await request("GET", "/v1/mode")).mode);
    const model = await request("GET", "/v1/model");
    warn(model.metrics.warning);
    $("model").textContent = `release ${model.release} · plan ${model.plan.plan} ${model.plan.version}`;
    const places = new Set(model.plan.responses.flatMap((response) => response.places ?? []));
    $("places").replaceChildren(...[...places].map((place) => element("option", place)));
    names = Object.fromEntries(model.plan.responses.map((response) => [response.id, response.name]));
    names[PROTOCOL] = model.plan.protocol.name;
  } catch (problem) {
    failed(problem);
  }
}

function warn(words) {
  $("warning").textContent = words ?? "";
  $("warning").hidden = !words;
}

function mode(name) {
  $("mode").textContent = MODES[name] ?? "";
  $("mode").hidden = !MODES[name];
}

function newCall() {
  const now = new Date();
  const random = [...crypto.getRandomValues(new Uint8Array(3))].map((b) => b.toString(16).padStart(2, "0")).join("");
  const stamp = now.toISOString().replace(/[-:T]/g, "").slice(0, 14);
  call = { call_id: `TYPED-${stamp}-${random}`, received_at: now.toISOString() };
  sent = shown = decided = null;
  $("call").reset();
  $("call-id").textContent = call.call_id;
  $("result").hidden = true;
  ask([]);
  closeOverride();
  alarm("");
  $("call").elements.narrative.focus();
}

function typed() {
  const form = new FormData($("call"));
  const answers = {};
  const body = { ...call, narrative: form.get("narrative") };
  for (const [name, value] of form) {
    if (!value || name === "narrative") continue;
    if (name.startsWith("answer:")) answers[name.slice(7)] = value;
    else body[name] = value;
  }
  return { ...body, answers };
}

// Whether something was typed that no assessment on this page answers.
function unassessed() {
  if (!call) return false;
  if (shown) return JSON.stringify(typed()) !== shown.text;
  return [...new FormData($("call")).values()].some(Boolean);
}

function busyWith(state) {
  busy = state;
  for (const id of ["assess", "accept", "override", "commit"]) $(id).setAttribute("aria-disabled", String(state));
}

async function assess(event) {
  event?.preventDefault();
  if (busy || !$("call").reportValidity()) return;
  const body = typed();
  const text = JSON.stringify(body);
  // What was sent before and got no answer may be on record under its revision already.
  if (text !== sent?.text) sent = { revision: (sent?.revision ?? 0) + 1, text };
  const { revision } = sent;
  busyWith(true);
  try {
    const assessment = await request("POST", "/v1/assessments", { ...body, revision });
    if (body.call_id !== call.call_id) return;
    alarm("");
    mode(assessment.mode);
    render({ ...assessment, text, narrative: body.narrative });
  } catch (problem) {
    if (body.call_id === call.call_id) failed(problem);
  } finally {
    busyWith(false);
    freshness();
  }
}

function freshness() {
  const stale = shown !== null && unassessed();
  $("stale").hidden = !stale;
  $("result").classList.toggle("stale", stale);
}

const signed = (x) => (x <= -0.005 ? "−" : "+") + Math.abs(x).toFixed(2);
const weight = (pair) => Math.max(Math.abs(pair.mental_health_crisis), Math.abs(pair.safety_risk));

function render(assessment) {
  if (assessment.assessment_id !== shown?.assessment_id) {
    decided = null;
    $("decisions").replaceChildren();
    $("decision").elements.note.value = "";
    closeOverride();
  }
  shown = assessment;
  const { withheld } = assessment;
  $("revision").textContent = assessment.revision;
  $("response").textContent = withheld ? WITHHELD[withheld] : assessment.recommendation.name;
  for (const id of ["advice", "answer-advice", "all-figures"]) $(id).hidden = Boolean(withheld);
  ask(assessment.questions ?? []);
  $("commit-fields").hidden = !withheld;
  if (withheld) choices($("send"), "send", assessment.plan.responses, null);
  else advise(assessment);
  $("record").textContent = `Record ${assessment.log.sequence} in the log, release ${assessment.model.release}.`;
  $("result").hidden = false;
  $("response").scrollIntoView({ block: "nearest" });
}

function advise({ prediction, recommendation, explanation, narrative }) {
  $("bands").replaceChildren(...Object.entries(prediction).map(([target, p]) => {
    const band = recommendation.bands?.[target];
    const words = element("dd", band ?? "no prediction");
    if (band) {
      words.append(" ", element("small", `${share(p)} in 100 such calls`));
      words.append(element("meter", "", { value: p, min: 0, max: 1, "aria-hidden": "true" }));
    }
    const group = document.createElement("div");
    group.append(element("dt", target.replaceAll("_", " ")), words);
    return group;
  }));
  reasons(recommendation, narrative);
  facts(recommendation.facts, narrative);
  mark($("evidence"), narrative, phrases(explanation));
  meanings(explanation?.concepts ?? []);
  figures(narrative, explanation);
}

// No call is certain: never "100 in 100", never "0 in 100".
const share = (p) => (p > 0.99 ? "more than 99" : p < 0.01 ? "fewer than 1" : `about ${Math.round(p * 100)}`);

// The words in place, in quotation marks: the answer holds places, and the page has the words.
function quoted(spans, narrative) {
  const characters = [...narrative];
  const inside = spans.filter(({ column }) => column === "narrative");
  return [...new Set(inside.map(({ start, end }) => `“${characters.slice(start, end).join("")}”`))];
}

// What a fact was found in stands beside it: possible weapon mentioned: “knife in kitchen drawer”.
function reasons({ reasons, disqualifiers }, narrative) {
  if (!reasons) {
    $("reasons").replaceChildren(element("li", "What was said in this call was erased, and the reasons with it."));
    return;
  }
  const found = new Map(disqualifiers.map(({ code, spans }) => [`disqualifier:${code}`, spans ?? []]));
  $("reasons").replaceChildren(...reasons.map(({ code, text }) => {
    const words = quoted(found.get(code) ?? [], narrative);
    return element("li", words.length ? `${text}: ${words.join(", ")}` : text);
  }));
}

// What is known of the questions that stand above the model, and by what.
function facts(known, narrative) {
  const told = (known ?? []).filter(({ answer, spans }) => answer || spans.length);
  $("facts").replaceChildren(...told.map(({ code, value, answer, spans, contradictory }) => {
    const by = answer ? [`answered ${answer}`] : [];
    for (const polarity of new Set(spans.map((span) => span.polarity))) {
      const spoken = spans.filter((span) => span.polarity === polarity);
      by.push(`${polarity}: ${quoted(spoken, narrative).join(", ")}`);
    }
    const verdict = contradictory ? "contradictory" : value === "unknown" ? "not known" : value;
    return element("li", `${question(code)} ${verdict} (${by.join("; ")})`);
  }));
  $("facts").hidden = !told.length;
}

const question = (code) => $(`q-${code}`)?.textContent ?? code.replaceAll("_", " ");

// The questions whose answer would most likely change the recommendation; marked in the form too.
function ask(questions) {
  for (const marked of document.querySelectorAll(".question.next")) marked.classList.remove("next");
  $("questions").replaceChildren(...questions.map((asked) => {
    $(`q-${asked.question}`)?.parentElement.classList.add("next");
    const item = element("li", asked.text);
    const share = Math.round(asked.change_probability * 100);
    item.append(element("small",
      `${asked.why.text}. Yes: ${asked.if_yes.name}. No: ${asked.if_no.name}. `
      + `Another recommendation in about ${share} of 100 answers.`));
    return item;
  }));
  $("ask").hidden = !questions.length;
}

// The words of the narrative that weigh something, those of one meaning as one phrase: "wants to
// die" is told by its three words together, not by "to".
function phrases(explanation) {
  const inside = (part) => part.column === "narrative";
  const byPlace = (a, b) => a.start - b.start;
  const found = [];
  for (const { start, end } of (explanation?.concepts ?? []).filter(inside).sort(byPlace)) {
    const last = found.at(-1);
    if (last && start < last.end) last.end = Math.max(last.end, end);
    else found.push({ start, end, mental_health_crisis: 0, safety_risk: 0 });
  }
  const alone = [];
  for (const word of (explanation?.words ?? []).filter(inside)) {
    const phrase = found.find(({ start, end }) => start <= word.start && word.end <= end);
    if (!phrase) alone.push(word);
    else {
      phrase.mental_health_crisis += word.mental_health_crisis;
      phrase.safety_risk += word.safety_risk;
    }
  }
  return [...found, ...alone].sort(byPlace);
}

// Offsets count characters (code points); JavaScript's strings count UTF-16 units.
function mark(place, narrative, inside) {
  const characters = [...narrative];
  const strongest = Math.max(0, ...inside.map(weight));
  const pieces = [];
  let at = 0;
  for (const word of inside) {
    if (weight(word) < FAINT * strongest || word.start < at) continue;
    pieces.push(document.createTextNode(characters.slice(at, word.start).join("")));
    const { mental_health_crisis: crisis, safety_risk: risk } = word;
    const kind = Math.max(crisis, risk) <= 0 ? "against" : risk > crisis ? "towards-risk" : "towards-crisis";
    pieces.push(element("mark", characters.slice(word.start, word.end).join(""), {
      class: kind,
      title: `log-odds: crisis ${signed(crisis)}, safety risk ${signed(risk)}`,
    }));
    at = word.end;
  }
  pieces.push(document.createTextNode(characters.slice(at).join("")));
  place.replaceChildren(...pieces);
}

// What was found in the words, and how it was spoken of: "weapon – denied". Once each.
function meanings(concepts) {
  const found = new Map();
  for (const { column, concept, polarity } of concepts) {
    if (column !== "narrative") continue;
    const words = concept.replaceAll("_", " ");
    found.set(`${concept} ${polarity}`, polarity === "said" ? words : `${words} – ${polarity}`);
  }
  $("meanings").replaceChildren(...[...found.values()].map((words) => element("li", words)));
  $("meanings").hidden = !found.size;
}

// Everything that the two probabilities are made of, what weighs most first.
function figures(narrative, explanation) {
  if (!explanation) return $("figures").tBodies[0].replaceChildren();
  const characters = [...narrative];
  const { words, fields, baseline, log_odds } = explanation;
  const spoken = (name) => name.replaceAll("_", " ");
  const parts = [
    ...words.map((word) => [
      word.column === "narrative"
        ? characters.slice(word.start, word.end).join("")
        : `a word of the ${spoken(word.column)}`,
      word,
    ]),
    ...fields.map((field) => [
      `${spoken(field.field)}: ${field.value === MISSING ? "not known" : field.value}`,
      field,
    ]),
  ].sort((a, b) => weight(b[1]) - weight(a[1]));
  const rows = [...parts, ["an average call without a word", baseline], ["sum", log_odds]];
  $("figures").tBodies[0].replaceChildren(...rows.map(([name, pair]) => {
    const row = document.createElement("tr");
    row.append(element("th", name, { scope: "row" }));
    row.append(element("td", signed(pair.mental_health_crisis)), element("td", signed(pair.safety_risk)));
    return row;
  }));
}

async function decide(body) {
  if (!shown || busy) return;
  const { assessment_id } = shown;
  busyWith(true);
  try {
    const decision = await request("POST", `/v1/assessments/${assessment_id}/decision`, body);
    if (assessment_id !== shown?.assessment_id) return;
    alarm("");
    // One that is kept until the log can be written does not repeat what was recommended.
    const response = decision.response ?? shown.recommendation?.response;
    const kept = decision.on_record === false;
    decided = { ...decision, response };
    const team = names[response] ?? response;
    const words = {
      accept: () => `accepted: ${team}`,
      commit: () => `committed: ${team}`,
      override: () => `overridden: ${team} (${decision.reason.replaceAll("_", " ")})`,
    }[decision.action]();
    const time = new Date(decision.at).toLocaleTimeString();
    const state = kept ? " – kept, not on record yet" : "";
    $("decisions").append(element("li", `${time} ${decision.actor} ${words}${state}`));
    $("decision").elements.note.value = "";
    closeOverride();
    if (shown.withheld === "held_back" && !kept) await reveal(assessment_id);
  } catch (problem) {
    if (assessment_id === shown?.assessment_id) failed(problem);
  } finally {
    busyWith(false);
  }
}

// Whoever has committed is shown the advice, and may still take it.
async function reveal(assessment_id) {
  const { assessment } = await request("GET", `/v1/assessments/${assessment_id}`);
  if (assessment_id !== shown?.assessment_id) return;
  render({ ...assessment, text: shown.text, narrative: shown.narrative });
}

function commit() {
  const { send } = $("decision").elements;
  if (!send.value) {
    alarm("Choose first what to send.");
    $("send").querySelector("input").focus();
    return;
  }
  if (decided?.response !== send.value) decide({ action: "commit", response: send.value });
}

function accept() {
  if (!shown) return;
  if (shown.withheld) return commit();

  // A second press says nothing new.
  if (decided?.action !== "accept") decide({ action: "accept" });
}

function override(reason) {
  const { instead, note } = $("decision").elements;
  if (!instead.value) {
    alarm("Choose first what to send instead.");
    $("instead").querySelector("input").focus();
    return;
  }
  decide({ action: "override", response: instead.value, reason, note: note.value || null });
}

// Offer responses of the plan, each by a letter.
function choices(place, name, responses, checked) {
  const offered = responses.map((response, index) => {
    const label = element("label", "", { class: "choice" });
    const input = element("input", "", { type: "radio", name, value: response });
    input.checked = response === checked;
    label.append(input, element("kbd", LETTERS[index] ?? ""), names[response] ?? response);
    return label;
  });
  place.replaceChildren(place.querySelector("legend"), ...offered);
}

function openOverride() {
  if (!shown) return;
  if (shown.withheld) return $("send").querySelector("input").focus();
  if (!$("override-fields").hidden) return closeOverride();
  const recommended = shown.recommendation.response;
  const others = shown.plan.responses.filter((response) => response !== recommended);
  // The centre's own protocol is a safe thing to send by two keys; any team has to be chosen.
  choices($("instead"), "instead", others, PROTOCOL);
  $("override-fields").hidden = false;
  $("override").setAttribute("aria-expanded", "true");
  const inputs = [...$("instead").querySelectorAll("input")];
  (inputs.find((input) => input.checked) ?? inputs[0]).focus();
}

function closeOverride() {
  const inside = $("override-fields").contains(document.activeElement);
  $("override-fields").hidden = true;
  $("override").setAttribute("aria-expanded", "false");
  if (inside) $("override").focus();
}

// Forget the call, so that the next person at this desk does not see it.
function leave(words) {
  sessionStorage.removeItem(TOKEN);
  newCall();
  call = null;
  show(false);
  alarm(words);
}

$("sign-in").addEventListener("submit", async (event) => {
  event.preventDefault();
  const form = Object.fromEntries(new FormData(event.target));
  try {
    sessionStorage.removeItem(TOKEN);
    const token = await request("POST", "/v1/token", { grant_type: "password", ...form }, true);
    sessionStorage.setItem(TOKEN, token.access_token);
    event.target.reset();
    alarm("");
    await open();
  } catch (problem) {
    failed(problem);
  }
});
$("sign-out").addEventListener("click", async () => {
  try {
    await request("DELETE", "/v1/token");
    leave("");
  } catch (problem) {
    leave(problem.status === 401 ? "" : "Signed out of this page, but the service could not be told.");
  }
});
$("call").addEventListener("submit", assess);
$("call").addEventListener("input", freshness);
$("new-call").addEventListener("click", askForNewCall);
$("accept").addEventListener("click", accept);
$("override").addEventListener("click", openOverride);
$("commit").addEventListener("click", commit);
$("override-reasons").addEventListener("click", (event) => {
  const button = event.target.closest("button");
  if (button) override(button.value);
});
// Enter in the note must not send a decision that lacks its reason.
$("decision").addEventListener("submit", (event) => event.preventDefault());

function askForNewCall() {
  if (!unassessed() || confirm("What was typed was not assessed. Clear it?")) newCall();
}

// Function keys: they type nothing, so that they work inside a text field on every keyboard, and
// no browser keeps these for itself. With Alt, a letter may be a menu's or, as AltGr, a letter.
const KEYS = { F2: askForNewCall, F8: accept, F9: openOverride };
document.addEventListener("keydown", (event) => {
  if ($("desk").hidden || event.isComposing) return;
  const plain = !(event.ctrlKey || event.altKey || event.metaKey || event.shiftKey);
  const overriding = !$("override-fields").hidden;
  const committing = !$("result").hidden && !$("commit-fields").hidden;
  const typing = event.target.matches("textarea, select, input:not([type=radio])");
  let action;
  if (event.ctrlKey && event.key === "Enter") action = assess;
  else if (plain && Object.hasOwn(KEYS, event.key)) action = KEYS[event.key];
  else if (plain && overriding && event.key === "Escape") action = closeOverride;
  else if (plain && overriding && !typing && /^[0-9]$/.test(event.key)) {
    const button = $("override-reasons").querySelectorAll("button")[(Number(event.key) + 9) % 10];
    action = () => button && override(button.value);
  } else if (plain && (overriding || committing) && !typing && event.key.length === 1) {
    const input = $(overriding ? "instead" : "send").querySelectorAll("input")[LETTERS.indexOf(event.key.toUpperCase())];
    if (input) action = () => { input.checked = true; input.focus(); };
  }
  if (!action) return;
  event.preventDefault();
  if (!event.repeat) action();
});
addEventListener("beforeunload", (event) => {
  if (unassessed()) event.preventDefault();
});

if (sessionStorage.getItem(TOKEN)) open();
