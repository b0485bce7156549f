// A rule's page, in a dialog.

import { ask } from "./ask.js";
import { $, el } from "./dom.js";
import { markdown } from "./markdown.js";

export async function openRule(rule) {
  const answer = await ask("explain", { rule });
  if (!answer?.page) return;
  const dialog = $("page");
  dialog.replaceChildren(
    el("header", {}, el("h2", { id: "page-title" }, rule),
      el("button", { type: "button", class: "small", click: () => dialog.close(), autofocus: true }, "Close")),
    el("div", { class: "page-text" }, ...markdown(answer.page)));
  if (!dialog.open) dialog.showModal();
  dialog.scrollTop = 0;
}

// a click beside the page closes it
$("page").addEventListener("click", (event) => {
  if (event.target === $("page")) $("page").close();
});
