// Findings: one card each, worst first, with places to go to and the rule's page.

import { colour } from "./connection.js";
import { $, count, el, plural, redraw } from "./dom.js";

const SEVERITIES = ["error", "warning", "advice"];

/** Which severities are shown. */
export const shown = new Set(SEVERITIES);

/** The buttons that filter; `changed` is called when one was pressed. */
export function filter(findings, changed) {
  redraw($("filter"), ...SEVERITIES.map((severity) => {
    const number = findings.filter((finding) => finding.severity === severity).length;
    return el("button", {
      type: "button", class: `chip ${severity}`, "aria-pressed": String(shown.has(severity)), "data-severity": severity, "data-key": severity,
      click: () => {
        if (!shown.delete(severity)) shown.add(severity);
        changed();
      },
    }, count(number, ...plural[severity]));
  }));
}

export function list(report, { openRule, openPlace, apply }) {
  const cards = report.incomplete.map((entry) => incomplete(entry, openPlace));
  cards.push(...worstFirst(report.findings).filter((finding) => shown.has(finding.severity)).map((finding) => card(finding, openRule, openPlace, apply)));
  if (cards.length === 0) {
    const hidden = report.findings.length;
    cards.push(el("p", { class: "empty" }, hidden > 0
      ? `${count(hidden, "finding")} of other severities`
      : "Nothing to object to in these files."));
  }
  cards.push(...allowed(report.suppressed));
  redraw($("finding-list"), ...cards);
}

/** What a comment or mtls-lint.yaml allows, for the record. */
function allowed(suppressed) {
  if (suppressed.length === 0) return [];
  return [el("details", { class: "allowed" }, el("summary", {}, `${count(suppressed.length, "finding")} allowed`),
    el("ul", {}, ...suppressed.map(({ rule, message, suppression }) => el("li", {}, el("code", {}, rule), ` ${message} (${suppression.reason})`))))];
}

/** Within a severity, in the order of the files. */
export const worstFirst = (list) => SEVERITIES.flatMap((severity) => list.filter((finding) => finding.severity === severity));

function card(finding, openRule, openPlace, apply) {
  return el("article", { class: `finding ${finding.severity}` },
    el("header", {},
      el("span", { class: `severity ${finding.severity}` }, finding.severity),
      el("button", { type: "button", class: "rule", click: () => openRule(finding.rule), "aria-label": `${finding.rule}: open the rule's page` }, finding.rule)),
    el("p", { class: "message" }, finding.message),
    el("ul", { class: "places" }, ...finding.labels.map((label) => el("li", { class: label.primary ? "primary" : "" },
      el("button", { type: "button", class: "link", click: () => openPlace(label) }, `${label.file}:${label.start.line}`),
      label.message ? ` ${label.message}` : ""))),
    finding.help && el("p", { class: "help" }, el("strong", {}, "Fix "), finding.help),
    finding.fix && el("p", {}, el("button", { type: "button", class: "small", click: () => apply(finding.fix) }, `Apply: ${finding.fix.title}`)));
}

function incomplete({ file, start, message }, openPlace) {
  return el("article", { class: "finding incomplete" },
    el("header", {}, el("span", { class: "severity incomplete" }, "not understood"),
      el("button", { type: "button", class: "link", click: () => openPlace({ file, start: start ?? { line: 1, column: 1 } }) }, start ? `${file}:${start.line}` : file)),
    el("p", { class: "message" }, message));
}

/** The findings in one sentence, for the heading and for those who listen. */
export function verdict({ findings, connections, incomplete }) {
  const parts = SEVERITIES
    .map((severity) => [findings.filter((finding) => finding.severity === severity).length, plural[severity]])
    .filter(([number]) => number > 0)
    .map(([number, names]) => count(number, ...names));
  const of = (name) => connections.filter((connection) => colour(connection) === name).length;
  const odd = [[of("bad"), "failing"], [of("half"), "not mutual"], [of("unknown"), "undetermined"]].filter(([number]) => number > 0);
  if (incomplete.length > 0) parts.push(`${count(incomplete.length, "place")} not understood`);
  const heads = parts.length > 0 ? parts.join(", ") : "no findings";
  const tail = connections.length > 0
    ? `${count(connections.length, "connection")}, ${odd.length > 0 ? odd.map((pair) => pair.join(" ")).join(", ") : "all mutual"}`
    : "no connections";
  return `${heads}; ${tail}`;
}
