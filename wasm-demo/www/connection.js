// One connection, step by step: what each side does, who stops it, what each prints, who is authenticated.

import { el } from "./dom.js";
import { party } from "./diagram.js";

const WORDS = {
  completes: "completes",
  "config-rejected": "configuration rejected",
  "handshake-fails": "handshake fails",
  "request-rejected": "request rejected",
  undetermined: "undetermined",
};

/** good, half, bad, unknown: as the diagram colours it. */
export function colour({ outcome, authenticated }) {
  if (outcome === "undetermined") return "unknown";
  if (outcome !== "completes") return "bad";
  // null: callers that nobody knows; whether they look at the server's certificate is theirs to know
  return authenticated.server !== false && authenticated.client ? "good" : "half";
}

/** `openRule` is called with a rule's id, `openFile` with a path, `goTo` with an RFC 3339 time. */
export function describe(connection, { openRule, openFile, goTo, close }) {
  const { client, server, url, outcome, why, undetermined_because: unknown, breaks_at: breaks } = connection;
  return [
    el("header", {},
      el("h3", {}, party(client), " ", el("span", { "aria-label": "to" }, "→"), " ", party(server)),
      close && el("button", { type: "button", class: "small", click: close, "aria-label": "Close the connection" }, "Close")),
    el("p", {},
      el("span", { class: `outcome ${colour(connection)}` }, WORDS[outcome] ?? outcome), " ",
      el("code", {}, url),
      connection.server_name ? [" ", el("span", { class: "quiet" }, `server name sent: ${connection.server_name}`)] : null),
    why.length > 0 && el("ul", { class: "why" }, ...why.map(({ rule, message }) =>
      el("li", {}, message, " ", el("button", { type: "button", class: "rule", click: () => openRule(rule) }, rule)))),
    unknown.length > 0 && el("ul", { class: "why" }, ...unknown.map((reason) => el("li", {}, `undetermined because ${reason}`))),
    outcome === "completes" && missing(connection),
    steps(connection, openFile),
    breaks && el("p", { class: "breaks" }, "Breaks at ",
      el("button", { type: "button", class: "link", click: () => goTo(breaks.time) }, words(breaks.time)), `: ${breaks.why}`),
  ].filter(Boolean);
}

/** What a connection lacks that completes and is not mutual. */
function missing({ authenticated: { client, server } }) {
  const parts = [
    server === false && "the client does not verify who the server is",
    client === false && "the server authenticates no client",
  ].filter(Boolean);
  return parts.length > 0 && el("ul", { class: "why" }, el("li", {}, `Not mutual TLS: ${parts.join(", and ")}.`));
}

export const words = (time) => time.replace("T", " ").replace(/:00Z$/, "").replace(/Z$/, "");

/** Configuration, handshake, request: how far each gets, and on which side it stops. */
const STEPS = ["Loads its configuration and files", "Handshake", "First request"];
const STOPS = { "config-rejected": 0, "handshake-fails": 1, "request-rejected": 2 };

function steps(connection, openFile) {
  const { client, server, outcome, rejected_by: by, authenticated } = connection;
  const stop = STOPS[outcome] ?? (outcome === "completes" ? STEPS.length : -1);
  const rows = STEPS.map((step, at) => el("tr", {},
    el("th", { scope: "row" }, step),
    ...["client", "server"].map((side) => el("td", {}, state(at, stop, by === side, by)))));
  const proof = (side) => {
    const known = { true: "yes", false: "no", null: "undetermined" }[String(authenticated[side])];
    return el("td", {}, el("span", { class: `proof ${known}` }, known));
  };
  const prints = (text) => el("td", {}, text ? el("code", { class: "prints" }, text) : el("span", { class: "quiet" }, stop < STEPS.length && stop >= 0 ? "not known" : "nothing"));
  const head = (side, { kind, name, file }) => el("th", { scope: "col" }, side === "client" ? "Client" : "Server",
    el("span", { class: "who" }, party({ kind, name })),
    file && el("button", { type: "button", class: "link file", click: () => openFile(file) }, file));
  return el("table", { class: "steps" },
    el("thead", {}, el("tr", {}, el("td", {}), head("client", client), head("server", server))),
    el("tbody", {}, ...rows,
      el("tr", {}, el("th", { scope: "row" }, "Its identity is verified by the other side"), proof("client"), proof("server")),
      el("tr", {}, el("th", { scope: "row" }, "Prints"), prints(connection.client_sees), prints(connection.server_logs))));
}

function state(at, stop, mine, by) {
  if (stop < 0) return el("span", { class: "state unknown" }, "?");
  if (at < stop) return el("span", { class: "state ok" }, "✓ done");
  if (at > stop) return el("span", { class: "state quiet" }, "not reached");
  if (mine) return el("span", { class: "state stopped" }, "✗ rejects");
  return el("span", { class: "state" }, by === null ? "✗ fails" : "is rejected");
}
