// Questions to the linter, off the main thread. A question that a newer one of its kind replaced is answered with
// undefined. Two workers share the work, so that no edit waits for what takes longer: one judges, the other one draws,
// looks for edits that help, reads certificates. A worker that is still busy with an older state of the files is ended;
// another one takes its place, out of what was fetched when the page was loaded.

/** How long a worker may go on with what nobody waits for any more, in milliseconds. */
const PATIENCE = 250;

/** What is asked at every edit: with the next edit the answers are of no use. */
const PASSING = new Set(["lint", "draw", "marks", "fixes", "certificates", "warm"]);
/** What somebody at a keyboard waits for. */
const QUICK = new Set(["lint", "decide", "explain", "causes", "worth", "warm"]);

let last = 0;

class Helper {
  constructor(parts) {
    this.parts = parts;
    this.open = new Map();
    this.begin();
  }

  begin() {
    this.up = false;
    this.worker = new Worker(this.parts.script, { type: "module" });
    this.worker.addEventListener("message", ({ data }) => this.take(data));
    this.ready = new Promise((resolve, reject) => {
      this.loaded = ({ failed }) => (failed ? reject(new Error(failed)) : resolve());
      this.worker.addEventListener("error", (event) => {
        reject(new Error(`The linter could not be started: ${event.message || "the worker did not load"}.`));
      });
    });
    const { module, constants } = this.parts;
    this.worker.postMessage({ module, constants });
  }

  take(data) {
    if (data.ready || data.failed) {
      this.up = true;
      this.since = performance.now();
      return this.loaded(data);
    }
    const { id, answer } = data;
    this.settle(id, answer);
    this.since = performance.now();
    // a module that failed once may be in any state: it is not asked again
    if (answer?.stopped) this.renew();
  }

  settle(id, answer) {
    this.open.get(id)?.resolve(answer);
    this.open.delete(id);
  }

  ask(id, kind, question) {
    if (this.open.size === 0) this.since = performance.now();
    return new Promise((resolve) => {
      this.open.set(id, { kind, question, resolve });
      this.worker.postMessage({ id, kind, ...question });
    });
  }

  /** The files have changed. */
  outdate() {
    const stale = [...this.open].filter(([, { kind }]) => PASSING.has(kind));
    // one that is still being loaded has nothing to be ended yet
    if (!this.up || stale.length === 0 || performance.now() - this.since < PATIENCE) return;
    for (const [id] of stale) this.settle(id, undefined);
    this.renew();
  }

  /** Ends the worker; what is still to be answered is asked of another one. */
  renew() {
    this.worker.terminate();
    this.begin();
    for (const [id, { kind, question }] of this.open) this.worker.postMessage({ id, kind, ...question });
  }
}

const fetched = async (name) => {
  const response = await fetch(name);
  if (!response.ok) throw new Error(`${name} could not be fetched: ${response.status} ${response.statusText}.`);
  return response;
};

/** Everything that a worker is made of, fetched once. A worker out of a blob is under the policy of this page. */
async function parts() {
  const [script, module, constants] = await Promise.all([
    fetched("worker.js").then((response) => response.text()),
    fetched("mtls_demo_bg.wasm").then(async (response) => (response.headers.get("Content-Type") === "application/wasm"
      ? WebAssembly.compileStreaming(response) : WebAssembly.compile(await response.arrayBuffer()))),
    fetched("mtls_demo_bg.data").then((response) => response.arrayBuffer()),
  ]);
  return {
    script: URL.createObjectURL(new Blob([script], { type: "text/javascript" })), module, constants: new Uint8Array(constants),
  };
}

const helpers = parts().then((found) => ({ quick: new Helper(found), thorough: new Helper(found) }));

export const ready = helpers.then(({ quick, thorough }) => Promise.all([quick.ready, thorough.ready]));

export async function ask(kind, question) {
  last += 1;
  const id = last;
  const { quick, thorough } = await helpers;
  if (kind === "lint") for (const helper of [quick, thorough]) helper.outdate();
  return (QUICK.has(kind.split(" ")[0]) ? quick : thorough).ask(id, kind, question);
}
