//! What cert-manager will write: who signs each Certificate, and what tls.crt, tls.key and ca.crt will hold.
//!
//! Sources: cert-manager `pkg/util/pki/parse_certificate_chain.go` (a chain without its self-signed root; the root, or
//! else the highest intermediate, as ca.crt), the CA issuer (its Secret's chain with its ca.crt at the end), the
//! self-signed issuer (ca.crt is the certificate itself), `setValues` (no ca.crt where the issuer gives none: ACME).

use std::collections::{HashMap, HashSet};

use mtls_identity::sorted;

use super::stores::{Store, Stores, distance};
use crate::deployment::{
    Content, FileRef, Lookup, Missing, PlannedCertificate, PlannedId, PlannedIssuer, Setting,
};
use crate::dialect::cert_manager::{Certificate, Issuer, IssuerSource};
use crate::dialect::placeholder::is_placeholder;
use crate::finding::Label;
use crate::source::{Located, Span, Text};

/// Certificates to be issued, and what is known of each.
pub(super) struct Planning<'m> {
    issuers: HashMap<(Option<&'m str>, &'m str), &'m Issuer>,
    by_name: HashMap<&'m str, Vec<&'m Issuer>>,
    planned: Vec<PlannedCertificate>,
    chains: Vec<Chain>,
    /// Secret → namespaces in which a Certificate fills one of that name, and where it says so.
    filled: HashMap<String, Vec<(String, Span)>>,
    /// Namespaces in which a Certificate makes a CA.
    authorities: HashSet<String>,
    /// Where cert-manager looks for the Secrets of ClusterIssuers.
    cluster_resources: String,
}

/// What a Secret written by cert-manager holds.
#[derive(Debug, Clone)]
enum Chain {
    /// It has not been worked out yet.
    Waiting,
    /// It is being worked out: whoever meets this again stands in a circle.
    Working,
    /// tls.crt, end-entity first, and ca.crt.
    Issued { certificates: Vec<PlannedId>, ca: Ca },
    /// It will not be written.
    Never(Missing),
}

/// What ca.crt holds.
#[derive(Debug, Clone)]
enum Ca {
    Planned(PlannedId),
    Bytes(Text),
    /// The issuer gives none.
    Absent,
    Unseen(String),
}

impl<'m> Planning<'m> {
    pub(super) fn new(issuers: &'m [Issuer], cluster_resources: String) -> Self {
        let mut planning = Self {
            cluster_resources,
            issuers: HashMap::new(),
            by_name: HashMap::new(),
            planned: Vec::new(),
            chains: Vec::new(),
            filled: HashMap::new(),
            authorities: HashSet::new(),
        };
        for issuer in issuers {
            let name = issuer.metadata.name.value.as_str();
            let namespace = (!issuer.cluster).then(|| issuer.metadata.namespace());
            planning.issuers.insert((namespace, name), issuer);
            planning.by_name.entry(name).or_default().push(issuer);
        }
        planning
    }

    /// Plans every Certificate and puts the Secrets that they fill among the stores.
    pub(super) fn certificates(&mut self, certificates: &[Certificate], stores: &mut Stores) {
        let mut by_secret: HashMap<(&str, &str), PlannedId> = HashMap::new();
        for (id, certificate) in certificates.iter().enumerate() {
            if let Some(secret) = &certificate.secret_name {
                let namespace = certificate.metadata.namespace();
                by_secret.entry((namespace, &secret.value)).or_insert(id);
                self.filled
                    .entry(secret.value.clone())
                    .or_default()
                    .push((namespace.to_owned(), secret.span));
                if *certificate.is_ca.value() {
                    self.authorities.insert(namespace.to_owned());
                }
            }
        }
        let title = |certificate: &Certificate| format!("Certificate {}", certificate.metadata.path());
        for certificate in certificates {
            // the issuer follows, once all have their place
            let nobody = Missing { rule: "missing-issuer", message: String::new(), labels: Vec::new() };
            self.planned.push(planned(certificate, title(certificate), PlannedIssuer::Nobody(nobody)));
            self.chains.push(Chain::Waiting);
        }
        for id in 0..certificates.len() {
            self.work_out(id, certificates, &by_secret, stores);
        }
        for (id, certificate) in certificates.iter().enumerate() {
            let Some(secret) = &certificate.secret_name else { continue };
            let namespace = certificate.metadata.namespace();
            if by_secret.get(&(namespace, secret.value.as_str())) != Some(&id) {
                continue;
            }
            let store = self.store(id, format!("Secret {namespace}/{}", secret.value), certificate);
            let written = certificate.metadata.namespace.is_some();
            stores.plan(namespace, &secret.value, store, written);
        }
    }

    /// Plans a certificate that stands in no Certificate (a CSI volume): its issuer's Secret must be known already.
    pub(super) fn volume(
        &mut self,
        certificate: &Certificate,
        title: String,
        stores: &Stores,
    ) -> Lookup<Store> {
        let id = self.planned.len();
        let nobody = Missing { rule: "missing-issuer", message: String::new(), labels: Vec::new() };
        self.planned.push(planned(certificate, title.clone(), PlannedIssuer::Nobody(nobody)));
        self.chains.push(Chain::Working);
        let (issuer, chain) = self.issue(id, certificate, None, stores);
        self.put(id, issuer, chain);
        self.store(id, title, certificate)
    }

    pub(super) fn finish(self) -> Vec<PlannedCertificate> {
        self.planned
    }

    fn put(&mut self, id: PlannedId, issuer: PlannedIssuer, chain: Chain) {
        if let Some(planned) = self.planned.get_mut(id) {
            planned.issuer = issuer;
        }
        if let Some(place) = self.chains.get_mut(id) {
            *place = chain;
        }
    }

    /// Works out a certificate and, before it, those that sign it, without recursion.
    fn work_out(
        &mut self,
        id: PlannedId,
        certificates: &[Certificate],
        by_secret: &HashMap<(&str, &str), PlannedId>,
        stores: &Stores,
    ) {
        let mut stack = vec![id];
        while let Some(&top) = stack.last() {
            let Some(certificate) = certificates.get(top) else { return };
            match self.chains.get(top) {
                Some(Chain::Waiting) => {
                    if let Some(chain) = self.chains.get_mut(top) {
                        *chain = Chain::Working;
                    }
                    if let Some(signer) = self.signer(certificate, by_secret, stores)
                        && matches!(self.chains.get(signer), Some(Chain::Waiting))
                    {
                        stack.push(signer);
                    }
                }
                Some(Chain::Working) => {
                    let signer = self.signer(certificate, by_secret, stores);
                    let (issuer, chain) = self.issue(top, certificate, signer, stores);
                    self.put(top, issuer, chain);
                    stack.pop();
                }
                _ => {
                    stack.pop();
                }
            }
        }
    }

    /// The planned certificate whose Secret a Certificate's CA issuer signs with.
    fn signer(
        &self,
        certificate: &Certificate,
        by_secret: &HashMap<(&str, &str), PlannedId>,
        stores: &Stores,
    ) -> Option<PlannedId> {
        let issuer = self.find(certificate).ok()??;
        let IssuerSource::Ca { secret: Some(secret) } = &issuer.source else { return None };
        let namespace = self.secret_namespace(issuer);
        if let Some(Lookup::Found(store)) = stores.present(namespace, &secret.value)
            && matches!(store.entries.get("tls.crt"), Some(Content::Bytes(_)))
        {
            return None;
        }
        by_secret.get(&(namespace, secret.value.as_str())).copied()
    }

    /// The issuer that a Certificate names; None: one of another group.
    fn find(&self, certificate: &Certificate) -> Result<Option<&'m Issuer>, Missing> {
        let reference = &certificate.issuer;
        let namespace = certificate.metadata.namespace();
        let missing = |message: String, labels| Missing { rule: "missing-issuer", message, labels };
        if reference.group.value() != "cert-manager.io" {
            return Ok(None);
        }
        let Some(name) = &reference.name else {
            return Err(missing(
                format!("Certificate {} names no issuer", certificate.metadata.path()),
                vec![Label { span: reference.kind.span(), message: "issuerRef has no name".to_owned() }],
            ));
        };
        if is_placeholder(&name.value) || is_placeholder(reference.kind.value()) {
            return Ok(None);
        }
        let key = match reference.kind.value().as_str() {
            "Issuer" => (Some(namespace), name.value.as_str()),
            "ClusterIssuer" => (None, name.value.as_str()),
            kind => {
                return Err(missing(
                    format!("cert-manager.io has no issuers of kind {kind}; issuerRef.group is missing"),
                    vec![Label {
                        span: reference.kind.span(),
                        message: "neither Issuer nor ClusterIssuer".to_owned(),
                    }],
                ));
            }
        };
        if let Some(issuer) = self.issuers.get(&key) {
            return Ok(Some(issuer));
        }
        // issuers often belong to others: only what stands in the wrong place, or almost has the name, is a mistake
        let namesakes = self.by_name.get(name.value.as_str()).map_or(&[][..], Vec::as_slice);
        let unwritten = |other: &&Issuer| {
            !other.cluster && (certificate.metadata.namespace.is_none() || other.metadata.namespace.is_none())
        };
        if key.0.is_some() && namesakes.iter().any(unwritten) {
            return Ok(None);
        }
        // one that is spelled almost alike, in the place that is meant
        let similar = self.issuers.iter().filter(|((place, _), _)| *place == key.0);
        let mut similar: Vec<(usize, &Issuer)> = similar
            .map(|((_, other), issuer)| (distance(&name.value, other), *issuer))
            .filter(|(distance, _)| *distance <= 2)
            .collect();
        sorted::sort_by_key(&mut similar, |(distance, issuer)| (*distance, issuer.metadata.name.span));
        if namesakes.is_empty() && similar.is_empty() {
            return Ok(None);
        }
        let mut labels = vec![Label { span: name.span, message: "names this issuer".to_owned() }];
        for other in namesakes.iter().take(2) {
            let message = match (other.cluster, reference.kind.is_given()) {
                (true, false) => "is a ClusterIssuer; without issuerRef.kind an Issuer is meant".to_owned(),
                (true, true) => "is a ClusterIssuer".to_owned(),
                (false, _) => format!("is an Issuer of namespace {}", other.metadata.namespace()),
            };
            labels.push(Label { span: other.metadata.name.span, message });
        }
        for (_, other) in similar.iter().take(1).filter(|_| namesakes.is_empty()) {
            let message = format!("{} has a similar name", other.title());
            labels.push(Label { span: other.metadata.name.span, message });
        }
        let which = match key.0 {
            Some(namespace) => format!("Issuer {} in namespace {namespace}", name.value),
            None => format!("ClusterIssuer {}", name.value),
        };
        Err(missing(format!("no {which} is among the sources"), labels))
    }

    /// Who signs a certificate, and what its Secret will hold.
    fn issue(
        &self,
        id: PlannedId,
        certificate: &Certificate,
        signer: Option<PlannedId>,
        stores: &Stores,
    ) -> (PlannedIssuer, Chain) {
        let own = |ca| Chain::Issued { certificates: vec![id], ca };
        let nobody = |missing: Missing| (PlannedIssuer::Nobody(missing.clone()), Chain::Never(missing));
        let unknown = |name: String, why: String| {
            let chain = own(Ca::Unseen(why.clone()));
            (PlannedIssuer::Unknown { name, why }, chain)
        };
        let issuer = match self.find(certificate) {
            Ok(Some(issuer)) => issuer,
            Ok(None) => {
                let reference = &certificate.issuer;
                let name = reference.name.as_ref().map_or("", |name| name.value.as_str());
                let name = format!("{} {name}.{}", reference.kind.value(), reference.group.value());
                let why = format!("{name} issues it outside the sources");
                return unknown(name, why);
            }
            Err(missing) => return nobody(missing),
        };
        match &issuer.source {
            IssuerSource::SelfSigned => (PlannedIssuer::SelfSigned, own(Ca::Planned(id))),
            IssuerSource::Acme { public: true, .. } => (PlannedIssuer::Public, own(Ca::Absent)),
            IssuerSource::Acme { public: false, server } => {
                let server = server.as_ref().map_or("an ACME server", |server| server.value.as_str());
                let why = format!("{server} signs it outside the sources");
                (PlannedIssuer::Unknown { name: issuer.title(), why }, own(Ca::Absent))
            }
            IssuerSource::Other(kind) => {
                unknown(issuer.title(), format!("{} ({kind}) signs it outside the sources", issuer.title()))
            }
            IssuerSource::Nothing => nobody(Missing {
                rule: "missing-issuer",
                message: format!("{} says nothing of how it issues", issuer.title()),
                labels: vec![Label {
                    span: issuer.metadata.name.span,
                    message: "its spec is empty".to_owned(),
                }],
            }),
            IssuerSource::Ca { secret: None } => nobody(Missing {
                rule: "missing-secret",
                message: format!("{} has no ca.secretName to sign with", issuer.title()),
                labels: vec![Label {
                    span: issuer.metadata.name.span,
                    message: "names no Secret".to_owned(),
                }],
            }),
            IssuerSource::Ca { secret: Some(secret) } => match signer {
                Some(signer) => self.signed_by(id, certificate, issuer, secret, signer),
                None => {
                    let namespace = self.secret_namespace(issuer);
                    // a volume's issuer: the Secrets of all Certificates have been planned
                    let above = match stores.present(namespace, &secret.value) {
                        Some(Lookup::Found(store)) => match store.entries.get("tls.crt") {
                            Some(Content::PlannedCertificates(ids)) => ids.first().copied(),
                            _ => None,
                        },
                        _ => None,
                    };
                    match above {
                        Some(above) => self.signed_by(id, certificate, issuer, secret, above),
                        None => self.signed_by_secret(id, issuer, secret, stores),
                    }
                }
            },
        }
    }

    /// Signed with the Secret that another Certificate fills.
    fn signed_by(
        &self,
        id: PlannedId,
        certificate: &Certificate,
        issuer: &Issuer,
        secret: &Located<String>,
        signer: PlannedId,
    ) -> (PlannedIssuer, Chain) {
        let nobody = |missing: Missing| (PlannedIssuer::Nobody(missing.clone()), Chain::Never(missing));
        let Some(above) = self.planned.get(signer) else {
            let why = "the Certificate of its issuer is not known".to_owned();
            let chain = Chain::Issued { certificates: vec![id], ca: Ca::Unseen(why.clone()) };
            return (PlannedIssuer::Unknown { name: issuer.title(), why }, chain);
        };
        if !above.is_ca.value() {
            return nobody(Missing {
                rule: "issuer-without-ca",
                message: format!(
                    "{} signs with Secret {}, whose {} is no CA, so nothing is issued",
                    issuer.title(),
                    secret.value,
                    above.name
                ),
                labels: vec![
                    Label { span: secret.span, message: format!("{} signs with it", issuer.title()) },
                    Label { span: above.is_ca.span(), message: "isCA is not true here".to_owned() },
                ],
            });
        }
        match self.chains.get(signer) {
            Some(Chain::Issued { certificates, ca }) => {
                let mut chain = vec![id];
                // a self-signed root is left out
                if !matches!(above.issuer, PlannedIssuer::SelfSigned) {
                    chain.extend(certificates);
                }
                let ca = match ca {
                    Ca::Absent => Ca::Planned(signer),
                    ca => ca.clone(),
                };
                (PlannedIssuer::Planned(signer), Chain::Issued { certificates: chain, ca })
            }
            Some(Chain::Never(missing)) => {
                let mut missing = missing.clone();
                missing.message = format!(
                    "{} cannot sign, because {} will not be issued: {}",
                    issuer.title(),
                    above.name,
                    missing.message
                );
                (PlannedIssuer::Planned(signer), Chain::Never(missing))
            }
            Some(Chain::Waiting | Chain::Working) | None => nobody(Missing {
                rule: "missing-issuer",
                message: format!(
                    "{} signs with Secret {}, which {} fills, which waits for Certificate {} in turn",
                    issuer.title(),
                    secret.value,
                    above.name,
                    certificate.metadata.path()
                ),
                labels: vec![Label { span: secret.span, message: "the circle closes here".to_owned() }],
            }),
        }
    }

    /// Signed with a Secret whose bytes are in the sources (or with none).
    fn signed_by_secret(
        &self,
        id: PlannedId,
        issuer: &Issuer,
        secret: &Located<String>,
        stores: &Stores,
    ) -> (PlannedIssuer, Chain) {
        let nobody = |missing: Missing| (PlannedIssuer::Nobody(missing.clone()), Chain::Never(missing));
        let namespace = self.secret_namespace(issuer);
        let written = issuer.cluster || issuer.metadata.namespace.is_some();
        let unknown = |why: String| {
            let chain = Chain::Issued { certificates: vec![id], ca: Ca::Unseen(why.clone()) };
            (PlannedIssuer::Unknown { name: issuer.title(), why }, chain)
        };
        let store = match stores.secret_of_issuer(namespace, &secret.value, written) {
            Lookup::Found(store) => store,
            Lookup::Unseen(why) => return unknown(why),
            // a CA is often put into the cluster by hand
            Lookup::Missing(missing)
                if missing.labels.is_empty()
                    && !self.filled.contains_key(&secret.value)
                    && !self.authorities.contains(namespace) =>
            {
                return unknown(missing.message);
            }
            Lookup::Missing(mut missing) => {
                missing.labels.insert(
                    0,
                    Label { span: secret.span, message: format!("{} signs with it", issuer.title()) },
                );
                for (other, span) in
                    self.filled.get(&secret.value).map_or(&[][..], Vec::as_slice).iter().take(2)
                {
                    let message = format!("a Certificate fills a Secret of this name in namespace {other}");
                    missing.labels.push(Label { span: *span, message });
                }
                if issuer.cluster {
                    missing.message = format!(
                        "{}; a ClusterIssuer takes its Secret from cert-manager's own namespace",
                        missing.message
                    );
                }
                return nobody(missing);
            }
        };
        let Some(Content::Bytes(certificates)) = store.entries.get("tls.crt") else {
            let mut missing = store.missing_key("tls.crt");
            missing
                .labels
                .push(Label { span: secret.span, message: format!("{} signs with it", issuer.title()) });
            return nobody(missing);
        };
        let ca = match store.entries.get("ca.crt") {
            Some(Content::Bytes(root)) => root.clone(),
            _ => last_certificate(certificates),
        };
        let file = FileRef {
            path: Located::new(format!("{}/tls.crt", store.title), secret.span),
            content: Lookup::Found(Content::Bytes(certificates.clone())),
            mode: None,
        };
        (PlannedIssuer::Certificate(file), Chain::Issued { certificates: vec![id], ca: Ca::Bytes(ca) })
    }

    /// Where the Secret of a CA issuer stands.
    fn secret_namespace<'i>(&'i self, issuer: &'i Issuer) -> &'i str {
        if issuer.cluster { &self.cluster_resources } else { issuer.metadata.namespace() }
    }

    /// The Secret that a Certificate fills.
    fn store(&self, id: PlannedId, title: String, certificate: &Certificate) -> Lookup<Store> {
        let secret_span = certificate.secret_name.as_ref().map(|name| name.span);
        let span = secret_span.unwrap_or(certificate.metadata.name.span);
        match self.chains.get(id) {
            Some(Chain::Issued { certificates, ca }) => {
                let mut entries = vec![
                    ("tls.crt".to_owned(), Content::PlannedCertificates(certificates.clone())),
                    ("tls.key".to_owned(), Content::PlannedKey(id)),
                ];
                let mut title = title;
                let mut unseen = None;
                match ca {
                    Ca::Planned(ca) => {
                        entries.push(("ca.crt".to_owned(), Content::PlannedCertificates(vec![*ca])));
                    }
                    Ca::Bytes(text) => {
                        entries.push(("ca.crt".to_owned(), Content::Bytes(text.clone())));
                    }
                    Ca::Absent => title.push_str(" (whose ACME issuer gives no ca.crt)"),
                    Ca::Unseen(why) => unseen = Some(why.clone()),
                }
                if !certificate.extra_keys.is_empty() && unseen.is_none() {
                    unseen = Some(format!("{} are not read", certificate.extra_keys.join(", ")));
                }
                Lookup::Found(Store::planned(title, span, entries.into_iter().collect(), unseen))
            }
            Some(Chain::Never(missing)) => Lookup::Missing(Missing {
                rule: missing.rule,
                message: format!(
                    "{title} will not be written, because Certificate {} cannot be issued: {}",
                    certificate.metadata.path(),
                    missing.message
                ),
                labels: missing.labels.clone(),
            }),
            Some(Chain::Waiting | Chain::Working) | None => {
                Lookup::Unseen(format!("{title} could not be worked out"))
            }
        }
    }
}

/// The last PEM block of a text: the highest of a chain.
fn last_certificate(text: &Text) -> Text {
    const BEGIN: &[u8] = b"-----BEGIN ";
    let bytes = text.bytes();
    match bytes.windows(BEGIN.len()).rposition(|window| window == BEGIN) {
        Some(start) => text.part(start..bytes.len()),
        None => text.clone(),
    }
}

fn planned(certificate: &Certificate, name: String, issuer: PlannedIssuer) -> PlannedCertificate {
    let setting = |flag: &Setting<bool>| flag.clone();
    PlannedCertificate {
        name,
        span: certificate.metadata.name.span,
        subject: certificate.subject.clone(),
        common_name: certificate.common_name.clone(),
        dns_names: certificate.dns_names.clone(),
        email_addresses: certificate.email_addresses.clone(),
        ip_addresses: certificate.ip_addresses.clone(),
        uris: certificate.uris.clone(),
        is_ca: setting(&certificate.is_ca),
        key_usage: certificate.usages.key_usage.clone(),
        extended_key_usage: certificate.usages.extended_key_usage.clone(),
        // of what is no CA the webhook refuses them
        name_constraints: certificate.name_constraints.as_ref().map(|(_, constraints)| constraints.clone()),
        key: certificate.key,
        duration: certificate.duration.clone(),
        renew_before: certificate.renew_before.clone(),
        rotates_key: setting(&certificate.rotates_key),
        issuer,
    }
}
