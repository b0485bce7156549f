/** A file: its text, or its bytes in base64. */
export type File = { path: string; text: string } | { path: string; base64: string };

/** What is asked about a deployment. */
export interface Question {
  files: File[];
  /** The moment to judge at, RFC 3339. */
  at: string;
  /** `NAME=VALUE` items, as `--assume` takes them. */
  assume?: string[];
  /** As `--expires-within` takes it; default `30d`. */
  expires_within?: string;
  /** The words of a command line, or the line as one word: its connections instead of all. */
  command?: string[];
}

/** The question itself is wrong: a time, an assumption, a policy that cannot be read. */
export interface Failure {
  version: 1;
  error: string;
}

/** Offset in bytes, line and column from 1, columns in characters. */
export interface Place {
  offset: number;
  line: number;
  column: number;
}

export interface Label {
  file: string;
  primary: boolean;
  message: string;
  start: Place;
  end: Place;
}

export type Severity = "error" | "warning" | "advice";

export interface Finding {
  rule: string;
  severity: Severity;
  message: string;
  help: string | null;
  url: string;
  labels: Label[];
  /** The certain edit that remedies it, where there is one. */
  fix: { title: string; edits: { file: string; start: Place; end: Place; text: string }[] } | null;
}

export interface Party {
  kind: string;
  name: string | null;
  file: string | null;
}

export type Outcome = "completes" | "config-rejected" | "handshake-fails" | "request-rejected" | "undetermined";

export interface Connection {
  client: Party;
  server: Party;
  url: string;
  port: number;
  server_name: string | null;
  outcome: Outcome;
  rejected_by: "client" | "server" | null;
  /** Whether that side's identity is really verified by the other; null: undetermined. */
  authenticated: { server: boolean | null; client: boolean | null };
  why: { rule: string; message: string }[];
  client_sees: string | null;
  server_logs: string | null;
  /** The first later moment at which the outcome changes for the worse, by dates alone. */
  breaks_at: { time: string; why: string } | null;
  undetermined_because: string[];
  /** Why a side of `authenticated` is null though the outcome is determined. */
  unknown_because: { server: string | null; client: string | null };
}

export interface Incomplete {
  file: string;
  start?: Place;
  message: string;
}

export interface Report {
  version: 1;
  findings: Finding[];
  /** Findings that a comment, mtls-lint.yaml or a baseline allows. */
  suppressed: (Finding & { suppression: { by: string; reason: string } })[];
  connections: Connection[];
  incomplete: Incomplete[];
  /** What was left out of the check, and how it gets into it. */
  notes: Incomplete[];
}

export interface Recognised {
  path: string;
  kind: string;
}

/** A part of a certificate file; which fields there are depends on the kind. */
export interface Item {
  kind: "certificate" | "private-key" | "revocation-list" | "other";
  [field: string]: unknown;
}

export interface CertificateFile {
  file: string;
  items: Item[];
  remarks: { wrong: boolean; message: string; start: number; end: number }[];
}

export interface User {
  program: string;
  role: string;
  path: string;
}

export interface PlannedCertificate {
  kind: "planned";
  name: string;
  subject: string;
  names: string[];
  key: string;
  ca: boolean;
  key_usage: string[];
  extended_key_usage: string[];
  issuer: string;
  /** Seconds. */
  duration: number;
  /** Seconds. */
  renew_before: number;
  file: string;
  line: number;
  used_by: User[];
}

export interface Certificates {
  version: 1;
  files: (CertificateFile & { source: string; line: number; used_by: User[] })[];
  planned: PlannedCertificate[];
}

/** What is asked of the filter. Certificates are PEM. */
export interface Request {
  policy: string;
  at: string;
  certificate?: string;
  chain?: string;
  /** `GET https://host/path`. */
  request?: string;
  route?: string;
  /** `name: value`. */
  headers?: string[];
}

export interface Decision {
  version: 1;
  decision: "allow" | "deny";
  reason: string | null;
  identity: string | null;
  rule: string | null;
  message: string;
}

export interface Shared {
  files: { path: string; text: string }[];
  command: string | null;
  masked: boolean;
}

/**
 * Loads the WebAssembly module and its constants, which are a file of their own: from beside this file, or from what is
 * given. Call it once, before anything else.
 */
export function load(
  source?: BufferSource | WebAssembly.Module | Response | URL | string, constants?: Uint8Array | URL | string,
): Promise<void>;
/** Findings, connections and what could not be read, as `mtls-lint check --format json` prints them. */
export function lint(question: Question): Report | Failure;
/** The same, without looking for edits that remedy the findings: quicker. */
export function judge(question: Question): Report | Failure;
/** The deployment as SVG; connections bear their index as `data-connection`. */
export function draw(question: Question): string;
/** What each file was taken as. */
export function recognise(question: Question): Recognised[] | Failure;
/** The certificates of the deployment, and who uses them. */
export function certificates(question: Question): Certificates | Failure;
/** What certificate files hold, as `mtls-lint inspect --format json` prints it. */
export function inspect(question: Question): { version: 1; files: CertificateFile[] } | Failure;
/** What the filter would answer, as `mtls-lint decide --format json` prints it. */
export function decide(request: Request): Decision | Failure;
/** The page of a rule as Markdown; empty for an unknown id. */
export function explain(rule: string): string;
/** The rules whose mistakes print a line of a log, likeliest first. */
export function causes(line: string): { rule: string; text: string }[];
/** The texts as they may be shown to others: private keys, Secrets' values and passwords masked. */
export function share(question: Question): Shared | Failure;
/** Whether a file found in a folder is worth reading, by its name. */
export function mayBeConfiguration(path: string): boolean;
