// What every page does: htmx's requests carry our header, say when nobody answers, and ask for the
// password where the session has ended; the lock; the form of the sign-in page.

import { lift, raise } from "./alarm.js";
import { bind } from "./keys.js";
import { HEADER, UNREACHABLE, inWords } from "./request.js";
import { askAgain, keepSession, lock, signIn, user } from "./session.js";

document.addEventListener("htmx:config:request", (event) => {
  if (document.querySelector("dialog[open]")) event.preventDefault(); // locked: there is no session
  Object.assign(event.detail.ctx.request.headers, HEADER);
});

document.addEventListener("htmx:after:request", ({ detail: { ctx } }) => {
  if (ctx.response.status < 400) lift("page");
});

document.addEventListener("htmx:response:error", ({ detail: { ctx } }) => {
  const { status } = ctx.response;
  if (status === 401 && user) {
    askAgain().then(() => htmx.ajax(ctx.request.method, ctx.request.action, { source: ctx.sourceElement }));
    return;
  }
  let problem = { title: "Something is wrong", detail: `${status}` };
  try {
    problem = JSON.parse(ctx.text);
  } catch { /* no problem document; its number says enough */ }
  raise("page", inWords({ ...problem, status }));
});

document.addEventListener("htmx:error", ({ detail }) => {
  if (detail.ctx) raise("page", inWords({ status: 0, detail: UNREACHABLE }));
});

if (user) {
  keepSession();
  bind("F4", () => lock());
}

document.getElementById("sign-in")?.addEventListener("submit", async (event) => {
  event.preventDefault();
  const opened = await signIn(event.target);
  if (opened) location.replace(opened.home);
});
