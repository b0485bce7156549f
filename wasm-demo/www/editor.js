// A text field with line numbers, colours, and the labels of findings drawn on their lines.
// Only the lines in sight are drawn, so that long files stay quick.

import { el } from "./dom.js";
import { tokens } from "./colours.js";

const LINE = 20;
const LONGEST = 2000;

export class Editor {
  /** `changed` is called with the text after every edit. */
  constructor(root, changed) {
    this.numbers = el("div", { class: "numbers" });
    this.layer = el("div", { class: "layer" });
    this.text = el("textarea", {
      wrap: "off", spellcheck: "false", autocomplete: "off", autocapitalize: "off", "aria-label": "Text of the file",
    });
    root.append(
      el("div", { class: "gutter", "aria-hidden": "true" }, this.numbers),
      el("div", { class: "code" }, el("div", { class: "under", "aria-hidden": "true" }, this.layer), this.text),
    );
    this.lines = [""];
    this.labels = new Map();
    this.chosen = null;
    this.text.addEventListener("input", () => {
      this.lines = this.text.value.split("\n");
      this.draw();
      changed(this.text.value);
    });
    this.text.addEventListener("scroll", () => this.draw(), { passive: true });
    for (const name of ["keyup", "click", "focus"]) this.text.addEventListener(name, () => this.draw());
    new ResizeObserver(() => this.draw()).observe(root);
  }

  /** Shows another file. */
  open(path, text, readonly) {
    this.path = path;
    this.text.value = text;
    this.text.readOnly = readonly;
    this.text.setAttribute("aria-label", `Text of ${path}`);
    this.lines = this.text.value.split("\n");
    this.labels = new Map();
    this.chosen = null;
    this.text.scrollTo(0, 0);
    this.text.setSelectionRange(0, 0);
    this.draw();
  }

  /** Takes the labels that stand in this file: `{label, severity}`. */
  mark(marks) {
    this.labels = new Map();
    for (const { label, severity } of marks) {
      const { start, end } = label;
      // of a block, the first line says which one is meant
      const mark = { from: start.column, to: end.line > start.line ? Infinity : end.column, severity, primary: label.primary, message: label.message };
      if (!this.labels.has(start.line)) this.labels.set(start.line, []);
      this.labels.get(start.line).push(mark);
    }
    this.draw();
  }

  /** Brings a line into sight and puts the caret there. */
  go(line, column, focus) {
    this.chosen = line;
    let offset = 0;
    for (let at = 0; at < Math.min(line - 1, this.lines.length); at += 1) offset += this.lines[at].length + 1;
    offset += index(this.lines[line - 1] ?? "", column);
    if (focus) this.text.focus({ preventScroll: true });
    this.text.setSelectionRange(offset, offset);
    this.text.scrollTo({ top: Math.max(0, (line - 1) * LINE - this.text.clientHeight / 3), left: 0 });
    this.draw();
  }

  draw() {
    cancelAnimationFrame(this.frame);
    this.frame = requestAnimationFrame(() => this.paint());
  }

  paint() {
    const { scrollTop, scrollLeft, clientHeight, clientWidth } = this.text;
    const first = Math.max(0, Math.floor(scrollTop / LINE));
    const last = Math.min(this.lines.length, first + Math.ceil(clientHeight / LINE) + 1);
    const numbers = [];
    const lines = [];
    this.columns ??= measure(this.layer);
    for (let at = first; at < last; at += 1) {
      const marks = this.labels.get(at + 1) ?? [];
      const worst = marks.find((mark) => mark.primary)?.severity ?? (marks.length > 0 ? "related" : null);
      const chosen = this.chosen === at + 1 ? " chosen" : "";
      numbers.push(el("div", { class: (worst ? `number ${worst}` : "number") + chosen }, String(at + 1)));
      const room = Math.floor((clientWidth - 24) / this.columns);
      lines.push(el("div", { class: `line${chosen}` }, ...pieces(this.lines[at], marks), note(this.lines[at], marks, room)));
    }
    this.numbers.replaceChildren(...numbers);
    this.layer.replaceChildren(...lines);
    const down = first * LINE - scrollTop;
    this.numbers.style.transform = `translateY(${down}px)`;
    this.layer.style.transform = `translate(${-scrollLeft}px, ${down}px)`;
    this.layer.style.setProperty("--across", `${scrollLeft}px`);
    this.layer.style.setProperty("--room", `${clientWidth}px`);
  }
}

/** The width of a character. */
function measure(layer) {
  const probe = el("span", {}, "0".repeat(100));
  layer.append(probe);
  const width = probe.getBoundingClientRect().width / 100;
  probe.remove();
  return width || 8;
}

/** A column in characters (from 1) as an index into the string. */
export function index(line, column) {
  if (column === Infinity) return line.length;
  if (!/[\ud800-\udbff]/.test(line)) return Math.min(column - 1, line.length);
  return [...line].slice(0, column - 1).join("").length;
}

function pieces(line, marks) {
  const text = line.length > LONGEST ? line.slice(0, LONGEST) : line;
  const ranges = marks.map((mark) => {
    const from = Math.min(index(line, mark.from), text.length);
    // an empty place is shown as one character
    return { from, to: Math.max(Math.min(index(line, mark.to), text.length), from + 1), class: mark.primary ? mark.severity : "related" };
  });
  const coloured = tokens(text);
  const cuts = new Set([0, text.length]);
  for (const { from, to } of [...ranges, ...coloured]) {
    cuts.add(Math.min(from, text.length));
    cuts.add(Math.min(to, text.length));
  }
  const order = [...cuts].sort((a, b) => a - b);
  const out = [];
  for (let at = 0; at + 1 < order.length; at += 1) {
    const [from, to] = [order[at], order[at + 1]];
    const within = (range) => range.from <= from && to <= range.to;
    const mark = ranges.find((range) => within(range) && range.class !== "related") ?? ranges.find(within);
    const classes = [coloured.find(within)?.class, mark && `mark ${mark.class}`].filter(Boolean).join(" ");
    const piece = text.slice(from, to);
    out.push(classes ? el("span", { class: classes }, piece) : piece);
  }
  if (out.length === 0) out.push("\u200b");
  return out;
}

/** What the labels say, after the line; pinned to the right where the line leaves no room. */
function note(line, marks, room) {
  const said = marks.filter((mark) => mark.message);
  if (said.length === 0) return null;
  const shown = said.find((mark) => mark.primary) ?? said[0];
  const text = [...new Set(said.map((mark) => mark.message))].join(" · ");
  const pinned = line.length + text.length + 6 > room;
  return el("span", { class: `note ${shown.primary ? shown.severity : "related"}${pinned ? " pinned" : ""}` }, text);
}
