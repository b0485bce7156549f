// Certificates of the deployment: subject, names, usages, validity, key, issuer, and who uses them.

import { $, count, el, redraw } from "./dom.js";

const DAY = 86_400;

export function list(answer, at, openFile) {
  if (answer.error) {
    $("certificates").replaceChildren(el("p", { class: "wrong" }, answer.error));
    return;
  }
  const issued = answer.files.map((file) => fileCard(file, at, openFile));
  const planned = answer.planned.map((certificate) => plannedCard(certificate, openFile));
  redraw($("certificates"), ...[
    issued.length > 0 && el("h2", {}, "Files with certificates and keys"),
    issued.length > 0 && el("div", { class: "certificate-list" }, ...issued),
    planned.length > 0 && el("h2", {}, "To be issued by cert-manager"),
    planned.length > 0 && el("div", { class: "certificate-list" }, ...planned),
    issued.length + planned.length === 0 && el("p", { class: "empty" },
      "No certificate among these files, and no cert-manager Certificate. Add PEM or DER files, or manifests."),
  ].filter(Boolean));
}

function fileCard(file, at, openFile) {
  return el("article", { class: "certificate" },
    el("header", {}, el("h3", {}, file.file),
      el("button", { type: "button", class: "link", click: () => openFile(file.source, file.line) }, file.source === file.file ? "open" : `${file.source}:${file.line}`)),
    users(file.used_by),
    el("ol", {}, ...file.items.map((item) => el("li", {}, ...part(item, at)))),
    ...file.remarks.map((remark) => el("p", { class: remark.wrong ? "remark wrong" : "remark" }, remark.message)));
}

function users(list) {
  if (list.length === 0) return el("p", { class: "quiet" }, "No program of these files loads it.");
  return el("ul", { class: "users" }, ...list.map(({ program, role }) => el("li", {}, el("strong", {}, program), ` ${role}`)));
}

function part(item, at) {
  if (item.kind === "private-key") {
    return [el("strong", {}, "Private key"), facts([
      ["key", item.encrypted ? "encrypted" : item.key ?? "of an unknown kind"],
      ["belongs to", item.belongs_to ? `number ${item.belongs_to.number} in ${item.belongs_to.file}` : "no certificate of these files"],
    ])];
  }
  if (item.kind === "revocation-list") {
    return [el("strong", {}, "Revocation list"), facts([["issuer", item.issuer], ["revoked", count(item.revoked, "certificate")], ["next update", day(item.next_update)]])];
  }
  if (item.kind !== "certificate") return [`PEM block ${item.label}`];
  const kind = item.self_signed ? (item.ca ? "Root certificate" : "Self-signed certificate") : item.ca ? "Intermediate certificate" : "End-entity certificate";
  const path = item.self_signed ? "self-signed" : item.issued_by
    ? `${item.issuer}: number ${item.issued_by.number} in ${item.issued_by.file}`
    : `${item.issuer}, which is not among these files`;
  return [el("strong", {}, kind), facts([
    ["subject", item.subject || "empty"],
    ["names", item.names],
    ["issuer", path],
    ["validity", validity(item, at)],
    ["key", item.key],
    ["key usage", item.key_usage],
    ["extended key usage", item.extended_key_usage],
    ["SHA-256", el("code", { class: "digest" }, item.sha256)],
  ])];
}

/** The days, and a bar that shows where in them the moment lies. */
function validity({ not_before: from, not_after: to }, at) {
  const [start, end, now] = [from, to, at].map((time) => Date.parse(time));
  const part = Math.max(0, Math.min(1, (now - start) / (end - start || 1)));
  const left = Math.floor((end - now) / 1000 / DAY);
  const said = now > end ? "expired" : now < start ? "not valid yet" : `${count(left, "day")} left`;
  const bar = el("span", { class: "bar", "aria-hidden": "true" }, el("span", { class: now > end || now < start ? "past" : left < 30 ? "soon" : "" }));
  bar.firstChild.style.width = `${part * 100}%`;
  return el("span", { class: "validity" }, `${day(from)} to ${day(to)}`, bar, el("span", { class: now > end || now < start ? "wrong" : "quiet" }, said));
}

const day = (time) => (time ? time.slice(0, 10) : null);
const days = (seconds) => (seconds % DAY === 0 ? count(seconds / DAY, "day") : `${seconds / 3600} hours`);

function plannedCard(item, openFile) {
  return el("article", { class: "certificate planned" },
    el("header", {}, el("h3", {}, item.name),
      el("button", { type: "button", class: "link", click: () => openFile(item.file, item.line) }, `${item.file}:${item.line}`)),
    users(item.used_by),
    facts([
      ["subject", item.subject || "empty"],
      ["names", item.names],
      ["issuer", item.issuer],
      ["validity", `${days(item.duration)}, renewed ${days(item.renew_before)} before the end`],
      ["key", item.key],
      ["CA", item.ca ? "yes" : null],
      ["key usage", item.key_usage],
      ["extended key usage", item.extended_key_usage],
    ]));
}

function facts(rows) {
  const given = rows.filter(([, value]) => value !== null && value !== undefined && value !== "" && !(Array.isArray(value) && value.length === 0));
  return el("dl", {}, ...given.flatMap(([name, value]) => [el("dt", {}, name), el("dd", {}, ...(Array.isArray(value) ? value.map((one) => el("span", { class: "value" }, one)) : [value]))]));
}
