// Files from outside: dropped, chosen, pasted. Folders are walked; what no configuration can be is left out.

const LARGEST = 8 << 20;
const MOST = 2000;

/** Files of a drop, folders included: `{files, left}`; `left` says what was not taken. */
export async function dropped(transfer) {
  // entries must be asked for before the first pause: the transfer is emptied afterwards
  const entries = [...transfer.items].map((item) => item.webkitGetAsEntry?.()).filter(Boolean);
  if (entries.length === 0) return read([...transfer.files].map((file) => [file.name, file, true]));
  const found = [];
  for (const entry of entries) await walk(entry, "", found);
  // one folder alone: its own name would only be noise
  const only = entries.length === 1 && entries[0].isDirectory ? `${entries[0].name}/` : "";
  return read(found.map(([path, file, named]) => [path.slice(only.length), file, named]));
}

/** Files of a field for files or folders. */
export function chosen(list) {
  return read([...list].map((file) => {
    const path = file.webkitRelativePath;
    return path ? [path.slice(path.indexOf("/") + 1), file, false] : [file.name, file, true];
  }));
}

async function walk(entry, prefix, found) {
  if (found.length > MOST) return;
  const path = prefix + entry.name;
  if (entry.isFile) {
    found.push([path, await new Promise((resolve, reject) => entry.file(resolve, reject)), prefix === ""]);
  } else if (entry.isDirectory && entry.name !== ".git" && entry.name !== "node_modules") {
    const reader = entry.createReader();
    // a reader gives a hundred entries at a time
    for (let more = await next(reader); more.length > 0; more = await next(reader)) {
      for (const child of more) await walk(child, `${path}/`, found);
    }
  }
}

const next = (reader) => new Promise((resolve, reject) => reader.readEntries(resolve, reject));

async function read(list) {
  const files = [];
  const left = [];
  list.sort(([a], [b]) => (a < b ? -1 : 1));
  for (const [path, file, named] of list) {
    if (files.length >= MOST) {
      left.push(`more than ${MOST} files`);
      break;
    }
    if (file.size > LARGEST) left.push(`${path} has ${file.size} bytes, more than the ${LARGEST} that are read`);
    else files.push(take(path, new Uint8Array(await file.arrayBuffer()), named));
  }
  return { files, left };
}

/** A file as it is kept: text where it is text, else its bytes in base64. */
function take(path, bytes, named) {
  try {
    return { path, named, text: new TextDecoder("utf-8", { fatal: true, ignoreBOM: true }).decode(bytes) };
  } catch {
    let binary = "";
    for (let at = 0; at < bytes.length; at += 8192) binary += String.fromCharCode(...bytes.subarray(at, at + 8192));
    return { path, named, base64: btoa(binary) };
  }
}

/** A name that no file has yet. */
export function free(name, files) {
  const taken = new Set(files.map((file) => file.path));
  if (!taken.has(name)) return name;
  const [, stem, ending] = /^(.*?)(\.[^./]*)?$/.exec(name);
  for (let number = 2; ; number += 1) {
    const other = `${stem}-${number}${ending ?? ""}`;
    if (!taken.has(other)) return other;
  }
}

/** A name for pasted text, by its looks. */
export function nameFor(text) {
  if (/^\s*-----BEGIN /.test(text)) return "pasted.pem";
  if (/^\s*(http|server|stream|events|upstream|user|worker_processes)\b[^:]*[;{]/m.test(text) && !/^(apiVersion|kind):/m.test(text)) return "nginx.conf";
  if (/^\s*[{[]/.test(text)) return "pasted.json";
  return "pasted.yaml";
}
