// The Markdown of the rules' pages, as elements: headings, paragraphs, lists, code, links. Everything else is text.

import { el } from "./dom.js";

export function markdown(text) {
  const out = [];
  let lines = text.replaceAll("\r", "").split("\n");
  while (lines.length > 0) {
    const line = lines[0];
    if (line.trim() === "") {
      lines.shift();
    } else if (line.startsWith("```")) {
      const end = lines.findIndex((other, index) => index > 0 && other.startsWith("```"));
      const until = end < 0 ? lines.length : end;
      out.push(el("pre", { tabindex: 0 }, el("code", {}, lines.slice(1, until).join("\n"))));
      lines = lines.slice(until + 1);
    } else if (/^#{1,4} /.test(line)) {
      out.push(el("h3", {}, ...inline(line.replace(/^#+ /, ""))));
      lines.shift();
    } else if (isItem(line)) {
      out.push(list(lines));
    } else if (line.startsWith("|")) {
      const rows = take(lines, (other) => other.startsWith("|"));
      out.push(table(rows));
    } else {
      const paragraph = take(lines, (other, index) => index === 0 || !(other.trim() === "" || isItem(other) || other.startsWith("```") || other.startsWith("#")));
      out.push(el("p", {}, ...inline(paragraph.join(" "))));
    }
  }
  return out;
}

const isItem = (line) => /^\s{0,3}([-*]|\d+\.) /.test(line);

/** Takes lines off the front, as long as they belong. */
function take(lines, belongs) {
  let length = 0;
  while (length < lines.length && belongs(lines[length], length)) length += 1;
  return lines.splice(0, length);
}

function list(lines) {
  const ordered = /^\s*\d/.test(lines[0]);
  const items = [];
  while (lines.length > 0 && isItem(lines[0])) {
    const first = lines.shift().replace(/^\s*([-*]|\d+\.) /, "");
    const rest = take(lines, (other) => other.trim() !== "" && !isItem(other) && /^\s/.test(other));
    items.push(el("li", {}, ...inline([first, ...rest.map((line) => line.trim())].join(" "))));
  }
  return el(ordered ? "ol" : "ul", {}, ...items);
}

function table(rows) {
  const cells = (row) => row.replace(/^\||\|\s*$/g, "").split("|").map((cell) => cell.trim());
  const [head, , ...body] = rows;
  return el("table", {},
    el("thead", {}, el("tr", {}, ...cells(head).map((cell) => el("th", {}, ...inline(cell))))),
    el("tbody", {}, ...body.map((row) => el("tr", {}, ...cells(row).map((cell) => el("td", {}, ...inline(cell)))))));
}

const PIECE = /`([^`]+)`|\*\*([^*]+)\*\*|\[([^\]]+)\]\((https:\/\/[^)\s]+)\)|<(https:\/\/[^>\s]+)>/;

function inline(text) {
  const out = [];
  let rest = text;
  for (let found = PIECE.exec(rest); found; found = PIECE.exec(rest)) {
    if (found.index > 0) out.push(rest.slice(0, found.index));
    const [whole, code, strong, words, url, bare] = found;
    if (code !== undefined) out.push(el("code", {}, code));
    else if (strong !== undefined) out.push(el("strong", {}, strong));
    else out.push(el("a", { href: url ?? bare, target: "_blank", rel: "noopener noreferrer" }, words ?? bare));
    rest = rest.slice(found.index + whole.length);
  }
  if (rest !== "") out.push(rest);
  return out;
}
