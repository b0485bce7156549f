// The state in the address after '#', which browsers send to nobody: JSON, compressed, in base64url.

const PREFIX = "#v1.";

export async function encode(state) {
  const bytes = new TextEncoder().encode(JSON.stringify(state));
  const packed = await through(bytes, new CompressionStream("deflate-raw"));
  let binary = "";
  for (let at = 0; at < packed.length; at += 8192) binary += String.fromCharCode(...packed.subarray(at, at + 8192));
  return PREFIX + btoa(binary).replaceAll("+", "-").replaceAll("/", "_").replaceAll("=", "");
}

const MOST = 16 << 20;

/** The state of an address; null if it has none. */
export async function decode(hash) {
  if (!hash.startsWith(PREFIX)) return null;
  const binary = atob(hash.slice(PREFIX.length).replaceAll("-", "+").replaceAll("_", "/"));
  const packed = Uint8Array.from(binary, (letter) => letter.charCodeAt(0));
  const state = JSON.parse(new TextDecoder().decode(await through(packed, new DecompressionStream("deflate-raw"))));
  return check(state);
}

async function through(bytes, stream) {
  const reader = new Blob([bytes]).stream().pipeThrough(stream).getReader();
  const parts = [];
  let length = 0;
  for (let part = await reader.read(); !part.done; part = await reader.read()) {
    length += part.value.length;
    if (length > MOST) throw new Error("it holds more than 16 MB");
    parts.push(part.value);
  }
  return new Uint8Array(await new Blob(parts).arrayBuffer());
}

/** Anybody can write a link: only what is expected is taken from it. */
function check(state) {
  const text = (value) => (typeof value === "string" ? value : "");
  if (!Array.isArray(state?.files)) throw new Error("it has no files");
  return {
    files: state.files.filter((file) => typeof file?.path === "string" && typeof file?.text === "string")
      .map(({ path, text: content }) => ({ path, text: content })),
    at: /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ$/.test(state.at) ? state.at : null,
    assume: text(state.assume),
    tab: text(state.tab),
    command: text(state.command),
    policy: text(state.policy),
    certificate: text(state.certificate),
    request: text(state.request),
    masked: state.masked === true,
  };
}
