// The deployment drawn: the linter's SVG, with arrows that can be chosen.

import { $, redraw } from "./dom.js";

/** Shows an SVG text; `choose` is called with the index of a connection. */
export function show(svg, connections, chosen, choose) {
  const place = $("diagram");
  const parsed = new DOMParser().parseFromString(svg, "image/svg+xml");
  const drawing = parsed.documentElement;
  if (drawing.nodeName !== "svg" || connections.length === 0) {
    redraw(place, Object.assign(document.createElement("p"), {
      className: "empty", textContent: "No TLS connection yet: nothing in these files listens or dials.",
    }));
    return;
  }
  const image = document.importNode(drawing, true);
  image.setAttribute("role", "group");
  for (const edge of image.querySelectorAll("[data-connection]")) {
    const index = Number(edge.dataset.connection);
    edge.dataset.key = edge.dataset.connection;
    edge.setAttribute("tabindex", "0");
    edge.setAttribute("role", "button");
    edge.setAttribute("aria-label", label(connections[index], edge));
    edge.setAttribute("aria-pressed", String(index === chosen));
    edge.addEventListener("click", () => choose(index));
    edge.addEventListener("keydown", (event) => {
      if (event.key !== "Enter" && event.key !== " ") return;
      event.preventDefault();
      choose(index);
    });
  }
  redraw(place, image);
}

/** Goes back to an arrow. */
export const focus = (index) => $("diagram").querySelector(`[data-connection="${index}"]`)?.focus();

/** Shows which arrow is chosen. */
export function press(chosen) {
  for (const edge of $("diagram").querySelectorAll("[data-connection]")) {
    edge.setAttribute("aria-pressed", String(Number(edge.dataset.connection) === chosen));
  }
}

/** `apisix Pod demo/gateway`; a name that says the kind itself stands alone. */
export function party({ kind, name }) {
  if (kind === "any") return "any client";
  return !name || name === kind || name.startsWith(`${kind} `) ? name ?? kind : `${kind} ${name}`;
}

/** Between whom, and what is written on the arrow. */
function label(connection, edge) {
  const written = [...edge.querySelectorAll("text")].map((text) => text.textContent).join(" ");
  return connection ? `${party(connection.client)} to ${party(connection.server)}: ${written}` : written;
}
