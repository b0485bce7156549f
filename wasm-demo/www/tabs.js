// Tabs: arrow keys move between them, one panel is shown.

import { $ } from "./dom.js";

const NAMES = ["deployment", "certificates", "command", "policy"];
let opened = "deployment";
let listener = () => {};

export const current = () => opened;

export function open(name) {
  if (!NAMES.includes(name)) return;
  const changed = name !== opened;
  opened = name;
  for (const other of NAMES) {
    const mine = other === name;
    $(`tab-${other}`).setAttribute("aria-selected", String(mine));
    $(`tab-${other}`).tabIndex = mine ? 0 : -1;
    $(`panel-${other}`).hidden = !mine;
  }
  if (changed) listener(name);
}

export function start(changed) {
  listener = changed;
  NAMES.forEach((name, index) => {
    const tab = $(`tab-${name}`);
    tab.addEventListener("click", () => open(name));
    tab.addEventListener("keydown", (event) => {
      const to = { ArrowRight: index + 1, ArrowLeft: index - 1, Home: 0, End: NAMES.length - 1 }[event.key];
      if (to === undefined) return;
      event.preventDefault();
      const other = NAMES[(to + NAMES.length) % NAMES.length];
      open(other);
      $(`tab-${other}`).focus();
    });
  });
}
