// Keys that work wherever one types. Function keys: they type nothing, so that they work inside a
// text field on every keyboard; with Alt, a letter may be a menu's or, as AltGr, a letter.

const bound = new Map();

export function bind(key, action) {
  bound.set(key, action);
}

document.addEventListener("keydown", (event) => {
  const plain = !(event.ctrlKey || event.altKey || event.metaKey || event.shiftKey);
  if (!plain || event.isComposing || document.querySelector("dialog[open]")) return;
  const action = bound.get(event.key);
  if (!action) return;
  event.preventDefault();
  if (!event.repeat) action();
});
