//! Secrets and validation contexts, followed to files.

use super::refusal::{self, refuse};
use super::{Loader, needs_node, nodeless};
use crate::deployment::{
    ClientAuthMode, Credential, FileRef, Lookup, PathChecks, Protocol, Protocols, Refusal, Setting, Trust,
    TrustLoader, Versions,
};
use crate::dialect::envoy::{
    CommonTls, ConfigSource, DataSource, DataSourceKind, EnvoyConfig, SCHEMA_VERSION, Secret, SecretKind,
    SecretRef, TlsCertificate, Validation, ValidationContext,
};
use crate::finding::Label;
use crate::source::{Located, Span};

/// What came of following a context's secrets.
#[derive(Debug, Default)]
pub(super) struct Followed {
    /// Refused at start: the whole Envoy does not start.
    pub(super) fatal: Vec<Refusal>,
    /// Refused later: connections to this context are reset.
    pub(super) local: Vec<Refusal>,
    /// Outside the sources.
    pub(super) unseen: Vec<String>,
}

/// A validation context with where its secret came from.
#[derive(Debug, Clone)]
pub(super) struct Effective {
    /// Merged.
    pub(super) context: ValidationContext,
    /// The anchors cannot be seen.
    pub(super) unseen: Option<String>,
}

impl Loader<'_, '_, '_> {
    /// The credentials of a context.
    pub(super) fn credentials(
        &mut self,
        config: &EnvoyConfig,
        common: &CommonTls,
        followed: &mut Followed,
    ) -> Vec<Credential> {
        let mut credentials: Vec<Credential> = common
            .certificates
            .iter()
            .filter_map(|certificate| self.credential(certificate, followed))
            .collect();
        for reference in &common.certificate_secrets {
            match self.secret(config, reference, "tls_certificate", "TlsCertificateSdsApi", followed) {
                Some(Lookup::Found(Secret { kind: SecretKind::Certificate(certificate), .. })) => {
                    if reference.source.is_some() {
                        self.watchable(&[&certificate.certificate_chain, &certificate.private_key], followed);
                    }
                    credentials.extend(self.credential(&certificate, followed));
                }
                Some(Lookup::Unseen(why)) => {
                    let name = reference.name.as_ref().map_or("", |name| name.value.as_str());
                    let file = unseen_file(name, reference.span, why);
                    credentials.push(Credential {
                        certificate: file.clone(),
                        key: Some(file),
                        passphrase: None,
                    });
                }
                _ => {}
            }
        }
        if let Some(span) = common.certificate_provider {
            let file = unseen_file(
                "certificate provider",
                span,
                "a certificate provider gives the certificate".to_owned(),
            );
            credentials.push(Credential { certificate: file.clone(), key: Some(file), passphrase: None });
        }
        credentials
    }

    fn credential(&self, certificate: &TlsCertificate, followed: &mut Followed) -> Option<Credential> {
        let named = certificate.ocsp_staple.iter().chain(&certificate.password);
        followed.fatal.extend(named.filter_map(|data| self.missing_file(data)));
        let passphrase = certificate.password.as_ref().map(|password| self.open(password));
        if let Some(bundle) = &certificate.pkcs12 {
            let file = self.open(bundle);
            let why = match &file.content {
                Lookup::Unseen(why) => why.clone(),
                _ => format!("{} is a PKCS#12 file, which is not read", file.path.value),
            };
            let file = FileRef { content: Lookup::Unseen(why), ..file };
            return Some(Credential { certificate: file.clone(), key: Some(file), passphrase });
        }
        match (&certificate.certificate_chain, &certificate.private_key) {
            (Some(chain), Some(key)) => {
                Some(Credential { certificate: self.open(chain), key: Some(self.open(key)), passphrase })
            }
            (Some(chain), None) if certificate.private_key_provider.is_some() => {
                let key = unseen_file(
                    "private_key_provider",
                    certificate.span,
                    "a private key provider holds the key".to_owned(),
                );
                Some(Credential { certificate: self.open(chain), key: Some(key), passphrase })
            }
            (Some(_), None) => {
                followed.fatal.push(refuse(
                    "the certificate has no private_key".to_owned(),
                    certificate.span,
                    "write private_key beside certificate_chain".to_owned(),
                    Some("Failed to load incomplete private key from path: ".to_owned()),
                ));
                None
            }
            (None, Some(_)) => {
                followed.fatal.push(refuse(
                    "the private key has no certificate_chain".to_owned(),
                    certificate.span,
                    "write certificate_chain beside private_key".to_owned(),
                    Some("Failed to load incomplete certificate from : certificate chain not set".to_owned()),
                ));
                None
            }
            (None, None) => None,
        }
    }

    /// The refusal of a file that is read at start and does not exist.
    pub(super) fn missing_file(&self, data: &DataSource) -> Option<Refusal> {
        let file = self.open(data);
        let Lookup::Missing(missing) = file.content else { return None };
        let mut labels = vec![Label { span: data.span, message: "named here".to_owned() }];
        labels.extend(missing.labels);
        Some(Refusal {
            rule: missing.rule,
            message: missing.message,
            labels,
            help: None,
            log: Some(format!("Invalid path: {}", file.path.value)),
        })
    }

    /// The validation context that is in force; None where the configuration has none.
    pub(super) fn validation(
        &mut self,
        config: &EnvoyConfig,
        common: &CommonTls,
        followed: &mut Followed,
    ) -> Option<Effective> {
        match &common.validation {
            Validation::Absent => None,
            Validation::Inline(context) => Some(Effective { context: (**context).clone(), unseen: None }),
            Validation::Provider(span) => Some(Effective {
                context: ValidationContext::empty(*span),
                unseen: Some("a certificate provider gives the trust anchors".to_owned()),
            }),
            Validation::Secret(reference) => self.fetched(config, reference, followed),
            Validation::Combined { default, secret } => {
                let fetched = self.fetched(config, secret, followed)?;
                Some(Effective {
                    context: (**default).clone().merged(&fetched.context),
                    unseen: fetched.unseen,
                })
            }
        }
    }

    fn fetched(
        &mut self,
        config: &EnvoyConfig,
        reference: &SecretRef,
        followed: &mut Followed,
    ) -> Option<Effective> {
        const API: &str = "CertificateValidationContextSdsApi";
        let unseen =
            |why| Some(Effective { context: ValidationContext::empty(reference.span), unseen: Some(why) });
        let Some(secret) = self.secret(config, reference, "validation_context", API, followed) else {
            // what it would ask for is not known: it is not said to ask for nothing
            return unseen("its validation_context is refused".to_owned());
        };
        match secret {
            Lookup::Found(Secret { kind: SecretKind::Validation(context), .. }) => {
                if reference.source.is_some() {
                    self.watchable(&[&context.trusted_ca, &context.crl], followed);
                }
                Some(Effective { context: *context, unseen: None })
            }
            Lookup::Unseen(why) => unseen(why),
            _ => None,
        }
    }

    /// Follows a reference to a secret of a kind. None: it was refused, and `followed` says why.
    fn secret(
        &mut self,
        config: &EnvoyConfig,
        reference: &SecretRef,
        kind: &str,
        api: &str,
        followed: &mut Followed,
    ) -> Option<Lookup<Secret>> {
        // a reference without a name is refused by the check of constraints
        let name = reference.name.as_ref()?;
        let fits = |secret: &&Secret| {
            secret.name.value == name.value
                && match secret.kind {
                    SecretKind::Certificate(_) => kind == "tls_certificate",
                    SecretKind::Validation(_) => kind == "validation_context",
                    SecretKind::Other => false,
                }
        };
        let Some(source) = &reference.source else {
            if let Some(found) = config.secrets.iter().find(fits) {
                return Some(Lookup::Found(found.clone()));
            }
            let help = "write a secret of this name in static_resources.secrets, or sds_config here";
            let mut refused = refuse(
                format!("the secret {} is not among static_resources.secrets", name.value),
                name.span,
                help.to_owned(),
                Some(format!("Unknown static secret: {}", name.value)),
            );
            if let Some(other) = config.secrets.iter().find(|secret| secret.name.value == name.value) {
                refused.help = Some(format!("write {kind} in the secret of this name"));
                refused.labels.push(Label { span: other.span, message: format!("holds no {kind}") });
            }
            followed.fatal.push(refused);
            return None;
        };
        if needs_node(config) {
            followed.fatal.push(nodeless(source, api));
            return None;
        }
        match self.fetch(source) {
            Lookup::Found(found) => {
                if let Some(secret) = found.secrets.iter().find(fits) {
                    return Some(Lookup::Found(secret.clone()));
                }
                let has: Vec<&str> = found.secrets.iter().map(|secret| secret.name.value.as_str()).collect();
                let other_kind = found.secrets.iter().find(|secret| secret.name.value == name.value);
                let (message, label) = match other_kind {
                    Some(_) => (
                        format!(
                            "the secret {} in the file that its sds_config names holds no {kind}",
                            name.value
                        ),
                        format!("a {kind} is wanted"),
                    ),
                    None => (
                        format!("the secret {} is not in the file that its sds_config names", name.value),
                        "there is no secret of this name".to_owned(),
                    ),
                };
                let mut refused = refuse(
                    message,
                    name.span,
                    None,
                    has.first()
                        .map(|other| format!("Unexpected SDS secret (expecting {}): {other}", name.value)),
                );
                refused.labels = vec![Label { span: name.span, message: label }];
                refused.labels.extend(found.secrets.iter().take(4).map(|secret| Label {
                    span: secret.span,
                    message: match &secret.kind {
                        SecretKind::Certificate(_) => {
                            format!("the file has {}, a tls_certificate", secret.name.value)
                        }
                        SecretKind::Validation(_) => {
                            format!("the file has {}, a validation_context", secret.name.value)
                        }
                        SecretKind::Other => format!("the file has the secret {}", secret.name.value),
                    },
                }));
                followed.local.push(refused);
                None
            }
            Lookup::Missing(missing) => {
                followed.fatal.push(refusal::missing_path(missing, source));
                None
            }
            Lookup::Unseen(why) => Some(Lookup::Unseen(match source {
                ConfigSource::Remote(_) => format!("a management server gives the secret {}", name.value),
                ConfigSource::Path { .. } => why,
            })),
        }
    }

    /// Files that a fetched secret names are watched, and a watch needs a folder.
    fn watchable(&self, data: &[&Option<DataSource>], followed: &mut Followed) {
        for source in data.iter().filter_map(|source| source.as_ref()) {
            let DataSourceKind::File(path) = &source.kind else { continue };
            if !path.value.contains('/') {
                followed.local.push(refuse(
                    format!(
                        "{} has no folder, and Envoy watches the folder of a fetched secret's file",
                        path.value
                    ),
                    path.span,
                    format!("write an absolute path, as in /etc/envoy/{}", path.value),
                    Some(format!("Filesystem config update rejected: invalid file path {}", path.value)),
                ));
            }
        }
    }

    /// The anchors of a context. `ca_certificate_provider_instance` and `system_root_certs` are for gRPC: Envoy
    /// itself does not look at them (seen with 1.40.0: nobody is asked for a certificate).
    pub(super) fn trust(&self, effective: &Effective) -> Vec<Trust> {
        if let Some(why) = &effective.unseen {
            let file = unseen_file("validation context", effective.context.span, why.clone());
            return vec![Trust::File { file, loader: TrustLoader::Envoy }];
        }
        let anchors = effective.context.trusted_ca.as_ref();
        anchors
            .map(|data| Trust::File { file: self.open(data), loader: TrustLoader::Envoy })
            .into_iter()
            .collect()
    }

    /// Everything else that a context demands.
    pub(super) fn checks(&self, context: &ValidationContext) -> PathChecks {
        PathChecks {
            depth: context.max_verify_depth.clone().map(Setting::Given),
            crls: context.crl.as_ref().map(|data| self.open(data)).into_iter().collect(),
            only_end_entity_crl: context.only_end_entity_crl.as_ref().is_some_and(|flag| flag.value),
            names: context.names.clone(),
            // ACCEPT_UNTRUSTED passes over pins as well (seen with 1.40.0)
            pins: match context.accept_untrusted {
                Some(_) => Vec::new(),
                None => context.hashes.iter().chain(&context.spkis).cloned().collect(),
            },
            allow_expired: context.allow_expired.as_ref().filter(|flag| flag.value).map(|flag| flag.span),
            accept_untrusted: context.accept_untrusted,
            ..PathChecks::default()
        }
    }
}

/// What Envoy refuses of a validation context, whoever the peer is.
pub(super) fn validation_mistakes(effective: &Effective, followed: &mut Followed) {
    let context = &effective.context;
    if effective.unseen.is_some() || context.custom_validator.is_some() {
        return;
    }
    if let Some(span) = context.other_name_without_oid {
        followed.fatal.push(refuse(
            "a matcher of OTHER_NAME does not say which other name it matches".to_owned(),
            span,
            "write oid: with the object identifier of the name's type, as in 1.3.6.1.4.1.311.20.2.3"
                .to_owned(),
            Some("Failed to create SAN matcher for OTHER_NAME with OID: ".to_owned()),
        ));
    }
    if context.trusted_ca.is_none() {
        if let Some(first) = context.names.first() {
            let mut refused = refuse(
                "names of the peer's certificate are matched, and no trusted_ca says who may issue it".to_owned(),
                first.span,
                "write trusted_ca in the same validation context".to_owned(),
                Some(
                    "SAN-based verification of peer certificates without trusted CA is insecure and not allowed"
                        .to_owned(),
                ),
            );
            refused.rule = "name-check-without-trust-anchor";
            followed.fatal.push(refused);
        }
        if let Some(crl) = &context.crl {
            let path = match &crl.kind {
                DataSourceKind::File(path) => path.value.as_str(),
                _ => "<inline>",
            };
            followed.fatal.push(refuse(
                "a revocation list is given without trusted_ca".to_owned(),
                crl.span,
                "write trusted_ca in the same validation context".to_owned(),
                Some(format!("Failed to load CRL from {path} without trusted CA")),
            ));
        }
    }
    if let Some(flag) =
        context.allow_expired.as_ref().filter(|flag| flag.value && context.trusted_ca.is_none())
    {
        followed.fatal.push(refuse(
            "allow_expired_certificate stands without trusted_ca, where validity is not looked at anyway"
                .to_owned(),
            flag.span,
            "leave it out, or write trusted_ca in the same validation context".to_owned(),
            Some("Certificate validity period is always ignored without trusted CA".to_owned()),
        ));
    }
    for hash in &context.hashes {
        let digits: String = hash.value.chars().filter(|c| *c != ':').collect();
        // what is shorter is refused by a constraint
        if hash.value.len() >= 64
            && (digits.len() != 64 || !digits.bytes().all(|byte| byte.is_ascii_hexdigit()))
        {
            followed.fatal.push(refuse(
                "verify_certificate_hash is no SHA-256 in hexadecimal".to_owned(),
                hash.span,
                "write the output of openssl x509 -noout -fingerprint -sha256".to_owned(),
                Some(format!("Invalid hex-encoded SHA-256 {}", hash.value)),
            ));
        }
    }
}

/// What a listener asks of clients (`DefaultCertValidator`; observed with 1.40.0):
/// without anything to check against it does not ask; names, pins or another validator insist on a certificate
/// whatever `require_client_certificate` says; ACCEPT_UNTRUSTED without anchors never insists.
pub(super) fn client_auth_mode(context: Option<&Effective>, required: bool) -> ClientAuthMode {
    let Some(effective) = context else { return ClientAuthMode::Off };
    let context = &effective.context;
    // what is not seen may ask for more or for nothing: nothing is said of such a listener
    if effective.unseen.is_some() {
        return ClientAuthMode::Required;
    }
    let has_anchors = context.trusted_ca.is_some();
    if context.accept_untrusted.is_some() {
        return if has_anchors && required { ClientAuthMode::Required } else { ClientAuthMode::Optional };
    }
    if !context.names.is_empty() || context.has_pins() || context.custom_validator.is_some() {
        return ClientAuthMode::Required;
    }
    match (has_anchors, required) {
        (true, true) => ClientAuthMode::Required,
        (true, false) => ClientAuthMode::Optional,
        (false, _) => ClientAuthMode::Off,
    }
}

/// The versions that `tls_params` leave: from the lesser of the defaults to the greater.
pub(super) fn protocols(common: &CommonTls, least: Protocol, most: Protocol) -> Setting<Protocols> {
    const ALL: [Protocol; 4] = [Protocol::Tls10, Protocol::Tls11, Protocol::Tls12, Protocol::Tls13];
    // ssl_compliance_policy_fips_202205 sets versions too, and is applied last (seen with 1.40.0)
    if let Some(policy) = &common.params.algorithms.policy {
        return Setting::Given(Located::new(Protocols::modern(), policy.span));
    }
    let minimum = common.params.minimum.as_ref();
    let maximum = common.params.maximum.as_ref();
    let from = minimum.map_or(least, |written| written.value);
    let to = maximum.map_or(most, |written| written.value);
    let versions = ALL.into_iter().filter(|version| (from..=to).contains(version)).collect();
    let value = Protocols { versions };
    match minimum.or(maximum) {
        Some(written) => Setting::Given(Located::new(value, written.span)),
        None => Setting::Default { value, parent: common.span },
    }
}

/// Cipher suites that BoringSSL does not know by these names: TLS 1.3 has no setting, finite-field DHE and the
/// CBC suites with SHA-2 are gone (tried one by one with 1.40.0). A name that is not here may be one we do not know.
pub(super) fn cipher_mistake(common: &CommonTls) -> Option<Refusal> {
    let refused = |name: &str| {
        is_no_suite(name)
            || name.starts_with("TLS_AES_")
            || name.starts_with("TLS_CHACHA20_")
            || name.starts_with("DHE-")
            || matches!(
                name,
                "ECDHE-RSA-AES256-SHA384" | "ECDHE-ECDSA-AES256-SHA384" | "AES128-SHA256" | "AES256-SHA256"
            )
    };
    let suites = &common.params.cipher_suites;
    let bad: Vec<&Located<String>> = suites.iter().filter(|suite| refused(&suite.value)).collect();
    let first = bad.first()?;
    let names = |list: &[&Located<String>], with: &str| {
        list.iter().map(|suite| suite.value.as_str()).collect::<Vec<_>>().join(with)
    };
    let all: Vec<&Located<String>> = suites.iter().collect();
    let help = if first.value.starts_with("TLS_") {
        "leave it out: the cipher suites of TLS 1.3 are always on".to_owned()
    } else {
        "leave it out, or write ECDHE-ECDSA-AES256-GCM-SHA384 or the like".to_owned()
    };
    Some(refuse(
        format!("{} is no cipher suite that Envoy can set", first.value),
        first.span,
        help,
        Some(format!(
            "Failed to initialize cipher suites {}. The following ciphers were rejected when tried individually: {}",
            names(&all, ":"),
            names(&bad, ", ")
        )),
    ))
}

/// A name that begins like a suite with elliptic curves, and ends like none that any library has.
fn is_no_suite(name: &str) -> bool {
    const ENDS: [&str; 19] = [
        "AES128-GCM-SHA256",
        "AES256-GCM-SHA384",
        "CHACHA20-POLY1305",
        "CHACHA20-POLY1305-OLD",
        "AES128-SHA",
        "AES256-SHA",
        "AES128-SHA256",
        "AES256-SHA384",
        "AES128-CCM",
        "AES256-CCM",
        "AES128-CCM8",
        "AES256-CCM8",
        "CAMELLIA128-SHA256",
        "CAMELLIA256-SHA384",
        "ARIA128-GCM-SHA256",
        "ARIA256-GCM-SHA384",
        "RC4-SHA",
        "DES-CBC3-SHA",
        "NULL-SHA",
    ];
    let rest = name.strip_prefix("ECDHE-RSA-").or_else(|| name.strip_prefix("ECDHE-ECDSA-"));
    rest.is_some_and(|rest| !ENDS.contains(&rest))
}

/// Groups that no release knows by these names (tried one by one with 1.40.0). Those of other releases, and of ones
/// to come, may be known there.
pub(super) fn curve_mistake(common: &CommonTls, versions: &Versions) -> Option<Refusal> {
    const KNOWN: [&str; 10] = [
        "P-224",
        "P-256",
        "P-384",
        "P-521",
        "X25519",
        "x25519",
        "prime256v1",
        "secp224r1",
        "secp384r1",
        "secp521r1",
    ];
    let changing = ["MLKEM", "Kyber", "CECPQ"];
    let refused = |name: &str| !KNOWN.contains(&name) && !changing.iter().any(|part| name.contains(part));
    let groups = &common.params.algorithms.groups;
    if versions.program > SCHEMA_VERSION || common.params.algorithms.policy.is_some() {
        return None;
    }
    let first = groups.iter().find(|entry| entry.value.split(':').any(refused))?;
    let all: Vec<&str> = groups.iter().map(|group| group.value.as_str()).collect();
    Some(refuse(
        format!("{} is no group for the exchange of keys that Envoy knows", first.value),
        first.span,
        "write X25519, P-256, P-384 or P-521".to_owned(),
        Some(format!("Failed to initialize ECDH curves {}", all.join(":"))),
    ))
}

/// `cipher_suites` as BoringSSL is given them.
pub(super) fn ciphers(common: &CommonTls) -> Option<Located<String>> {
    let first = common.params.cipher_suites.first()?;
    let list: Vec<&str> = common.params.cipher_suites.iter().map(|suite| suite.value.as_str()).collect();
    Some(Located::new(list.join(":"), first.span))
}

/// Where a source of secrets is a management server, for messages.
pub(super) fn unseen_file(name: &str, span: Span, why: String) -> FileRef {
    FileRef { path: Located::new(name.to_owned(), span), content: Lookup::Unseen(why), mode: None }
}
