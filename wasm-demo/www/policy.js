// The filter's decision: policy, certificate, request.

import { ask } from "./ask.js";
import { $, el } from "./dom.js";

const FIELDS = ["policy", "policy-certificate", "policy-request"];

const EXAMPLE = `certificate: {from: envoy}
identities:
  shop: {spiffe: spiffe://example.test/ns/shop/sa/web}
  operators: {email: "*@example.test"}
rules:
  - {name: orders, path: /orders/**, method: [GET, POST], allow: shop}
  - {name: everything, allow: operators}
exempt:
  - {path: /healthz}
`;

let moment;

export const values = () => ({
  policy: $("policy").value, certificate: $("policy-certificate").value, request: $("policy-request").value,
});

export function fill({ policy, certificate, request }) {
  if (policy) $("policy").value = policy;
  $("policy-certificate").value = certificate ?? "";
  if (request) $("policy-request").value = request;
}

export function start(at) {
  moment = at;
  fill({ policy: EXAMPLE, request: "GET https://shop.test/orders/7" });
  for (const field of FIELDS) $(field).addEventListener("input", judge);
  $("policy-form").addEventListener("submit", (event) => event.preventDefault());
}

export async function judge() {
  const answer = await ask("decide", { request: { ...values(), at: moment() } });
  if (answer === undefined) return;
  if (answer.error) return $("policy-answer").replaceChildren(el("p", { class: "wrong" }, answer.error));
  const facts = ["reason", "identity", "rule"].filter((name) => answer[name] !== null);
  $("policy-answer").replaceChildren(
    el("p", { class: `decision ${answer.decision}` }, answer.decision),
    el("p", {}, answer.message),
    el("dl", {}, ...facts.flatMap((name) => [el("dt", {}, name), el("dd", {}, answer[name])])));
}
