//! Certificates on which no prediction rests: nobody is known who meets them, so that a rule looks at them itself.

use std::collections::BTreeSet;

use mtls_identity::sorted;

use crate::deployment::{DialerPurpose, Lookup, ProgramKind};
use crate::finding::{Finding, Label};
use crate::handshake::Outcome;
use crate::handshake::held::Presented;
use crate::rules::{Rule, Subject};
use crate::source::Span;
use crate::stack::certificate::{ANY_USAGE, Purpose, usage_name};
use crate::stack::load::Certificates;
use crate::stack::{Certificate, say};

/// A chain whose verifiers are not known.
#[derive(Debug, Clone)]
pub struct Unjudged<'s> {
    /// The end-entity certificate first; never empty.
    pub chain: &'s Certificates,
    /// What it is presented for; None: it lies in a Secret.
    pub purpose: Option<Purpose>,
    /// Who has it, as a label says it.
    pub holder: String,
    /// Where it is named.
    pub place: Span,
}

impl Unjudged<'_> {
    /// What a rule marks, and after it who has the certificate.
    pub fn labels(&self, primary: Label) -> Vec<Label> {
        let holder = Label { span: self.place, message: self.holder.clone() };
        if holder.span == primary.span { vec![primary] } else { vec![primary, holder] }
    }
}

/// Findings for certificates that are presented for a purpose which their extended key usage leaves out.
pub fn lacking_usage<'s>(
    subject: &'s Subject<'_>,
    rule: &'s Rule,
    purpose: Purpose,
) -> impl Iterator<Item = Finding> + use<'s> {
    let mut told = BTreeSet::new();
    // libraries differ over anyExtendedKeyUsage
    let lacks =
        move |usages: &Vec<String>| !usages.iter().any(|oid| oid == purpose.oid() || oid == ANY_USAGE);
    let wrong = move |chain: &Certificates| {
        chain.first().is_some_and(|first| first.extended_key_usage.as_ref().is_some_and(lacks))
    };
    unjudged(subject, wrong).into_iter().filter_map(move |unjudged| {
        let first = unjudged.chain.first().filter(|_| unjudged.purpose == Some(purpose))?;
        let usages = first.extended_key_usage.as_ref().filter(|_| told.insert(first.digest))?;
        let names: Vec<&str> = usages.iter().map(|oid| usage_name(oid)).collect();
        let has = format!("extended key usage {}", names.join(", "));
        let labels = unjudged.labels(Label { span: first.span, message: has });
        Some(rule.finding(say::lacks_usage(0, first, purpose), None, labels))
    })
}

/// A digest with the name of the purpose.
type Met = Vec<([u8; 32], &'static str)>;

/// Chains that programs present to peers we do not know, and those of Secrets for TLS, of those that a rule finds wrong.
/// Left out: a chain with a certificate that a failing connection or start is told of, and one with which a known
/// connection completes, since that peer does not look.
pub fn unjudged<'s>(subject: &'s Subject<'_>, wrong: impl Fn(&Certificates) -> bool) -> Vec<Unjudged<'s>> {
    let presented: Vec<_> = subject.held.presented.iter().filter(|held| wrong(&held.chain)).collect();
    let stored: Vec<_> = subject.held.stored.iter().filter(|held| wrong(&held.chain)).collect();
    if presented.is_empty() && stored.is_empty() {
        return Vec::new();
    }
    let met = met(subject);
    let blamed = blamed(subject);
    let free = |certificate: &Certificate| !blamed.contains(&certificate.digest);
    let mut found = Vec::new();
    for presented in presented {
        let Some(first) = presented.chain.first() else { continue };
        // etcd dials its own kind with what it has for servers; an unfit pair is another mistake
        let own = presented.purpose == Purpose::Client && presented.program.kind == ProgramKind::Etcd;
        let known = own || met.binary_search(&(first.digest, presented.purpose.name())).is_ok();
        if known
            || !presented.chain.iter().all(|certificate| free(certificate))
            || subject.presented(presented.program, presented.credential).is_empty()
        {
            continue;
        }
        found.push(Unjudged {
            chain: &presented.chain,
            purpose: Some(presented.purpose),
            holder: match presented.purpose {
                Purpose::Server => format!("{} presents it to its clients", presented.program.name),
                Purpose::Client => format!("{} presents it to a server", presented.program.name),
            },
            place: presented.credential.certificate.path.span,
        });
    }
    let secrets = &subject.deployment.manifests.stored;
    for stored in stored {
        let for_tls = secrets.iter().any(|secret| {
            secret.metadata.name.span == stored.name
                && secret.kind.as_ref().is_some_and(|kind| kind.value == "kubernetes.io/tls")
        });
        let Some(first) = stored.chain.first().filter(|first| for_tls && !first.is_ca()) else { continue };
        let known = [Purpose::Server, Purpose::Client]
            .iter()
            .any(|purpose| met.binary_search(&(first.digest, purpose.name())).is_ok());
        if !known && stored.chain.iter().all(|certificate| free(certificate)) {
            found.push(Unjudged {
                chain: &stored.chain,
                purpose: None,
                holder: format!("{} holds it", stored.title),
                place: stored.name,
            });
        }
    }
    found
}

/// Digests of certificates that a failing connection or start is told of.
fn blamed(subject: &Subject<'_>) -> BTreeSet<[u8; 32]> {
    let chains = subject.held.presented.iter().map(|presented| &presented.chain);
    let chains = chains.chain(subject.held.stored.iter().map(|stored| &stored.chain)).flatten();
    let blamed = chains.filter(|certificate| subject.is_blamed(certificate.span));
    sorted::set(blamed.map(|certificate| certificate.digest))
}

/// End-entity certificates with which a connection to a known peer completes.
fn met(subject: &Subject<'_>) -> Met {
    let mut places = Vec::new();
    for (connection, prediction) in subject.deployment.connections.iter().zip(subject.predictions) {
        let Some((_, dialer)) = subject.dialer_of(connection) else { continue };
        let (Some(tls), Outcome::Completes) = (&dialer.tls, prediction.outcome) else { continue };
        let Lookup::Found(server) = connection.server else { continue };
        if let Some(credential) = &tls.credential {
            places.push((credential.certificate.path.span, Purpose::Client.name()));
        }
        // neither looks at the server's certificate, whatever it is
        if matches!(dialer.purpose, DialerPurpose::Gateway | DialerPurpose::Probe) {
            continue;
        }
        let Some((_, listener)) = subject.listener(server) else { continue };
        let contexts = listener.tls.iter().flat_map(|tls| &tls.contexts);
        let chosen = subject.context(listener, tls).filter(|_| !tls.names_from_request);
        for context in contexts.filter(|context| chosen.is_none_or(|chosen| chosen.span == context.span)) {
            let files = context.credentials.iter().map(|credential| credential.certificate.path.span);
            places.extend(files.map(|file| (file, Purpose::Server.name())));
        }
    }
    let places = sorted::list(places);
    let presented = subject.held.presented.iter().filter(|presented| {
        places.binary_search(&(presented.credential.certificate.path.span, presented.purpose.name())).is_ok()
    });
    let digest =
        |presented: &Presented<'_>| Some((presented.chain.first()?.digest, presented.purpose.name()));
    sorted::list(presented.filter_map(digest).collect())
}
