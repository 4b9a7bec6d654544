// The one line in which every page says what is wrong. Several things may be; the first one that
// was raised and still holds is shown, over what is in force, so that nothing moves.

const raised = new Map();

export function raise(kind, words) {
  raised.set(kind, words);
  show();
}

// Returns whether it was raised.
export function lift(kind) {
  const was = raised.delete(kind);
  if (was) show();
  return was;
}

function show() {
  const place = document.getElementById("alarm");
  const words = [...raised.values()][0] ?? "";
  if (place.textContent !== words) place.textContent = words;
  place.hidden = !words;
  document.body.classList.toggle("is-alarmed", Boolean(words));
}
