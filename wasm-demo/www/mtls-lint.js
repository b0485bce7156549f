// The linter for JavaScript: objects in, objects out. The types are in mtls-lint.d.ts.

import start, * as module from "./mtls_demo.js";

/**
 * Loads the WebAssembly module and its constants (the rules' pages, messages, tables), which are a file of their own:
 * from beside this file, or from what is given. Call it once, before anything else.
 */
export async function load(source = beside("mtls_demo_bg.wasm"), constants = beside("mtls_demo_bg.data")) {
  const [exports, bytes] = await Promise.all([start({ module_or_path: source }), read(constants)]);
  const at = exports.constants_at.value;
  if (hash(bytes) !== exports.constants_hash.value) throw new Error("mtls_demo_bg.data is not of the same build as mtls_demo_bg.wasm");
  new Uint8Array(exports.memory.buffer).set(bytes, at);
}

const beside = (name) => new URL(name, import.meta.url);

async function read(source) {
  if (!(source instanceof URL) && typeof source !== "string") return source;
  const response = await fetch(source);
  if (!response.ok) throw new Error(`${source}: ${response.status} ${response.statusText}`);
  return new Uint8Array(await response.arrayBuffer());
}

/** FNV-1a. */
function hash(bytes) {
  let hash = 0x811c9dc5;
  for (const byte of bytes) hash = Math.imul(hash ^ byte, 0x01000193);
  return hash | 0;
}

/** Findings, connections and what could not be read, as `mtls-lint check --format json` prints them. */
export const lint = (question) => JSON.parse(module.lint(JSON.stringify(question)));

/** The same, without looking for edits that remedy the findings: quicker. */
export const judge = (question) => JSON.parse(module.judge(JSON.stringify(question)));

/** The deployment as SVG; connections bear their index as `data-connection`. */
export const draw = (question) => module.draw(JSON.stringify(question));

/** What each file was taken as. */
export const recognise = (question) => JSON.parse(module.recognise(JSON.stringify(question)));

/** The certificates of the deployment, and who uses them. */
export const certificates = (question) => JSON.parse(module.certificates(JSON.stringify(question)));

/** What certificate files hold, as `mtls-lint inspect --format json` prints it. */
export const inspect = (question) => JSON.parse(module.inspect(JSON.stringify(question)));

/** What the filter would answer, as `mtls-lint decide --format json` prints it. */
export const decide = (request) => JSON.parse(module.decide(JSON.stringify(request)));

/** The page of a rule as Markdown; empty for an unknown id. */
export const explain = (rule) => module.explain(rule);

/** The rules whose mistakes print a line of a log, likeliest first. */
export const causes = (line) => JSON.parse(module.causes(line));

/** The texts as they may be shown to others: private keys, Secrets' values and passwords masked. */
export const share = (question) => JSON.parse(module.share(JSON.stringify(question)));

/** Whether a file found in a folder is worth reading, by its name. */
export const mayBeConfiguration = (path) => module.may_be_configuration(path);
