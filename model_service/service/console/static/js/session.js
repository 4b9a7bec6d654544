// The session of who sits here: signing out, the lock, and signing in again in place when the
// session has ended, so that nothing is lost that was typed.

import { lift, raise } from "./alarm.js";
import { inWords, request } from "./request.js";

const LOCKED = "crisiscall.locked";
const ENDED = "Your session has ended. Give your password to go on.";
const dialog = document.getElementById("locked");
const waiting = [];

export const user = document.body.dataset.user;

// Ask for the password; resolves when somebody has given it.
export function askAgain(why = ENDED) {
  return new Promise((resolve) => {
    waiting.push(resolve);
    if (dialog.open) return;
    document.getElementById("locked-why").textContent = why;
    document.body.classList.add("is-locked");
    dialog.showModal();
    dialog.querySelector("[name=password]").focus();
    document.dispatchEvent(new CustomEvent("session:locked"));
  });
}

// A request that waits for the password where the session has ended, and is sent again after it.
export async function withSession(send) {
  for (;;) {
    try {
      return await send();
    } catch (problem) {
      if (problem.status !== 401) throw problem;
      await askAgain();
    }
  }
}

export async function lock(why = "You locked this console.") {
  if (dialog.open) return;
  askAgain(why);
  sessionStorage.setItem(LOCKED, why); // a reload must not open it
  try {
    await request("DELETE", "/session?why=locked");
  } catch (problem) {
    if (problem.status !== 401) document.getElementById("locked-why").textContent = `${why} The service could not be told.`;
  }
}

async function leave() {
  if (!document.dispatchEvent(new CustomEvent("session:leaving", { cancelable: true }))) return;
  try {
    await request("DELETE", "/session");
  } catch (problem) {
    if (problem.status !== 401) {
      raise("leaving", "The service could not be told that you sign out. Try again, or close the browser.");
      return;
    }
  }
  sessionStorage.clear();
  location.replace("/sign-in");
}

export async function signIn(form) {
  const fault = form.querySelector(".fault");
  try {
    const opened = await request("POST", "/session", new URLSearchParams(new FormData(form)));
    fault.hidden = true;
    form.reset();
    return opened;
  } catch (problem) {
    fault.textContent = inWords(problem);
    fault.hidden = false;
    form.elements.password.select();
    return null;
  }
}

function lockWhenIdle(minutes) {
  if (!minutes) return;
  let touched = Date.now();
  for (const kind of ["keydown", "pointerdown", "pointermove", "wheel"]) {
    addEventListener(kind, () => { touched = Date.now(); }, { passive: true });
  }
  setInterval(() => {
    if (Date.now() - touched > minutes * 60_000) lock("Nobody touched this console for a while.");
  }, 1000);
}

export function keepSession() {
  document.getElementById("sign-out").addEventListener("click", leave);
  document.getElementById("leave").addEventListener("click", leave);
  document.getElementById("lock-now").addEventListener("click", () => lock());
  dialog.addEventListener("cancel", (event) => event.preventDefault()); // Esc opens no lock
  document.getElementById("unlock").addEventListener("submit", async (event) => {
    event.preventDefault();
    if (!(await signIn(event.target))) return;
    sessionStorage.removeItem(LOCKED);
    document.body.classList.remove("is-locked");
    dialog.close();
    lift("leaving");
    waiting.splice(0).forEach((resolve) => resolve());
    document.dispatchEvent(new CustomEvent("session:open"));
  });
  lockWhenIdle(Number(document.body.dataset.lockMinutes));
  const locked = sessionStorage.getItem(LOCKED);
  if (locked) lock(locked);
}
