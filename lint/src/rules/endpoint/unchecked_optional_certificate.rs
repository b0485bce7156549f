use super::nginx::configurations;
use crate::deployment::ClientAuthMode;
use crate::dialect::nginx::{Condition, Location, Matcher, Server, Subsystem, variables};
use crate::finding::{Finding, Label};
use crate::rules::{Subject, rule};
use crate::source::Located;

rule! {
    /// nginx asks for a client certificate without insisting on it, and nothing looks at the result.
    ///
    /// With `ssl_verify_client optional` a client without a certificate is served like any other; with `optional_no_ca` even one
    /// whose certificate nobody issued. Who came is in `$ssl_client_verify` (`SUCCESS`, `NONE`, `FAILED:…`), and neither a
    /// condition nor the upstream gets to see it. A condition that never holds, as `$ssl_client_verify = FAILED`, is none.
    ///
    /// ## Why it matters
    ///
    /// Everybody is let in. The certificate is decoration.
    ///
    /// ## How to fix
    ///
    /// Insist, or look:
    ///
    /// ```nginx
    /// ssl_verify_client on;
    /// ```
    ///
    /// ```nginx
    /// ssl_verify_client optional;
    /// location /admin {
    ///     if ($ssl_client_verify != SUCCESS) { return 403; }
    ///     proxy_pass https://admin;
    /// }
    /// ```
    ///
    /// With `optional_no_ca` the upstream has to verify the certificate itself, from
    /// `proxy_set_header X-Client-Cert $ssl_client_escaped_cert;`, beside `$ssl_client_verify`.
    ///
    /// ## What you see in the logs
    ///
    /// Nothing: the request is answered.
    ///
    /// ## Reference
    ///
    /// <https://nginx.org/en/docs/http/ngx_http_ssl_module.html#ssl_verify_client>
    "unchecked-optional-certificate", Error, check
}

fn check(subject: &Subject<'_>, findings: &mut Vec<Finding>) {
    for (program, config) in configurations(subject) {
        // a map over the certificate is used somewhere, or it would not be written; and what is refused serves nobody
        if !config.maps.is_empty() || !program.refusals.is_empty() {
            continue;
        }
        // a mail server tells auth_http of the result
        for server in config.servers.iter().filter(|server| server.subsystem != Subsystem::Mail) {
            let mode = &server.tls.verify_client;
            // what a certificate that nobody vouches for comes to, or none
            let other = match mode.value() {
                ClientAuthMode::OptionalNoCa => "FAILED:self-signed certificate",
                _ => "NONE",
            };
            let looked_at: &[&str] = match mode.value() {
                ClientAuthMode::Optional => &["ssl_client_"],
                ClientAuthMode::OptionalNoCa => &[
                    "ssl_client_verify",
                    "ssl_client_cert",
                    "ssl_client_raw_cert",
                    "ssl_client_escaped_cert",
                    "ssl_client_fingerprint",
                ],
                ClientAuthMode::Off | ClientAuthMode::Required => continue,
            };
            let speaks_tls = !server.tls.certificates.is_empty();
            if !speaks_tls
                || server.code.is_some()
                || !server.unseen.is_empty()
                || looks(server, looked_at, other)
            {
                continue;
            }
            // the condition may stand in what is included
            if server.locations.iter().any(|location| location.may_answer().is_some()) {
                continue;
            }
            // where every request is answered here and now, nothing is given away
            if server.locations.iter().all(|location| location.pass.is_none()) && returns(server) {
                continue;
            }
            findings.push(RULE.finding(
                match mode.value() {
                    ClientAuthMode::Optional => format!(
                        "{} asks for a client certificate with ssl_verify_client optional and serves those who have \
                         none: nothing looks at $ssl_client_verify",
                        program.name
                    ),
                    _ => format!(
                        "{} takes, with ssl_verify_client optional_no_ca, a client certificate of anybody's making: \
                         nothing looks at $ssl_client_verify",
                        program.name
                    ),
                },
                Some(match server.subsystem {
                    Subsystem::Http => "write ssl_verify_client on; or, where a certificate is needed, \
                                        if ($ssl_client_verify != SUCCESS) { return 403; }"
                        .to_owned(),
                    Subsystem::Stream | Subsystem::Mail => "write ssl_verify_client on;".to_owned(),
                }),
                vec![
                    Label { span: mode.span(), message: "a certificate is welcome, and not needed".to_owned() },
                    match dead(server, other).next() {
                        Some((condition, never)) => Label {
                            span: condition.span,
                            message: match (never, mode.value()) {
                                (true, _) => "never true: it is SUCCESS, NONE or FAILED:reason",
                                (false, ClientAuthMode::Optional) => {
                                    "never true here: a certificate that fails is refused before"
                                }
                                (false, _) => "not true of a certificate that fails",
                            }
                            .to_owned(),
                        },
                        None => Label {
                            span: server.span,
                            message: "no condition and no header of this server has the result".to_owned(),
                        },
                    },
                ],
            ));
        }
    }
}

/// Whether a server looks at one of these variables, or inherits a header or parameter that has one.
fn looks(server: &Server, names: &[&str], other: &str) -> bool {
    let is_one = |name: &str| names.iter().any(|wanted| name.starts_with(wanted));
    let headers =
        server.locations.iter().flat_map(|location| location.headers.iter().chain(&location.parameters));
    // what a condition that never holds looks at, it does not
    let within = |mention: &Located<String>, condition: &Location| {
        let Matcher::If(written) = &condition.matcher else { return false };
        let (at, start) = (mention.span.start, condition.span.end);
        let end = start.saturating_add(u32::try_from(written.len()).unwrap_or(u32::MAX));
        mention.span.file == condition.span.file && (start..=end).contains(&at)
    };
    let looking =
        |mention: &&Located<String>| !dead(server, other).any(|(condition, _)| within(mention, condition));
    server.mentions.iter().filter(looking).any(|mention| is_one(&mention.value))
        || headers.flat_map(|header| variables(&header.value.value)).any(is_one)
}

/// Conditions on the result that keep away nobody who matters here, and whether they never hold at all.
fn dead<'s>(server: &'s Server, other: &str) -> impl Iterator<Item = (&'s Location, bool)> {
    server.locations.iter().filter_map(move |location| {
        let Matcher::If(written) = &location.matcher else { return None };
        let condition = Condition::read(written)?;
        let never = condition.is_never_true();
        (never || condition.is_idle(other)).then_some((location, never))
    })
}

fn returns(server: &Server) -> bool {
    server.locations.first().is_some_and(|whole| whole.returns.is_some())
}
