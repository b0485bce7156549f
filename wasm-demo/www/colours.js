// Which parts of a line are what: enough for YAML, JSON, nginx and PEM to be read with ease.

const PATTERNS = [
  [/-----(BEGIN|END) [A-Z0-9 ]+-----/y, "armour"],
  [/(?:^|(?<=\s))#.*/y, "comment"],
  [/"(?:[^"\\]|\\.)*"(?=\s*:)|(?<=^\s*(?:- )*)[\w./$-]+(?=:(?:\s|$))/y, "key"],
  [/(?<=^\s*)[a-z_]+(?=(?:\s.*)?[;{}]\s*$)/y, "key"],
  [/"(?:[^"\\]|\\.)*"|'[^']*'/y, "string"],
  [/\b(?:true|false|null|on|off|\d+)\b/y, "value"],
];

/** `{from, to, class}`, in order, none within another. */
export function tokens(line) {
  const out = [];
  // a line this long is no prose: base64, minified JSON
  if (line.length > 400) return out;
  let at = 0;
  while (at < line.length) {
    let length = 0;
    for (const [pattern, name] of PATTERNS) {
      pattern.lastIndex = at;
      const found = pattern.exec(line);
      if (found && found[0].length > 0) {
        length = found[0].length;
        out.push({ from: at, to: at + length, class: name });
        break;
      }
    }
    if (length === 0) {
      // a word is taken whole, so that no number is found within it
      const word = /[\w]+|./y;
      word.lastIndex = at;
      length = word.exec(line)?.[0].length ?? 1;
    }
    at += length;
  }
  return out;
}
