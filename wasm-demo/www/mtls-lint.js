// The linter for JavaScript: objects in, objects out. The types are in mtls-lint.d.ts.

import start, * as module from "./mtls_demo.js";

/** Loads the WebAssembly module: from beside this file, or from what is given. Call it once, before anything else. */
export async function load(source = new URL("mtls_demo_bg.wasm", import.meta.url)) {
  await start({ module_or_path: source });
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
