// Rows into the list, where nothing may move under a hand: a row that is there changes in its place,
// and what comes in above is made up for by scrolling while somebody points at the list.

const HAND_MS = 3000;
// As many as the service holds; what is older is found in the log.
const MOST = 400;

export class Rows {
  constructor(list, onShift) {
    this.list = list;
    this.onShift = onShift; // called with whether rows lie above what is seen
    this.hovered = false;
    this.touched = 0;
    list.addEventListener("pointerenter", (event) => { this.hovered = event.pointerType === "mouse"; });
    list.addEventListener("pointerleave", () => { this.hovered = false; });
    list.addEventListener("pointerdown", () => { this.touched = Date.now(); });
    list.addEventListener("scroll", () => {
      if (list.scrollTop > 0) return;
      list.style.paddingBottom = "";
      onShift(false);
    });
  }

  handNear() {
    return this.hovered || Date.now() - this.touched < HAND_MS || this.list.scrollTop > 0;
  }

  // Place a row as the service drew it; returns it, and whether it is new.
  place(html) {
    const template = document.createElement("template");
    template.innerHTML = html;
    const drawn = template.content.firstElementChild;
    const there = document.getElementById(drawn.id);
    if (there) {
      change(there, drawn);
      return [there, false];
    }
    const order = Number(drawn.dataset.order);
    let after = this.list.firstElementChild; // nearly always the place: the newest comes first
    while (after && Number(after.dataset.order ?? -1) > order) after = after.nextElementSibling;
    const kept = this.handNear();
    this.list.insertBefore(drawn, after);
    if (kept && (!after || drawn.offsetTop <= this.list.scrollTop + after.offsetHeight)) {
      this.scrollTo(this.list.scrollTop + drawn.offsetHeight);
      this.onShift(true);
    }
    this.trim();
    return [drawn, true];
  }

  // Let go of the oldest rows, but not of one that is picked.
  trim() {
    while (this.list.childElementCount > MOST) {
      const last = this.list.lastElementChild;
      if (last.querySelector("[aria-current]")) return;
      last.remove();
    }
  }

  // Scroll, with room made at the end where a short list has none.
  scrollTo(top) {
    const { list } = this;
    const last = list.lastElementChild;
    const room = top + list.clientHeight - (last.offsetTop + last.offsetHeight);
    list.style.paddingBottom = room > 0 ? `${room}px` : "";
    list.scrollTop = top;
  }

  // Put all rows anew, those that are there in their places.
  replace(html) {
    const template = document.createElement("template");
    template.innerHTML = html;
    for (const drawn of [...template.content.children].reverse()) {
      if (drawn.id) this.place(drawn.outerHTML);
    }
  }
}

// Change a row and keep its button, which may have the focus or be under a finger.
function change(row, drawn) {
  for (const { name } of [...row.attributes]) if (!drawn.hasAttribute(name)) row.removeAttribute(name);
  for (const { name, value } of drawn.attributes) row.setAttribute(name, value);
  const [button, other] = [row.querySelector("button"), drawn.querySelector("button")];
  if (button && other) button.replaceChildren(...other.childNodes);
  else row.replaceChildren(...drawn.childNodes);
}
