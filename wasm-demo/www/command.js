// A command line against the deployment, and a line of a log.

import { ask } from "./ask.js";
import { describe } from "./connection.js";
import { $, count, el } from "./dom.js";

let page;

/** The command as it stands. */
export const line = () => $("command").value.trim();

export function fill(text) {
  $("command").value = text;
  $("command-answer").replaceChildren();
}

export function start(given) {
  page = given;
  $("command-form").addEventListener("submit", (event) => {
    event.preventDefault();
    predict();
  });
  $("log-form").addEventListener("submit", (event) => {
    event.preventDefault();
    explain();
  });
  for (const [field, form] of [["command", "command-form"], ["log-line", "log-form"]]) {
    $(field).addEventListener("keydown", (event) => {
      if (event.key !== "Enter" || event.shiftKey) return;
      event.preventDefault();
      $(form).requestSubmit();
    });
  }
}

async function predict() {
  if (line() === "") return;
  const answer = await ask("command", { question: { ...page.question(), command: [line()] } });
  if (answer === undefined) return;
  const { report, error } = answer;
  const problem = error ?? report.error;
  if (problem) return $("command-answer").replaceChildren(el("p", { class: "wrong" }, problem));
  const connections = report.connections.map((connection) => el("article", { class: "connection" }, ...describe(connection, {
    openRule: page.openRule,
    openFile: (file) => page.openPlace({ file, start: { line: 1, column: 1 } }),
    goTo: () => {},
  })));
  const odd = report.incomplete.filter(({ file }) => file === "command line").map(({ message }) => el("p", { class: "wrong" }, message));
  const none = connections.length === 0 && odd.length === 0
    ? [el("p", { class: "empty" }, "This command opens no connection that is understood here. curl, etcdctl and openssl s_client are.")] : [];
  $("command-answer").replaceChildren(...odd, ...none,
    ...(connections.length > 0 ? [el("p", { class: "quiet" }, count(connections.length, "connection"))] : []), ...connections);
}

async function explain() {
  const text = $("log-line").value.trim();
  if (text === "") return;
  const answer = await ask("causes", { line: text });
  if (answer === undefined) return;
  const found = (answer.causes ?? []).map(({ rule, text: printed }) => el("li", {},
    el("button", { type: "button", class: "rule", click: () => page.openRule(rule) }, rule), " prints ", el("code", {}, printed)));
  $("log-answer").replaceChildren(found.length > 0
    ? el("ol", { class: "causes" }, ...found)
    : el("p", { class: "empty" }, answer.error ?? "Nothing is known of this line."));
}
