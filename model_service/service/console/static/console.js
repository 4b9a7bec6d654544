// The console's one page: sign in, type a call, read the recommendation, decide.
// It talks to the same HTTP interface as any other client, and puts text into the page as text.

const $ = (id) => document.getElementById(id);
const TOKEN = "crisiscall.token";
// A word whose weight is below this share of the strongest one's is not marked.
const FAINT = 0.35;

let call = null; // { call_id, received_at, revision } of the call on the desk
let shown = null; // the assessment on the desk

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
  const sent = body === undefined ? undefined : form ? new URLSearchParams(body) : JSON.stringify(body);
  let response;
  try {
    response = await fetch(path, { method, headers, body: sent });
  } catch {
    throw { status: 0, title: "follow protocol", detail: "The service can't be reached." };
  }
  if (response.status === 204) return null;
  const document = await response.json().catch(() => ({ title: "follow protocol" }));
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
  const places = (problem.errors ?? []).map((error) => `${error.path}: ${error.message}`);
  const words = [problem.title, problem.detail, ...places].filter(Boolean).join(" – ");
  alarm(problem.status === 0 || problem.status >= 500 ? `Follow protocol. ${words}` : words);
}

function show(signedIn) {
  $("sign-in").hidden = signedIn;
  $("desk").hidden = !signedIn;
  $("sign-out").hidden = !signedIn;
}

async function open() {
  show(true);
  if (!call) newCall();
  try {
    const model = await request("GET", "/v1/model");
    warn(model.metrics.warning);
    $("model").textContent = `release ${model.release} · plan ${model.plan.plan} ${model.plan.version}`;
    const places = new Set(model.plan.responses.flatMap((response) => response.places ?? []));
    $("places").replaceChildren(...[...places].map((place) => element("option", place)));
    names = Object.fromEntries(model.plan.responses.map((response) => [response.id, response.name]));
    names.protocol = model.plan.protocol.name;
    $("decision").elements.response.replaceChildren(
      ...Object.entries(names).map(([id, name]) => element("option", name, { value: id })),
    );
  } catch (problem) {
    failed(problem);
  }
}
let names = {};

function warn(words) {
  $("warning").textContent = words ?? "";
  $("warning").hidden = !words;
}

function newCall() {
  const now = new Date();
  const random = [...crypto.getRandomValues(new Uint8Array(3))].map((b) => b.toString(16).padStart(2, "0")).join("");
  const stamp = now.toISOString().replace(/[-:T]/g, "").slice(0, 14);
  call = { call_id: `TYPED-${stamp}-${random}`, received_at: now.toISOString(), revision: 0 };
  shown = null;
  $("call").reset();
  $("call-id").textContent = call.call_id;
  $("result").hidden = true;
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

async function assess(event) {
  event?.preventDefault();
  const body = { ...typed(), revision: call.revision + 1 };
  $("assess").disabled = true;
  try {
    const assessment = await request("POST", "/v1/assessments", body);
    call.revision = body.revision;
    alarm("");
    render(assessment, body.narrative);
  } catch (problem) {
    $("result").hidden = true;
    failed(problem);
  } finally {
    $("assess").disabled = false;
  }
}

function render(assessment, narrative) {
  shown = assessment;
  const { prediction, recommendation, explanation } = assessment;
  $("result").hidden = false;
  $("revision").textContent = assessment.revision;
  $("response").textContent = recommendation.name;
  $("bands").replaceChildren(...Object.entries(prediction).flatMap(([target, p]) => {
    const band = recommendation.bands?.[target];
    const words = element("dd", band ?? "no prediction");
    if (band) {
      words.append(" ", element("small", `about ${Math.round(p * 100)} in 100 such calls`));
      words.append(element("meter", "", { value: p, min: 0, max: 1, "aria-hidden": "true" }));
    }
    const group = document.createElement("div");
    group.append(element("dt", target.replaceAll("_", " ")), words);
    return [group];
  }));
  $("reasons").replaceChildren(...recommendation.reasons.map((reason) => element("li", reason.text)));
  mark($("evidence"), narrative, explanation?.words ?? []);
  $("decisions").replaceChildren();
  $("override-fields").hidden = true;
  $("override").setAttribute("aria-expanded", "false");
  $("record").textContent = `Record ${assessment.log.sequence} in the log, release ${assessment.model.release}.`;
}

// Offsets count characters (code points); JavaScript's strings count UTF-16 units.
function mark(place, narrative, words) {
  const characters = [...narrative];
  const inside = words.filter((word) => word.column === "narrative");
  const size = (word) => Math.max(Math.abs(word.mental_health_crisis), Math.abs(word.safety_risk));
  const strongest = Math.max(0, ...inside.map(size));
  const pieces = [];
  let at = 0;
  for (const word of inside) {
    if (size(word) < FAINT * strongest || word.start < at) continue;
    pieces.push(document.createTextNode(characters.slice(at, word.start).join("")));
    const { mental_health_crisis: crisis, safety_risk: risk } = word;
    const kind = Math.max(crisis, risk) <= 0 ? "against" : risk > crisis ? "towards-risk" : "towards-crisis";
    const signed = (x) => (x >= 0 ? "+" : "−") + Math.abs(x).toFixed(2);
    pieces.push(element("mark", characters.slice(word.start, word.end).join(""), {
      class: kind,
      title: `log-odds: crisis ${signed(crisis)}, safety risk ${signed(risk)}`,
    }));
    at = word.end;
  }
  pieces.push(document.createTextNode(characters.slice(at).join("")));
  place.replaceChildren(...pieces);
}

async function decide(body) {
  if (!shown) return;
  try {
    const decision = await request("POST", `/v1/assessments/${shown.assessment_id}/decision`, body);
    alarm("");
    const sent = names[decision.response] ?? decision.response;
    const words = decision.action === "accept"
      ? `accepted: ${sent}`
      : `overridden: ${sent} (${decision.reason.replaceAll("_", " ")})`;
    const time = new Date(decision.at).toLocaleTimeString();
    $("decisions").append(element("li", `${time} ${decision.actor} ${words}`));
    $("override-fields").hidden = true;
    $("override").setAttribute("aria-expanded", "false");
    $("decision").elements.note.value = "";
  } catch (problem) {
    failed(problem);
  }
}

function openOverride() {
  if (!shown) return;
  const fields = $("override-fields");
  fields.hidden = !fields.hidden;
  $("override").setAttribute("aria-expanded", String(!fields.hidden));
  if (!fields.hidden) $("decision").elements.response.focus();
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
  } catch (problem) {
    if (problem.status !== 401) return failed(problem);
  }
  sessionStorage.removeItem(TOKEN);
  location.reload();
});
$("call").addEventListener("submit", assess);
$("new-call").addEventListener("click", newCall);
$("accept").addEventListener("click", () => decide({ action: "accept" }));
$("override").addEventListener("click", openOverride);
$("decision").addEventListener("submit", (event) => {
  event.preventDefault();
  const { response, reason, note } = event.target.elements;
  decide({ action: "override", response: response.value, reason: reason.value, note: note.value || null });
});
document.addEventListener("keydown", (event) => {
  if ($("desk").hidden) return;
  if (event.ctrlKey && event.key === "Enter") assess(event);
  else if (event.altKey && event.code === "KeyA") { event.preventDefault(); if (shown) decide({ action: "accept" }); }
  else if (event.altKey && event.code === "KeyO") { event.preventDefault(); openOverride(); }
  else if (event.altKey && event.code === "KeyN") { event.preventDefault(); newCall(); }
});

if (sessionStorage.getItem(TOKEN)) open();
