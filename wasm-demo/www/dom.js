// Elements without markup: text stays text, whatever it says.

export const $ = (id) => document.getElementById(id);

/** An element with attributes (functions become listeners) and children (strings become text; null is left out). */
export function el(name, attributes = {}, ...children) {
  const element = document.createElement(name);
  for (const [key, value] of Object.entries(attributes)) {
    if (value === null || value === undefined || value === false) continue;
    if (typeof value === "function") element.addEventListener(key, value);
    else if (key === "class") element.className = value;
    else element.setAttribute(key, value === true ? "" : value);
  }
  element.append(...children.flat().filter((child) => child !== null && child !== undefined && child !== false));
  return element;
}

/** Draws a part anew: what had the focus in it has it afterwards too, if it is still there. */
export function redraw(root, ...children) {
  const name = (element) => element.dataset.key ?? element.getAttribute("aria-label") ?? element.textContent;
  const focused = root !== document.activeElement && root.contains(document.activeElement) ? document.activeElement : null;
  const alike = () => [...root.querySelectorAll("button, summary, [tabindex]")].filter((element) => name(element) === wanted);
  const wanted = focused && name(focused);
  const place = focused ? alike().indexOf(focused) : -1;
  root.replaceChildren(...children);
  if (place >= 0) (alike()[place] ?? alike()[0])?.focus({ preventScroll: true });
}

/** `1 error`, `2 errors`. */
export const count = (number, one, many = `${one}s`) => `${number} ${number === 1 ? one : many}`;

export const plural = { error: ["error"], warning: ["warning"], advice: ["piece of advice", "pieces of advice"] };
