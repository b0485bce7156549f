// The linter, off the main thread. Of several questions of a kind only the newest is answered.
// The page fetches this as one script, with mtls-lint.js and the module's glue before it.

import * as linter from "./mtls-lint.js";

const waiting = new Map();
let ready = false;
let scheduled = false;

const answers = {
  lint: ({ question }) => {
    const report = linter.judge(question);
    return report.error === undefined ? { report } : { error: report.error };
  },
  draw: ({ question }) => ({ svg: linter.draw(question), kinds: linter.recognise(question) }),
  warm: ({ question }) => linter.judge(question).version,
  marks: ({ question }) => ({ report: linter.judge(question) }),
  fixes: ({ question }) => ({ report: linter.lint(question) }),
  command: ({ question }) => ({ report: linter.judge(question) }),
  certificates: ({ question }) => linter.certificates(question),
  decide: ({ request }) => linter.decide(request),
  worth: ({ worth }) => linter.mayBeConfiguration(worth),
  explain: ({ rule }) => ({ page: linter.explain(rule) }),
  causes: ({ line }) => ({ causes: linter.causes(line) }),
  // what stands in the policy's fields is masked as files are
  share: ({ question, policy, certificate }) => ({
    shared: linter.share(question),
    fields: linter.share({ files: [{ path: "policy", text: policy }, { path: "certificate", text: certificate }], at: question.at }),
  }),
};

self.onmessage = ({ data }) => {
  if (data.module) return load(data);
  const stale = waiting.get(data.kind);
  if (stale) self.postMessage({ id: stale.id, stale: true });
  waiting.set(data.kind, data);
  schedule();
};

// a task of its own for each answer: newer questions are taken in between
function schedule() {
  if (!ready || scheduled || waiting.size === 0) return;
  scheduled = true;
  setTimeout(() => {
    scheduled = false;
    const [kind, question] = waiting.entries().next().value;
    waiting.delete(kind);
    self.postMessage({ id: question.id, answer: answer(kind, question) });
    schedule();
  });
}

function answer(kind, question) {
  try {
    return answers[kind.split(" ")[0]](question);
  } catch (error) {
    ready = false;
    return { error: `The linter stopped: ${error.message}.`, stopped: true };
  }
}

function load({ module, constants }) {
  linter.load(module, constants).then(
    () => {
      ready = true;
      self.postMessage({ ready: true });
      schedule();
    },
    (error) => self.postMessage({ failed: `The linter could not be loaded: ${error.message}` }),
  );
}
