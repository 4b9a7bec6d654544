// What stands in the pane: one assessment, asked for as a part of the page, and what one decides on.

import { aim } from "./deciding.js";

const place = document.getElementById("detail");
let wanted = null;

// Show an assessment. `quietly` changes what is there already piece by piece, so that scroll,
// focus and what is unfolded stay.
export async function show(assessment, { quietly = false } = {}) {
  wanted = assessment;
  const before = place.scrollTop;
  await htmx.ajax("GET", `/calls/${encodeURIComponent(assessment)}`, {
    source: place, target: place, swap: quietly ? "innerMorph" : "innerHTML",
  });
  const article = place.querySelector("article");
  if (article?.dataset.assessment !== wanted) return null;
  place.scrollTop = quietly ? before : 0;
  aim(article.dataset);
  return article;
}

// Put something there at once, until the whole comes or if it can't.
export function putInstead(...nodes) {
  place.replaceChildren(...nodes);
}
