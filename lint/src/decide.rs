//! What the filter would answer to one request: the same decision, made of files.

use mtls_identity::certificate::{self, Certificate};
use mtls_identity::policy::{Absence, Decision, Mode, Policy, PolicyError, Request};
use rustls_pki_types::UnixTime;
use serde::Serialize;

/// What is decided about.
#[derive(Debug, Clone, Copy, Default)]
pub struct Question<'a> {
    /// The policy's text.
    pub policy: &'a str,
    /// The client's certificate, PEM or DER; further certificates in a PEM file join the chain. `None`: the client
    /// has none.
    pub certificate: Option<&'a [u8]>,
    /// What the gateway got beside it, PEM or DER; serves `issued-under` alone.
    pub chain: Option<&'a [u8]>,
    /// `GET https://host/path`, `GET /path`, or a URL alone for a GET; `None`: `GET /`.
    pub request: Option<&'a str>,
    /// The gateway's name for the route.
    pub route: Option<&'a str>,
    /// Headers `name: value`; `host` stands for the request's host.
    pub headers: &'a [String],
}

/// The answer; JSON version 1.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct DecisionReport {
    /// Always 1.
    pub version: u32,
    /// `allow` or `deny`.
    pub decision: &'static str,
    /// The reason's name; null where the request is allowed.
    pub reason: Option<&'static str>,
    /// The policy's name for the identity; where the rule allows others, the one that it does not allow.
    pub identity: Option<String>,
    /// The rule or exemption that decided.
    pub rule: Option<String>,
    /// The answer in words, both halves of a disagreement.
    pub message: String,
}

/// Why there is no answer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum DecideError {
    /// The policy is refused; it says where.
    Policy(PolicyError),
    /// The chain cannot be read.
    Chain(String),
    /// The request is none.
    Request(String),
}

/// Decides about one request at one time.
pub fn decide(question: &Question<'_>, at: UnixTime) -> Result<DecisionReport, DecideError> {
    let policy = Policy::parse(question.policy).map_err(DecideError::Policy)?;
    let target = Target::read(question)?;
    let chain = match question.chain {
        Some(bytes) => certificates(bytes).map_err(DecideError::Chain)?,
        None => Vec::new(),
    };
    let standing = match question.certificate.map(certificates) {
        None => Err(Absence::NoCertificate),
        Some(Err(error)) => Err(Absence::Malformed(error)),
        Some(Ok(read)) => match read.split_first() {
            None => Err(Absence::Malformed("there is no certificate in the file".to_owned())),
            Some((first, rest)) => Ok(policy.recognise(first, &[rest, &chain].concat())),
        },
    };
    let request =
        Request { method: target.method, host: &target.host, path: target.path, route: question.route };
    let mut report = report(policy.decide(&request, standing.as_ref(), at));
    if policy.mode == Mode::Audit && report.decision == "deny" {
        report.message.push_str(" (in audit mode the request passes, without any identity header)");
    }
    Ok(report)
}

fn report(decision: Decision<'_>) -> DecisionReport {
    use mtls_identity::policy::Reason;
    match decision {
        Decision::Allow(allowed) => DecisionReport {
            version: 1,
            decision: "allow",
            reason: None,
            identity: Some(allowed.identity.to_owned()),
            rule: Some(allowed.rule.to_owned()),
            message: format!("the rule {} allows {} ({})", allowed.rule, allowed.identity, allowed.evidence),
        },
        Decision::Exempt(name) => DecisionReport {
            version: 1,
            decision: "allow",
            reason: None,
            identity: None,
            rule: Some(name.to_owned()),
            message: format!("{name} needs no certificate"),
        },
        Decision::Deny(reason) => {
            let (identity, rule) = match &reason {
                Reason::IdentityNotAllowedHere { identity, rule } => {
                    (Some(identity.clone()), Some(rule.clone()))
                }
                _ => (None, None),
            };
            DecisionReport {
                version: 1,
                decision: "deny",
                reason: Some(reason.name()),
                identity,
                rule,
                message: reason.to_string(),
            }
        }
    }
}

/// The certificates of a PEM text, or the one of a DER file.
fn certificates(bytes: &[u8]) -> Result<Vec<Certificate>, String> {
    match std::str::from_utf8(bytes) {
        Ok(text) if text.contains("-----BEGIN") => {
            certificate::certificates_in(text).map_err(|error| error.to_string())
        }
        _ => Certificate::parse(bytes).map(|one| vec![one]).map_err(|error| error.to_string()),
    }
}

struct Target<'a> {
    method: &'a str,
    host: String,
    path: &'a str,
}

impl<'a> Target<'a> {
    fn read(question: &Question<'a>) -> Result<Self, DecideError> {
        let text = question.request.unwrap_or("GET /").trim();
        let (method, url) = text.split_once(' ').unwrap_or(("GET", text));
        let url = url.trim();
        let (host, path) = match url.split_once("://") {
            Some((scheme, rest)) if scheme == "https" || scheme == "http" => {
                let end = rest.find(['/', '?']).unwrap_or(rest.len());
                let (host, path) = rest.split_at(end);
                (host, if path.is_empty() { "/" } else { path })
            }
            Some((scheme, _)) if !scheme.contains('/') => {
                return Err(DecideError::Request(format!("the scheme {scheme} is not http or https")));
            }
            _ => ("", url),
        };
        if method.is_empty() || !method.bytes().all(|byte| byte.is_ascii_alphabetic() || byte == b'-') {
            return Err(DecideError::Request(format!(
                "'{method}' is no method: write 'GET https://host/path'"
            )));
        }
        let given = question.headers.iter().find_map(|header| {
            let (name, value) = header.split_once(':')?;
            name.trim().eq_ignore_ascii_case("host").then(|| value.trim().to_owned())
        });
        Ok(Target { method, host: given.unwrap_or_else(|| host.to_owned()), path })
    }
}

impl std::fmt::Display for DecideError {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            DecideError::Policy(error) => write!(f, "{error}"),
            DecideError::Chain(error) => write!(f, "the chain: {error}"),
            DecideError::Request(error) => write!(f, "{error}"),
        }
    }
}

impl std::error::Error for DecideError {}

#[cfg(test)]
mod tests {
    use super::*;

    const POLICY: &str = "certificate: {from: envoy}\nidentities: {web: {dns: web.test}}\nexempt: [{path: /healthz}]\n\
                          rules: [{host: shop.test, path: /orders/**, method: GET, allow: web}]\n";

    fn ask(request: &str, headers: &[&str]) -> Result<DecisionReport, DecideError> {
        let headers: Vec<String> = headers.iter().map(|header| (*header).to_owned()).collect();
        let question =
            Question { policy: POLICY, request: Some(request), headers: &headers, ..Question::default() };
        decide(&question, UnixTime::since_unix_epoch(std::time::Duration::from_secs(1_790_000_000)))
    }

    #[test]
    fn a_request_is_read_as_people_write_it() {
        for (request, reason) in [
            ("GET https://shop.test/orders", Some("no-certificate")),
            ("https://shop.test/healthz", None),
            ("/healthz?x=1", None),
            ("POST /healthz/../orders", Some("ambiguous-path")),
        ] {
            assert_eq!(ask(request, &["Host: shop.test"]).unwrap().reason, reason, "{request}");
        }
        assert!(matches!(ask("ftp://shop.test/", &[]), Err(DecideError::Request(_))));
    }

    #[test]
    fn the_report_is_json_version_1() {
        let json = serde_json::to_string(&ask("/orders", &[]).unwrap()).unwrap();
        assert_eq!(
            json,
            r#"{"version":1,"decision":"deny","reason":"no-certificate","identity":null,"rule":null,"message":"the client sent no certificate"}"#
        );
    }
}
