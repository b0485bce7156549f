// Questions to the worker. A question that a newer one of its kind replaced is answered with undefined.

const worker = new Worker("worker.js", { type: "module" });
const open = new Map();
let last = 0;

export const ready = new Promise((resolve, reject) => {
  worker.addEventListener("message", ({ data }) => {
    if (data.ready) resolve();
    else if (data.failed) reject(new Error(data.failed));
    else settle(data);
  });
  worker.addEventListener("error", (event) => {
    reject(new Error(`The linter could not be started: ${event.message || "the worker did not load"}`));
  });
});

function settle({ id, answer }) {
  open.get(id)?.(answer);
  open.delete(id);
}

export function ask(kind, question) {
  last += 1;
  const id = last;
  return new Promise((resolve) => {
    open.set(id, resolve);
    worker.postMessage({ id, kind, ...question });
  });
}
