// The page: one state, shown; every change is a question to the worker.

import { ask, ready } from "./ask.js";
import * as certificates from "./certificates.js";
import * as command from "./command.js";
import * as connection from "./connection.js";
import * as diagram from "./diagram.js";
import { $, el, redraw } from "./dom.js";
import { Editor, index } from "./editor.js";
import * as files from "./files.js";
import * as findings from "./findings.js";
import { openRule } from "./rule.js";
import * as permalink from "./permalink.js";
import * as policy from "./policy.js";
import * as tabs from "./tabs.js";
import { Timeline } from "./timeline.js";

const state = { files: [], current: null, assume: "", report: null, chosen: null, started: false };

const editor = new Editor($("editor"), (text) => {
  if (!state.current) return;
  state.current.text = text;
  judge();
});
const timeline = new Timeline(() => judge());

/** The question about all files; the command tab adds its command. */
export function question() {
  return {
    files: state.files.map(({ path, text, base64 }) => (base64 === undefined ? { path, text } : { path, base64 })),
    at: timeline.at,
    assume: state.assume.split(",").map((item) => item.trim()).filter(Boolean),
  };
}

// --- judging -------------------------------------------------------------------------------------

/** Edits are looked for once the typing pauses: it takes several judgements to find them. */
const PAUSE = 400;
let pause;

async function judge() {
  performance.mark("asked");
  const asked = question();
  const answer = await ask("lint", { question: asked });
  if (answer === undefined) return;
  if (answer.stopped) return notice(answer.error, true);
  $("assume-error").textContent = answer.error ?? "";
  if (answer.error) return;
  performance.measure("judged", "asked");
  state.report = answer.report;
  show();
  document.body.dataset.judged = String(Number(document.body.dataset.judged ?? 0) + 1);
  // what takes longer follows
  picture(asked);
  breaks(asked);
  clearTimeout(pause);
  pause = setTimeout(() => fixes(asked), PAUSE);
  if (tabs.current() === "certificates") showCertificates();
}

async function picture(asked) {
  const drawn = await ask("draw", { question: asked });
  if (drawn === undefined || drawn.error || !state.report) return;
  const kinds = new Map(Array.isArray(drawn.kinds) ? drawn.kinds.map(({ path, kind }) => [path, kind]) : []);
  for (const file of state.files) file.kind = kinds.get(file.path) ?? file.kind;
  showFiles();
  diagram.show(drawn.svg, state.report.connections, state.chosen, choose);
}

/** The same findings, with the edits that remedy them. */
async function fixes(asked) {
  const before = state.report;
  // everything may have been cleared away meanwhile
  if (!before || before.findings.length === 0) return;
  const answer = await ask("fixes", { question: asked });
  if (state.report !== before || !answer?.report?.findings || answer.report.findings.length !== state.report.findings.length) return;
  state.report = answer.report;
  if (answer.report.findings.some(({ fix }) => fix)) showFindings();
}

/** Makes the edits of a fix. */
function apply({ edits }) {
  const later = (a, b) => b.start.line - a.start.line || b.start.column - a.start.column;
  for (const { file: path, start, end, text } of [...edits].sort(later)) {
    const file = state.files.find((file) => file.path === path);
    if (file?.text === undefined) continue;
    const lines = file.text.split("\n");
    const offset = ({ line, column }) => lines.slice(0, line - 1).join("\n").length + (line > 1 ? 1 : 0) + index(lines[line - 1] ?? "", column);
    file.text = file.text.slice(0, offset(start)) + text + file.text.slice(offset(end));
  }
  const { file: path, start } = edits[0];
  const file = state.files.find((file) => file.path === path);
  if (file) {
    openFile(file);
    editor.go(start.line, start.column, true);
  }
  judge();
}

async function breaks(asked) {
  if (asked.at === timeline.from) return timeline.mark(state.report?.connections ?? []);
  const answer = await ask("marks", { question: { ...asked, at: timeline.from } });
  if (answer?.report) timeline.mark(answer.report.connections);
}

async function showCertificates() {
  const answer = await ask("certificates", { question: question() });
  if (answer !== undefined) certificates.list(answer, timeline.at, (file, line) => openPlace({ file, start: { line, column: 1 } }));
}

// --- showing -------------------------------------------------------------------------------------

function show() {
  const { report } = state;
  $("verdict").textContent = state.files.length === 0 ? "" : findings.verdict(report);
  findings.filter(report.findings, showFindings);
  showFindings();
  showFiles();
  if (state.chosen !== null && !report.connections[state.chosen]) state.chosen = null;
  showConnection();
}

function showFindings() {
  findings.filter(state.report.findings, showFindings);
  findings.list(state.report, { openRule, openPlace, apply });
  if (!state.current) return;
  const here = ({ file }) => file === state.current.path;
  editor.mark(state.report.findings
    .filter(({ severity }) => findings.shown.has(severity))
    .flatMap((finding) => finding.labels.filter(here).map((label) => ({ label, severity: finding.severity }))));
}

function showFiles() {
  const found = state.report?.findings ?? [];
  redraw($("file-list"), ...state.files.map((file) => {
    const mine = found.filter((finding) => finding.labels[0]?.file === file.path);
    const worst = ["error", "warning", "advice"].find((severity) => mine.some((finding) => finding.severity === severity));
    const odd = state.report?.incomplete.some((entry) => entry.file === file.path);
    return el("li", {}, el("button", {
      type: "button", class: "file", "data-key": file.path, "aria-current": file === state.current ? "true" : null, click: () => openFile(file),
    },
    el("span", { class: "path" }, file.path),
    el("span", { class: "kind" }, file.kind ?? "…"),
    worst && el("span", { class: `number ${worst}`, title: `${mine.length} findings begin here` }, String(mine.length)),
    odd && el("span", { class: "number incomplete", title: "not understood" }, "?")));
  }));
}

function showConnection() {
  const chosen = state.report?.connections[state.chosen];
  $("connection").hidden = !chosen;
  diagram.press(state.chosen);
  if (!chosen) return;
  redraw($("connection"), ...connection.describe(chosen, {
    openRule, openFile: (path) => openPlace({ file: path, start: { line: 1, column: 1 } }), goTo: (time) => timeline.go(Date.parse(time)), close: () => choose(null),
  }));
}

function choose(index) {
  const before = state.chosen;
  const within = $("connection").contains(document.activeElement);
  state.chosen = index === before ? null : index;
  showConnection();
  if (state.chosen !== null) $("connection").focus({ preventScroll: true });
  else if (within) diagram.focus(before);
}

$("connection").addEventListener("keydown", (event) => {
  if (event.key === "Escape") choose(null);
});

function openFile(file) {
  state.current = file;
  editor.open(file.path, file.text ?? "These bytes are not text; they are judged as they are.", file.base64 !== undefined);
  $("file-name").value = file.path;
  if (state.report) show();
}

function openPlace({ file: path, start }) {
  const file = state.files.find((file) => file.path === path);
  if (!file) return;
  tabs.open("deployment");
  if (file !== state.current) openFile(file);
  editor.go(start.line, start.column, true);
}

/** Says something above everything; "" takes it away. */
function notice(text, wrong = false) {
  $("notice").textContent = text;
  $("notice").hidden = text === "";
  $("notice").classList.toggle("wrong", wrong);
}

// --- files come and go ---------------------------------------------------------------------------

/** Replaces everything; what there is to say of it comes into sight. */
async function replace(list) {
  state.files = list;
  state.chosen = null;
  state.report = null;
  state.current = null;
  workbench();
  if (list.length > 0) openFile(list[0]);
  await judge();
  const worst = findings.worstFirst(state.report?.findings ?? [])[0]?.labels[0];
  const file = state.files.find(({ path }) => path === worst?.file);
  if (!file || state.files !== list) return;
  openFile(file);
  editor.go(worst.start.line, worst.start.column, false);
}

async function add({ files: list, left }) {
  const taken = [];
  for (const { path, named, ...content } of list) {
    if (!named && !(await worthReading(path))) continue;
    const known = state.files.find((file) => file.path === path);
    if (known) {
      delete known.base64;
      delete known.text;
      Object.assign(known, content);
      taken.push(known);
    } else {
      taken.push({ path, ...content });
      state.files.push(taken.at(-1));
    }
  }
  const none = taken.length === 0 ? ["No file there can be configuration or a certificate."] : [];
  notice([...none, ...left.map((what) => `Not read: ${what}.`)].join(" "));
  if (taken.length === 0) return;
  workbench();
  tabs.open("deployment");
  openFile(taken[0]);
  await judge();
}

const worthReading = async (path) => (await ask(`worth ${path}`, { worth: path })) !== false;

function workbench() {
  $("welcome").hidden = state.files.length > 0;
  $("workbench").hidden = state.files.length === 0;
  document.body.classList.toggle("working", state.files.length > 0);
}

const actions = {
  "open-files": () => $("pick-files").click(),
  "open-folder": () => $("pick-folder").click(),
  "new-file": () => {
    const file = { path: files.free("new.yaml", state.files), text: "", fresh: true };
    state.files.push(file);
    workbench();
    openFile(file);
    editor.text.focus();
    judge();
  },
};
for (const button of document.querySelectorAll("[data-do]")) button.addEventListener("click", actions[button.dataset.do]);
for (const field of [$("pick-files"), $("pick-folder")]) {
  field.addEventListener("change", async () => {
    await add(await files.chosen(field.files));
    field.value = "";
  });
}

$("remove-file").addEventListener("click", () => {
  const at = state.files.indexOf(state.current);
  state.files.splice(at, 1);
  workbench();
  state.current = null;
  if (state.files.length > 0) openFile(state.files[Math.min(at, state.files.length - 1)]);
  judge();
});

$("file-name").addEventListener("change", () => {
  const name = $("file-name").value.trim();
  const taken = state.files.some((file) => file !== state.current && file.path === name);
  if (name === "" || taken) {
    notice(taken ? `There is another file ${name}.` : "A file needs a name.");
    $("file-name").value = state.current.path;
    return;
  }
  state.current.path = name;
  state.current.fresh = false;
  editor.path = name;
  judge();
});

$("assume").addEventListener("input", () => {
  state.assume = $("assume").value;
  judge();
});

// pasted into a new, empty file: its name follows from its looks
editor.text.addEventListener("paste", (event) => {
  const text = event.clipboardData?.getData("text/plain") ?? "";
  if (!state.current?.fresh || state.current.text !== "" || text === "") return;
  state.current.fresh = false;
  state.current.path = files.free(files.nameFor(text), state.files.filter((file) => file !== state.current));
  $("file-name").value = state.current.path;
});

// pasted anywhere else: a file of its own
document.addEventListener("paste", (event) => {
  if (event.target instanceof HTMLTextAreaElement || event.target instanceof HTMLInputElement) return;
  if (event.clipboardData.files.length > 0) {
    event.preventDefault();
    files.chosen(event.clipboardData.files).then(add);
    return;
  }
  const text = event.clipboardData.getData("text/plain");
  if (text.trim() !== "") add({ files: [{ path: files.free(files.nameFor(text), state.files), named: true, text }], left: [] });
});

let depth = 0;
const hasFiles = (event) => event.dataTransfer?.types.includes("Files");
document.addEventListener("dragenter", (event) => {
  if (!hasFiles(event)) return;
  depth += 1;
  $("drop-here").hidden = false;
});
document.addEventListener("dragleave", () => {
  depth = Math.max(0, depth - 1);
  if (depth === 0) $("drop-here").hidden = true;
});
document.addEventListener("dragover", (event) => {
  if (hasFiles(event)) event.preventDefault();
});
document.addEventListener("drop", async (event) => {
  if (!hasFiles(event)) return;
  event.preventDefault();
  depth = 0;
  $("drop-here").hidden = true;
  await add(await files.dropped(event.dataTransfer));
});

// --- links ---------------------------------------------------------------------------------------

$("share").addEventListener("click", async () => {
  const asked = { ...question(), command: command.line() ? [command.line()] : [] };
  const { policy: rules, certificate, request } = policy.values();
  const answer = await ask("share", { question: asked, policy: rules, certificate });
  const problem = answer?.error ?? answer?.shared.error ?? answer?.fields.error;
  if (!answer || problem) return notice(`No link could be made: ${problem}`, true);
  const { shared, fields } = answer;
  const masked = shared.masked || fields.masked;
  const field = (name) => fields.files.find(({ path }) => path === name)?.text ?? "";
  const hash = await permalink.encode({
    files: shared.files, at: timeline.moment === null ? null : timeline.at, assume: state.assume, tab: tabs.current(),
    command: shared.command ?? "", policy: field("policy"), certificate: field("certificate"), request, masked,
  });
  history.replaceState(null, "", hash);
  const copied = await navigator.clipboard?.writeText(location.href).then(() => true, () => false);
  const binary = state.files.filter((file) => file.base64 !== undefined).length;
  notice([
    copied ? "The link is copied." : "The link is in the address bar.",
    "It holds the files themselves; browsers do not send this part of an address to any server.",
    masked ? "Private keys, values of Secrets and passwords were replaced by asterisks." : "There were no private keys to remove.",
    binary > 0 ? "Files that are no text were left out." : "",
  ].filter(Boolean).join(" "));
});

async function fromLink() {
  let linked;
  try {
    linked = await permalink.decode(location.hash);
  } catch (error) {
    notice(`The link cannot be read: ${error.message}.`, true);
    return false;
  }
  if (!linked) return false;
  notice(linked.masked ? "This link was made without private keys, values of Secrets and passwords: asterisks stand in their place, and what is said of keys and passwords is about the asterisks." : "");
  $("assume").value = state.assume = linked.assume;
  timeline.reset(Date.now());
  if (linked.at) timeline.moment = Date.parse(linked.at);
  if (timeline.moment !== null && timeline.moment < timeline.start) timeline.start = timeline.moment;
  command.fill(linked.command);
  policy.fill(linked);
  await replace(linked.files);
  tabs.open(linked.tab);
  return true;
}

$("start-over").addEventListener("click", () => {
  history.replaceState(null, "", location.pathname);
  notice("");
  timeline.reset(Date.now());
  replace([]);
  tabs.open("deployment");
});

$("theme").addEventListener("click", () => {
  const dark = document.documentElement.dataset.theme
    ? document.documentElement.dataset.theme === "dark"
    : matchMedia("(prefers-color-scheme: dark)").matches;
  document.documentElement.dataset.theme = dark ? "light" : "dark";
});

window.addEventListener("hashchange", fromLink);

// --- beginning -----------------------------------------------------------------------------------

tabs.start((name) => {
  if (name === "certificates") showCertificates();
  if (name === "policy") policy.judge();
});
command.start({ question, openRule, openPlace });
policy.start(() => timeline.at);

async function examples() {
  const { deployments, certificate } = await (await fetch("examples.json")).json();
  policy.fill({ certificate });
  // a first question compiles what the next ones need
  ask("warm", { question: { files: deployments[0].files, at: timeline.at } });
  $("examples").replaceChildren(...deployments.map(({ title, about, group, at, files: content }) => el("li", {},
    el("button", {
      type: "button", class: `card ${group}`,
      click: () => {
        notice("");
        timeline.reset(at ? Date.parse(at) : Date.now());
        performance.mark("example");
        replace(content.map((file) => ({ ...file }))).then(() => performance.measure("example judged", "example"));
      },
    }, el("strong", {}, title), el("span", {}, about)))));
}

performance.mark("start");
Promise.all([examples(), ready]).then(
  async () => {
    performance.measure("ready", "start");
    if (!(await fromLink())) workbench();
    document.body.dataset.ready = "true";
  },
  (error) => notice(`${error.message} Nothing can be judged without it.`, true),
);
