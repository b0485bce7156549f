//! What rules ask: the deployment and its predictions, with who dials whom, what is presented, trusted and refused.

use std::collections::BTreeSet;
use std::sync::Arc;

use mtls_identity::sorted;

use super::Rule;
use crate::allowance::Allowances;
use crate::deployment::{
    ClientTls, Connection, Credential, Deployment, Dialer, DialerPurpose, FileRef, Listener, Lookup,
    PlannedId, Program, ProgramId, ProgramKind, Refusal, ServerContext, Trust, Versions,
};
use crate::finding::Finding;
use crate::handshake::held::Held;
use crate::handshake::{self, Prediction, Shelf, UnixSeconds, Why};
use crate::selection::Selected;
use crate::source::Span;
use crate::stack::Certificate;
use crate::stack::crl::RevocationList;
use crate::stack::signatures::Signed;

/// How a label begins that tells which connections break.
const BREAKS: &str = "breaks ";

static NOTHING_ALLOWED: Allowances = Allowances::NONE;

/// What a rule looks at.
#[derive(Debug)]
pub struct Subject<'a> {
    /// Everything that was found, references followed.
    pub deployment: &'a Deployment,
    /// One for each of the deployment's connections, in its order.
    pub predictions: &'a [Prediction],
    /// The moment to judge at.
    pub at: UnixSeconds,
    /// How early, in seconds, an expiry is a warning.
    pub expires_within: i64,
    /// What somebody answers for.
    pub allowances: &'a Allowances,
    /// Whether every connection was asked for and every source understood: what was not found is not there.
    pub complete: bool,
    /// Certificates as they are held, whether or not a connection is known that uses them.
    pub held: Held<'a>,
    /// Places on which a prediction or a refusal lays the blame.
    blamed: BTreeSet<Span>,
    /// Server contexts to which some client of the deployment has a certificate to show.
    offered: BTreeSet<Span>,
    /// Programs, by their place in memory, with the reasons for which predictions about them fail.
    failing: Vec<(*const Program, &'static str)>,
    /// Why single ssl objects of APISIX serve nobody, while others of the same port may.
    objects: Vec<Why>,
    /// Certificates that rules look into, each file read once.
    shelf: Shelf<'a>,
}

impl<'a> Subject<'a> {
    /// The subject of a deployment and its predictions.
    pub fn new(
        deployment: &'a Deployment,
        predictions: &'a [Prediction],
        at: UnixSeconds,
        expires_within: i64,
    ) -> Self {
        let shelf = Shelf::new(deployment);
        let held = Held::of(deployment, &shelf);
        let mut subject = Self {
            deployment,
            predictions,
            at,
            expires_within,
            allowances: &NOTHING_ALLOWED,
            complete: true,
            held,
            blamed: BTreeSet::new(),
            offered: BTreeSet::new(),
            failing: Vec::new(),
            objects: handshake::unusable_objects(&shelf),
            shelf,
        };
        let offered = deployment.connections.iter().filter_map(|connection| {
            let (_, dialer) = subject.dialer_of(connection)?;
            // etcd's gateway has what etcd itself presents, and nobody meant that as a client's
            let dialer = (dialer.purpose != DialerPurpose::Gateway).then_some(dialer)?;
            let tls = dialer.tls.as_ref().filter(|tls| tls.credential.is_some())?;
            let Lookup::Found(server) = connection.server else { return None };
            Some(subject.context(subject.listener(server)?.1, tls)?.span)
        });
        subject.offered = offered.collect();
        let predicted = predictions.iter().filter_map(|prediction| prediction.why.first());
        let predicted = predicted.flat_map(|why| &why.labels);
        let refused = subject.refusals().flat_map(|(_, refusal)| &refusal.labels);
        subject.blamed = predicted.chain(refused).map(|label| label.span).collect();
        for (connection, prediction) in deployment.connections.iter().zip(predictions) {
            let sides = [connection.client.map(|(id, _)| id), connection.server.found().map(|(id, _)| *id)];
            for program in sides.into_iter().flatten().filter_map(|id| deployment.programs.get(id)) {
                subject
                    .failing
                    .extend(prediction.why.iter().map(|why| (std::ptr::from_ref(program), why.rule)));
            }
        }
        subject.failing = sorted::list(subject.failing);
        subject
    }

    /// Whether a connection or a start breaks on what stands here: its rule speaks, and those of mere habit keep still.
    pub fn is_blamed(&self, span: Span) -> bool {
        self.blamed.contains(&span)
    }

    /// Whether a connection fails on what stands here, for the reason that a rule names.
    pub fn is_told(&self, span: Span, rule: &str) -> bool {
        let first = self.predictions.iter().filter_map(|prediction| prediction.why.first());
        self.is_blamed(span)
            && first
                .filter(|why| why.rule == rule)
                .any(|why| why.labels.iter().any(|label| label.span == span))
    }

    /// Every listener with its program.
    pub fn listeners(&self) -> impl Iterator<Item = (&'a Program, &'a Listener)> {
        self.deployment
            .programs
            .iter()
            .flat_map(|program| program.listeners.iter().map(move |listener| (program, listener)))
    }

    /// Every dialer with its program.
    pub fn dialers(&self) -> impl Iterator<Item = (&'a Program, &'a Dialer)> {
        self.deployment
            .programs
            .iter()
            .flat_map(|program| program.dialers.iter().map(move |dialer| (program, dialer)))
    }

    /// Who dials a connection; None for callers that we do not know.
    pub fn dialer_of(&self, connection: &Connection) -> Option<(&'a Program, &'a Dialer)> {
        let (program, dialer) = connection.client?;
        let program = self.deployment.programs.get(program)?;
        Some((program, program.dialers.get(dialer)?))
    }

    /// A listener with its program.
    pub fn listener(&self, (program, listener): (ProgramId, usize)) -> Option<(&'a Program, &'a Listener)> {
        let program = self.deployment.programs.get(program)?;
        Some((program, program.listeners.get(listener)?))
    }

    /// The context of a listener that serves a client, if that can be told.
    pub fn context(&self, listener: &'a Listener, client: &ClientTls) -> Option<&'a ServerContext> {
        let tls = listener.tls.as_ref()?;
        match tls.select(client.server_name.as_deref()) {
            Selected::Context(index) => tls.contexts.get(index),
            Selected::Nobody(_) | Selected::Undetermined(_) => None,
        }
    }

    /// Whether some client of the deployment has a certificate to show to this context.
    pub fn is_offered(&self, context: &ServerContext) -> bool {
        self.offered.contains(&context.span)
    }

    /// The certificates of a credential as a program presents them, the end-entity certificate first; none where they
    /// are not seen, refused, or first in the file by mistake: the key belongs to none, or to another one.
    pub fn presented(&self, program: &Program, credential: &Credential) -> Vec<Arc<Certificate>> {
        let pair = self.shelf.pair(credential, &program.versions, 0, "own").ok();
        pair.filter(|pair| pair.unfit.is_none()).map(|pair| pair.chain.certificates).unwrap_or_default()
    }

    /// Whether a certificate bears another one's signature.
    pub fn signed(&self, certificate: &Certificate, issuer: &Certificate) -> Signed {
        if certificate.issuer.canonical != issuer.subject.canonical {
            return Signed::No;
        }
        self.shelf.signatures.renew();
        self.shelf.signatures.signed(certificate, issuer)
    }

    /// The certificate file of a program in which a place lies, as the program names it.
    pub fn bundle_of(&self, place: Span) -> Option<&str> {
        self.shelf.bundle_of(place)
    }

    /// The intermediate that issued a certificate, where some file has it, and that file.
    pub fn intermediate_of(&self, certificate: &Certificate) -> Option<(&Certificate, &str)> {
        self.shelf.signatures.renew();
        let known = self.shelf.intermediate_of(certificate)?;
        Some((&known.certificate, &known.path))
    }

    /// A certificate that cert-manager will issue.
    pub fn planned(&self, id: PlannedId) -> Option<Arc<Certificate>> {
        self.shelf.planned(id)
    }

    /// The whole of what a program trusts; None where some of it is not seen, refused, or the system's.
    pub fn trusted(&self, versions: &Versions, trust: &[Trust]) -> Option<Vec<Arc<Certificate>>> {
        let anchors = self.shelf.anchors(trust, versions, versions.program).ok()?;
        let whole = anchors.unseen.is_empty() && !anchors.system && !anchors.certificates.is_empty();
        whole.then_some(anchors.certificates)
    }

    /// Revocation lists as a program loads them; none where it refuses one.
    pub fn revocation_lists(&self, program: &Program, files: &[FileRef]) -> Vec<RevocationList> {
        self.shelf.revocation_lists(files, &program.versions).map(|lists| lists.lists).unwrap_or_default()
    }

    /// Whether a program loads these files, all of them seen, and finds no revocation list in any.
    pub fn lacks_revocation_lists(&self, program: &Program, files: &[FileRef]) -> bool {
        let lists = self.shelf.revocation_lists(files, &program.versions);
        lists.is_ok_and(|lists| lists.lists.is_empty() && lists.unseen.is_empty() && lists.broken.is_none())
    }

    /// Whether a prediction about a program, as client or server, fails for one of these reasons.
    pub fn is_predicted(&self, program: &Program, rules: &[&'static str]) -> bool {
        rules.iter().any(|rule| self.failing.binary_search(&(std::ptr::from_ref(program), *rule)).is_ok())
    }

    /// Reports what already bears this rule's name: predictions that give it as their first reason, and configuration
    /// that programs refuse. One finding for one place, however many connections break on it.
    pub fn named(&self, rule: &Rule, findings: &mut Vec<Finding>) {
        self.named_on(rule, findings, |_| true);
    }

    /// The same, of predictions on some connections only: on the others a sharper rule speaks.
    pub fn named_on(&self, rule: &Rule, findings: &mut Vec<Finding>, speaks: impl Fn(&Connection) -> bool) {
        let mut places = BTreeSet::new();
        for (program, refusal) in self.refusals().filter(|(_, refusal)| refusal.rule == rule.id) {
            if places.insert(refusal.labels.first().map(|label| label.span)) {
                let message = format!("{} refuses its configuration: {}", program.name, refusal.message);
                let asks_nginx = program.kind == ProgramKind::Nginx && rule.id == "refused-setting";
                let asked = || asks_nginx.then(|| crate::dialect::nginx::ASK_FIRST.to_owned());
                let help = refusal.help.clone().or_else(asked);
                findings.push(rule.refusal(message, help, refusal));
            }
        }
        for missing in self.deployment.manifests.missing.iter().filter(|missing| missing.rule == rule.id) {
            if places.insert(missing.labels.first().map(|label| label.span)) {
                findings.push(rule.finding(missing.message.clone(), None, missing.labels.clone()));
            }
        }
        // the place, and of a name that is missed the name; its finding, and how many connections break on it
        let mut told: Vec<((Option<Span>, Option<&str>), Finding, usize)> = Vec::new();
        let predictions = self.deployment.connections.iter().zip(self.predictions);
        for (connection, prediction) in predictions {
            let Some(why) = prediction.why.first().filter(|why| why.rule == rule.id && speaks(connection))
            else {
                continue;
            };
            let place = why.labels.first().map(|label| label.span);
            let key = (place, (rule.id == "name-mismatch").then_some(why.message.as_str()));
            if let Some((_, _, times)) = told.iter_mut().find(|(known, ..)| *known == key) {
                *times += 1;
            } else if places.insert(place) || told.iter().any(|((known, _), ..)| *known == place) {
                let mut finding = rule.finding(why.message.clone(), why.help.clone(), why.labels.clone());
                // a label that only repeats the message tells instead what comes of it
                if let Some(label) = finding.labels.first_mut().filter(|label| label.message == why.message) {
                    label.message = self.consequence(connection);
                }
                told.push((key, finding, 1));
            }
        }
        for (_, mut finding, times) in told {
            if let Some(label) = finding.labels.first_mut().filter(|label| label.message.starts_with(BREAKS))
            {
                match times {
                    1 => {}
                    2 => label.message.push_str(", and one more connection"),
                    more => label.message.push_str(&format!(", and {} more connections", more - 1)),
                }
            }
            findings.push(finding);
        }
        for why in self.objects.iter().filter(|why| why.rule == rule.id) {
            if places.insert(why.labels.first().map(|label| label.span)) {
                findings.push(rule.finding(why.message.clone(), why.help.clone(), why.labels.clone()));
            }
        }
    }

    /// Which connection breaks, as a label says it.
    fn consequence(&self, connection: &Connection) -> String {
        let client = self.dialer_of(connection).map_or("its clients", |(program, _)| program.name.as_str());
        let server = match connection.server {
            Lookup::Found(server) => self.listener(server).map(|(program, _)| program.name.as_str()),
            Lookup::Missing(_) | Lookup::Unseen(_) => connection.server_label.as_deref(),
        };
        format!("{BREAKS}{client} → {}", server.unwrap_or(connection.url.as_str()))
    }

    /// Reports what the API server, a webhook or a controller refuses under this rule's name, with what to write.
    pub fn refused_manifests(&self, rule: &Rule, help: &str, findings: &mut Vec<Finding>) {
        let refusals = self.deployment.manifests.refusals.iter();
        for refusal in refusals.filter(|refusal| refusal.rule == rule.id) {
            let help = refusal.help.clone().unwrap_or_else(|| help.to_owned());
            findings.push(rule.finding(refusal.message.clone(), Some(help), refusal.labels.clone()));
        }
    }

    /// Everything that programs refuse of their configuration.
    fn refusals(&self) -> impl Iterator<Item = (&'a Program, &'a Refusal)> {
        self.deployment.programs.iter().flat_map(|program| {
            let listeners = program.listeners.iter().flat_map(|listener| {
                let contexts = listener.tls.iter().flat_map(|tls| &tls.contexts);
                listener.refusals.iter().chain(contexts.flat_map(|context| &context.refusals))
            });
            let dialers = program.dialers.iter().flat_map(|dialer| &dialer.refusals);
            program.refusals.iter().chain(listeners).chain(dialers).map(move |refusal| (program, refusal))
        })
    }
}
