// The moment to judge at: a slider from now on, with a mark at every moment at which a connection breaks.

import { $, count, el, redraw } from "./dom.js";
import { party } from "./diagram.js";
import { words } from "./connection.js";

const DAY = 86_400_000;
const STEPS = 1000;

export class Timeline {
  /** `changed` is called with an RFC 3339 time, or null for now. */
  constructor(changed) {
    this.changed = changed;
    this.reset(Date.now());
    $("slider").addEventListener("input", () => {
      const value = Number($("slider").value);
      this.go(value === 0 ? null : new Date(this.start + (this.end - this.start) * (value / STEPS)));
    });
    $("moment").addEventListener("change", () => {
      const moment = new Date(`${$("moment").value}Z`);
      if (!Number.isNaN(moment.getTime())) this.go(moment);
    });
    $("now").addEventListener("click", () => this.go(null));
  }

  /** Begins anew at a moment. */
  reset(start) {
    this.start = Math.floor(start / 1000) * 1000;
    this.end = this.start + 400 * DAY;
    this.moment = null;
    this.breaks = [];
    this.show();
  }

  /** RFC 3339, to the second. */
  get at() {
    return rfc3339(this.moment ?? this.start);
  }

  /** The moment from which breaks are looked for. */
  get from() {
    return rfc3339(this.start);
  }

  go(moment) {
    this.moment = moment === null ? null : new Date(moment).getTime();
    if (this.moment !== null && this.moment < this.start) this.start = this.moment;
    if (this.moment !== null && this.moment > this.end) this.end = this.moment;
    this.show();
    this.changed();
  }

  /** Takes the connections as they are at the start. */
  mark(connections) {
    this.breaks = connections.filter(({ breaks_at: breaks }) => breaks).map((connection) => ({
      time: Date.parse(connection.breaks_at.time), connection,
    })).sort((a, b) => a.time - b.time);
    const last = this.breaks.at(-1)?.time ?? 0;
    this.end = Math.max(this.start + 400 * DAY, last + (last - this.start) * 0.06, this.moment ?? 0);
    this.show();
  }

  show() {
    const part = ((this.moment ?? this.start) - this.start) / (this.end - this.start);
    $("slider").value = String(Math.round(part * STEPS));
    const text = words(this.at);
    const broken = this.breaks.filter(({ time }) => time <= (this.moment ?? this.start)).length;
    const next = this.breaks.find(({ time }) => time > (this.moment ?? this.start));
    const spoken = this.moment === null ? `now, ${text}` : text;
    $("slider").setAttribute("aria-valuetext", broken > 0 ? `${spoken}, ${broken} broken by dates` : spoken);
    $("moment").value = this.at.slice(0, 19);
    $("slider-words").textContent = next ? `next break ${words(rfc3339(next.time)).slice(0, 10)}` : this.breaks.length > 0 ? "all broken that dates break" : "no break by dates";
    $("now").disabled = this.moment === null;
    redraw($("marks"), ...[...Map.groupBy(this.breaks, ({ time }) => time)].map(([time, broken]) => this.button(time, broken)));
  }

  /** The mark of a moment; one certificate may end several connections. */
  button(time, broken) {
    const when = words(rfc3339(time));
    const one = ({ connection }) => `${party(connection.client)} to ${connection.url}: ${connection.breaks_at.why}`;
    const title = `${when}: ${count(broken.length, "connection breaks", "connections break")}`;
    const mark = el("button", {
      type: "button", class: "break", title: [title, ...broken.map(one)].join("\n"),
      "aria-label": `${title}. ${broken.map(one).join(". ")}`,
      click: () => this.go(time),
    }, broken.length > 1 && el("span", { class: "many", "aria-hidden": "true" }, String(broken.length)));
    mark.style.left = `${((time - this.start) / (this.end - this.start)) * 100}%`;
    return mark;
  }
}

const rfc3339 = (moment) => `${new Date(moment).toISOString().slice(0, 19)}Z`;
