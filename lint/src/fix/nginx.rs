//! nginx: configuration files, alone or within a ConfigMap.

use mtls_identity::sorted;

use super::edit::nginx as edit;
use super::site::Site;
use super::{envoy, etcd, fix};
use crate::deployment::{Content, Dialer, Lookup, Program, ProgramKind, Trust};
use crate::finding::{Edit, Fix};
use crate::source::Span;
use crate::syntax::nginx::Directive;

/// A directive that says what the one before it says.
pub fn remove_duplicate(site: &Site<'_>) -> Option<Fix> {
    let edit = site.in_nginx(site.span, |path| {
        let (given, block) = with_siblings(path, |_| true)?;
        let words = |directive: &Directive| -> Vec<String> {
            directive.arguments.iter().map(|argument| argument.value.clone()).collect()
        };
        let same = |other: &&Directive| {
            other.name.value == given.name.value && words(other) == words(given) && other.span != given.span
        };
        block.iter().find(same)?;
        edit::remove(site.bytes(site.span), given)
    })?;
    fix("remove the repetition", [edit])
}

/// `proxy_ssl_session_reuse off;` beside both passes.
pub fn keep_sessions_apart(site: &Site<'_>) -> Option<Fix> {
    let both = [site.span, site.label(1)?];
    let edits: Option<Vec<Edit>> = both
        .iter()
        .map(|span| {
            beside_pass(site, *span, |pass, block| {
                edit::set(site.bytes(*span), block, pass, "proxy_ssl_session_reuse", "off")
            })
        })
        .collect();
    fix("write proxy_ssl_session_reuse off; in both", edits?)
}

/// The header is emptied beside the pass that lets the client's own through.
pub fn empty_header(site: &Site<'_>) -> Option<Fix> {
    let help = site.finding.help.as_deref()?.strip_prefix("write ")?;
    let directive = help.strip_suffix(" beside this pass")?;
    let edit = site.in_nginx(site.span, |path| {
        let (pass, block) = with_siblings(path, |directive| directive.name.value == "proxy_pass")?;
        // a block with headers of its own has none of those around it: one more takes nothing away. A block without
        // any would lose what it inherits.
        let sets =
            |block: &[Directive]| block.iter().any(|directive| directive.name.value == "proxy_set_header");
        let inherits = path.iter().any(|outer| outer.block.as_deref().is_some_and(sets));
        (sets(block) || !inherits).then(|| edit::add(site.bytes(site.span), pass, directive))?
    })?;
    fix(format!("write {directive}"), [edit])
}

/// `proxy_ssl_server_name on;`, and the name where it is not the pass's own.
pub fn send_server_name(site: &Site<'_>) -> Option<Fix> {
    let help = site.finding.help.as_deref()?;
    if let Some(name) = help.strip_prefix("write sni: ") {
        return envoy::send_server_name(site, name.strip_suffix(" in the UpstreamTlsContext")?);
    }
    let name = help.strip_prefix("write proxy_ssl_server_name on; and proxy_ssl_name ")?.strip_suffix(';')?;
    let bytes = site.bytes(site.span);
    let edits = beside_pass(site, site.span, |pass, block| {
        let mut edits = vec![edit::set(bytes, block, pass, "proxy_ssl_server_name", "on")?];
        let host = pass.arguments.first()?.value.split("://").nth(1)?.split(['/', ':']).next()?;
        if host != name && !block.iter().any(|directive| directive.name.value == "proxy_ssl_name") {
            edits.push(edit::add(bytes, pass, &format!("proxy_ssl_name {name};"))?);
        }
        Some(edits)
    })?;
    fix("write proxy_ssl_server_name on;", edits)
}

/// Verification of a server, where its trust anchors are given, or can only be those of one file.
pub fn verify_server(site: &Site<'_>) -> Option<Fix> {
    let (program, dialer) = site.dialer(site.span)?;
    let tls = dialer.tls.as_ref()?;
    match program.kind {
        ProgramKind::Nginx => {}
        // with etcd's CA in apisix.ssl.ssl_trusted_certificate; system trust is what stands there by default
        ProgramKind::Apisix if tls.trust.iter().any(|trust| matches!(trust, Trust::File { .. })) => {
            return site.swap("false", "true", "write verify: true");
        }
        _ => return None,
    }
    let place = if tls.verify.is_given() { site.span } else { dialer.span };
    let bytes = site.bytes(place);
    let seen = site.meets_a_server(dialer);
    let edits = site.in_nginx(place, |path| {
        let (anchor, block) = with_siblings(path, |directive| {
            ["proxy_pass", "proxy_ssl_verify"].contains(&directive.name.value.as_str())
        })
        .or_else(|| {
            let inner = path.last()?.block.as_deref()?;
            let pass = inner.iter().find(|directive| directive.name.value == "proxy_pass")?;
            Some((pass, inner))
        })?;
        // whether the name of the pass is in the certificate shows only where the certificate does
        let names_host =
            anchor.arguments.first().is_some_and(|url| url.value.contains(&dialer.target.host.value));
        (seen || names_host && dialer.target.host.value.contains('.')).then_some(())?;
        let mut edits = vec![edit::set(bytes, block, anchor, "proxy_ssl_verify", "on")?];
        let gives_trust = |block: &[Directive]| {
            block.iter().any(|directive| directive.name.value == "proxy_ssl_trusted_certificate")
        };
        let given =
            gives_trust(block) || path.iter().filter_map(|outer| outer.block.as_deref()).any(gives_trust);
        if !given {
            let trust = only_authority(site, program, dialer)?;
            edits.push(edit::add(bytes, anchor, &format!("proxy_ssl_trusted_certificate {trust};"))?);
        }
        Some(edits)
    })?;
    fix("write proxy_ssl_verify on;", edits)
}

/// A listener asks for the certificate that its clients present, with the CA beside its own certificate.
pub fn ask_clients(site: &Site<'_>) -> Option<Fix> {
    let listeners = site.report.deployment.programs.iter().flat_map(|program| {
        let contexts = program.listeners.iter().filter_map(|listener| listener.tls.as_ref());
        contexts.flat_map(|tls| &tls.contexts).map(move |context| (program, context))
    });
    let (program, context) =
        listeners.into_iter().find(|(_, context)| context.client_auth.mode.span() == site.span)?;
    let [credential] = context.credentials.as_slice() else { return None };
    let certificate = &credential.certificate.path;
    let (folder, _) = certificate.value.rsplit_once('/')?;
    let authority = format!("{folder}/ca.crt");
    if authority.contains(|letter: char| !(letter.is_ascii_alphanumeric() || "/._-".contains(letter))) {
        return None;
    }
    match program.kind {
        ProgramKind::Etcd => etcd::ask_clients(site, certificate.span, &authority),
        ProgramKind::Nginx => {
            let bytes = site.bytes(certificate.span);
            let edits = site.in_nginx(certificate.span, |path| {
                let (given, block) =
                    with_siblings(path, |directive| directive.name.value == "ssl_certificate")?;
                let after = block.iter().rfind(|directive| directive.name.value == "ssl_certificate_key")?;
                given.block.is_none().then_some(())?;
                Some([
                    edit::set(bytes, block, after, "ssl_client_certificate", &authority)?,
                    edit::set(bytes, block, after, "ssl_verify_client", "on")?,
                ])
            })?;
            fix(format!("ask clients for a certificate of {authority}"), edits)
        }
        _ => None,
    }
}

/// A setting that the outer block has and this one lost, said here as well.
pub fn repeat_setting(site: &Site<'_>) -> Option<Fix> {
    let setting = site.label(1)?;
    let edit = site.in_nginx(site.span, |path| {
        let by = path.last()?;
        // in another file it may be written in another way
        let written =
            site.written(setting).filter(|written| written.ends_with(';') && !written.contains('\n'))?;
        edit::add(site.bytes(site.span), by, written)
    })?;
    fix("repeat the outer block's setting", [edit])
}

/// A depth that lets paths end at the root.
pub fn deepen(site: &Site<'_>) -> Option<Fix> {
    let depth = site.finding.help.as_deref()?.strip_prefix("set the depth to ")?;
    depth.parse::<u32>().ok()?;
    let edit = site.in_nginx(site.span, |path| {
        let (given, block) =
            with_siblings(path, |directive| directive.name.value.ends_with("ssl_verify_depth"))?;
        edit::set(site.bytes(site.span), block, given, &given.name.value, depth)
    })?;
    fix(format!("set the depth to {depth}"), [edit])
}

/// A depth that takes all that the peer sends: where it is set, or beside the trust that it goes with.
pub fn deepen_for_peer(site: &Site<'_>) -> Option<Fix> {
    const BEGIN: &[u8] = b"-----BEGIN CERTIFICATE-----";
    let sent = site.bytes(site.span).windows(BEGIN.len()).filter(|window| *window == BEGIN).count();
    let depth = sent.checked_sub(1).filter(|intermediates| *intermediates > 0)?.to_string();
    let span = site.label(1)?;
    let edit = site.in_nginx(span, |path| {
        let endings = ["ssl_verify_depth", "ssl_client_certificate", "ssl_trusted_certificate"];
        let is_one = |directive: &Directive| endings.iter().any(|end| directive.name.value.ends_with(end));
        let (given, block) = with_siblings(path, is_one)?;
        let ending = endings.iter().find(|end| given.name.value.ends_with(**end))?;
        let prefix = given.name.value.strip_suffix(ending)?;
        edit::set(site.bytes(span), block, given, &format!("{prefix}ssl_verify_depth"), &depth)
    })?;
    fix(format!("set the depth to {depth}"), [edit])
}

/// The file of trust anchors of a program, if all its endpoints have the same one.
fn only_authority(site: &Site<'_>, program: &Program, dialer: &Dialer) -> Option<String> {
    // which file is the right one shows in the certificate that the server presents
    if !site.meets_a_server(dialer) {
        return None;
    }
    let listeners = program.listeners.iter().filter_map(|listener| listener.tls.as_ref());
    let of_clients = listeners.flat_map(|tls| &tls.contexts).flat_map(|context| &context.client_auth.trust);
    let of_servers =
        program.dialers.iter().filter_map(|dialer| dialer.tls.as_ref()).flat_map(|tls| &tls.trust);
    let mut paths: Vec<&str> = of_clients
        .chain(of_servers)
        .filter_map(|trust| match trust {
            Trust::File { file, .. } => {
                matches!(file.content, Lookup::Found(Content::Bytes(_) | Content::PlannedCertificates(_)))
                    .then_some(file.path.value.as_str())
            }
            Trust::System(_) => None,
        })
        .collect();
    sorted::sort(&mut paths);
    paths.dedup();
    let [path] = paths.as_slice() else { return None };
    let plain = path.chars().all(|letter| letter.is_ascii_alphanumeric() || "/._-".contains(letter));
    plain.then(|| (*path).to_owned())
}

/// An edit beside the `proxy_pass` at a place.
fn beside_pass<T>(
    site: &Site<'_>,
    span: Span,
    then: impl FnOnce(&Directive, &[Directive]) -> Option<T>,
) -> Option<T> {
    site.in_nginx(span, |path| {
        let (pass, block) =
            with_siblings(path, |directive| directive.name.value == "proxy_pass").or_else(|| {
                let inner = path.last()?.block.as_deref()?;
                let pass = inner.iter().find(|directive| directive.name.value == "proxy_pass")?;
                Some((pass, inner))
            })?;
        then(pass, block)
    })
}

/// The innermost directive that is wanted, with the block in which it stands.
fn with_siblings<'d>(
    path: &[&'d Directive],
    wanted: impl Fn(&Directive) -> bool,
) -> Option<(&'d Directive, &'d [Directive])> {
    let index = path.iter().rposition(|directive| wanted(directive))?;
    let block = path.get(index.checked_sub(1)?)?.block.as_deref()?;
    Some((path.get(index)?, block))
}

impl Site<'_> {
    /// The dialer whose verification is set at a place.
    fn dialer(&self, verify: Span) -> Option<(&Program, &Dialer)> {
        let host = self.label(1);
        let programs = self.report.deployment.programs.iter();
        let mut dialers =
            programs.flat_map(|program| program.dialers.iter().map(move |dialer| (program, dialer)));
        dialers.find(|(_, dialer)| {
            dialer.tls.as_ref().is_some_and(|tls| tls.verify.span() == verify)
                && host.is_none_or(|host| dialer.target.host.span == host)
        })
    }

    /// Whether what answers a dialer is among the sources.
    fn meets_a_server(&self, dialer: &Dialer) -> bool {
        self.report.deployment.connections.iter().any(|connection| {
            let client = connection.client.and_then(|(program, index)| {
                self.report.deployment.programs.get(program)?.dialers.get(index)
            });
            client.is_some_and(|client| client.span == dialer.span) && connection.server.found().is_some()
        })
    }
}
