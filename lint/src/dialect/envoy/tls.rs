//! TLS: certificates, validation contexts, secrets, and where their bytes come from.

use base64::Engine;

use super::ConfigSource;
use super::proto::Message;
use crate::deployment::{Algorithms, NameCheck, Protocol, StringMatcher};
use crate::source::{Located, Span, Text};

/// Where bytes come from.
#[derive(Debug, Clone)]
pub struct DataSource {
    /// File, inline or environment.
    pub kind: DataSourceKind,
    /// The folder whose changes make Envoy read a file again.
    pub watched_directory: Option<Located<String>>,
    /// Where it is written.
    pub span: Span,
}

/// The kinds of [`DataSource`].
#[derive(Clone)]
pub enum DataSourceKind {
    /// A file.
    File(Located<String>),
    /// `inline_string`, or `inline_bytes` decoded.
    Inline(Text),
    /// An environment variable of Envoy's.
    Environment(Located<String>),
    /// `inline_bytes` that is no base64.
    Undecodable(Span),
}

impl std::fmt::Debug for DataSourceKind {
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        // inline bytes may be a private key
        match self {
            Self::File(path) => out.debug_tuple("File").field(path).finish(),
            Self::Inline(text) => out.debug_tuple("Inline").field(&text.full_span()).finish(),
            Self::Environment(name) => out.debug_tuple("Environment").field(name).finish(),
            Self::Undecodable(span) => out.debug_tuple("Undecodable").field(span).finish(),
        }
    }
}

/// A certificate with its key.
#[derive(Debug, Clone)]
pub struct TlsCertificate {
    /// `certificate_chain`.
    pub certificate_chain: Option<DataSource>,
    /// `private_key`.
    pub private_key: Option<DataSource>,
    /// `pkcs12`: certificate, key and chain in one file.
    pub pkcs12: Option<DataSource>,
    /// `ocsp_staple`.
    pub ocsp_staple: Option<DataSource>,
    /// `password`.
    pub password: Option<DataSource>,
    /// `private_key_provider`: the key lies elsewhere.
    pub private_key_provider: Option<Span>,
    /// `watched_directory`.
    pub watched_directory: Option<Located<String>>,
    /// Where it is written.
    pub span: Span,
}

/// `CertificateValidationContext`, as it is written or merged.
#[derive(Debug, Clone)]
pub struct ValidationContext {
    /// `trusted_ca`.
    pub trusted_ca: Option<DataSource>,
    /// `ca_certificate_provider_instance`: anchors of a provider that is not in the sources.
    pub ca_provider: Option<Span>,
    /// `system_root_certs`.
    pub system_root_certs: Option<Span>,
    /// `watched_directory`.
    pub watched_directory: Option<Located<String>>,
    /// `match_typed_subject_alt_names` and `match_subject_alt_names`: any of them.
    pub names: Vec<Located<NameCheck>>,
    /// Where the deprecated `match_subject_alt_names` is written.
    pub untyped_names: Option<Span>,
    /// A matcher of OTHER_NAME without `oid`.
    pub other_name_without_oid: Option<Span>,
    /// `verify_certificate_hash`: SHA-256 of certificates in hexadecimal.
    pub hashes: Vec<Located<String>>,
    /// `verify_certificate_spki`: SHA-256 of public keys in base64.
    pub spkis: Vec<Located<String>>,
    /// `crl`.
    pub crl: Option<DataSource>,
    /// `only_verify_leaf_cert_crl`.
    pub only_end_entity_crl: Option<Located<bool>>,
    /// `max_verify_depth`.
    pub max_verify_depth: Option<Located<u32>>,
    /// `allow_expired_certificate`.
    pub allow_expired: Option<Located<bool>>,
    /// `trust_chain_verification: ACCEPT_UNTRUSTED`.
    pub accept_untrusted: Option<Span>,
    /// `custom_validator_config`: someone else judges.
    pub custom_validator: Option<Located<String>>,
    /// Where it is written.
    pub span: Span,
}

/// A reference to a secret: by name in the bootstrap, or from a discovery source.
#[derive(Debug, Clone)]
pub struct SecretRef {
    /// The secret's name; Envoy refuses one without.
    pub name: Option<Located<String>>,
    /// Where it comes from; None: `static_resources.secrets`.
    pub source: Option<ConfigSource>,
    /// Where it is written.
    pub span: Span,
}

/// How the peer's certificate is judged.
#[derive(Debug, Clone)]
pub enum Validation {
    /// Not at all: no validation context is configured.
    Absent,
    /// `validation_context`.
    Inline(Box<ValidationContext>),
    /// `validation_context_sds_secret_config`.
    Secret(SecretRef),
    /// `combined_validation_context`: the secret's fields are merged over the default's.
    Combined {
        /// The part written here.
        default: Box<ValidationContext>,
        /// The part fetched.
        secret: SecretRef,
    },
    /// A certificate provider outside the sources.
    Provider(Span),
}

/// `tls_params`.
#[derive(Debug, Clone, Default)]
pub struct TlsParams {
    /// `tls_minimum_protocol_version`; None: TLS_AUTO.
    pub minimum: Option<Located<Protocol>>,
    /// `tls_maximum_protocol_version`; None: TLS_AUTO.
    pub maximum: Option<Located<Protocol>>,
    /// `cipher_suites`.
    pub cipher_suites: Vec<Located<String>>,
    /// `ecdh_curves`, `signature_algorithms`, `compliance_policies`.
    pub algorithms: Algorithms,
}

/// `CommonTlsContext`.
#[derive(Debug, Clone)]
pub struct CommonTls {
    /// `tls_certificates`.
    pub certificates: Vec<TlsCertificate>,
    /// `tls_certificate_sds_secret_configs`.
    pub certificate_secrets: Vec<SecretRef>,
    /// Certificates of a provider or selector outside the sources.
    pub certificate_provider: Option<Span>,
    /// How the peer is judged.
    pub validation: Validation,
    /// Versions, ciphers, curves.
    pub params: TlsParams,
    /// `alpn_protocols`.
    pub alpn: Vec<Located<String>>,
    /// `custom_handshaker`: another TLS implementation.
    pub custom_handshaker: Option<Span>,
    /// Where it is written.
    pub span: Span,
}

/// `DownstreamTlsContext`.
#[derive(Debug, Clone)]
pub struct DownstreamTls {
    /// Shared by both directions.
    pub common: CommonTls,
    /// `require_client_certificate`, if written.
    pub require_client_certificate: Option<Located<bool>>,
    /// `disable_stateless_session_resumption` and `disable_stateful_session_resumption` are both true.
    pub never_resumes: bool,
    /// `session_ticket_keys`.
    pub ticket_keys: Vec<DataSource>,
    /// `full_scan_certs_on_sni_mismatch`: where no certificate bears the name, all are looked at.
    pub scans_certificates: bool,
    /// Where it is written.
    pub span: Span,
}

/// `UpstreamTlsContext`.
#[derive(Debug, Clone)]
pub struct UpstreamTls {
    /// Shared by both directions.
    pub common: CommonTls,
    /// `sni`.
    pub sni: Option<Located<String>>,
    /// `auto_host_sni`: SNI is the endpoint's `hostname`.
    pub auto_host_sni: Option<Located<bool>>,
    /// `auto_sni_san_validation`: the certificate must bear the SNI.
    pub auto_sni_san_validation: Option<Located<bool>>,
    /// Where it is written.
    pub span: Span,
}

/// A secret of the bootstrap or of a discovery file.
#[derive(Debug, Clone)]
pub struct Secret {
    /// Its name; empty where none is written.
    pub name: Located<String>,
    /// What it is.
    pub kind: SecretKind,
    /// Where it is written.
    pub span: Span,
}

/// What a secret holds.
#[derive(Debug, Clone)]
pub enum SecretKind {
    /// `tls_certificate`.
    Certificate(Box<TlsCertificate>),
    /// `validation_context`.
    Validation(Box<ValidationContext>),
    /// Ticket keys, generic secrets.
    Other,
}

impl ValidationContext {
    /// A context that says nothing.
    pub fn empty(span: Span) -> Self {
        Self {
            trusted_ca: None,
            ca_provider: None,
            system_root_certs: None,
            watched_directory: None,
            names: Vec::new(),
            untyped_names: None,
            other_name_without_oid: None,
            hashes: Vec::new(),
            spkis: Vec::new(),
            crl: None,
            only_end_entity_crl: None,
            max_verify_depth: None,
            allow_expired: None,
            accept_untrusted: None,
            custom_validator: None,
            span,
        }
    }

    /// `combined_validation_context`: protobuf's MergeFrom of the fetched part over this one.
    ///
    /// A singular field that the fetched part sets wins, repeated fields are joined, and a boolean that is
    /// false there (proto3 cannot tell false from absent) leaves this one's.
    pub fn merged(mut self, fetched: &Self) -> Self {
        // trusted_ca is a message with a oneof inside: the fetched source replaces this one
        self.trusted_ca = fetched.trusted_ca.clone().or(self.trusted_ca);
        self.ca_provider = fetched.ca_provider.or(self.ca_provider);
        self.system_root_certs = fetched.system_root_certs.or(self.system_root_certs);
        self.watched_directory = fetched.watched_directory.clone().or(self.watched_directory);
        self.names.extend(fetched.names.iter().cloned());
        self.untyped_names = self.untyped_names.or(fetched.untyped_names);
        self.other_name_without_oid = self.other_name_without_oid.or(fetched.other_name_without_oid);
        self.hashes.extend(fetched.hashes.iter().cloned());
        self.spkis.extend(fetched.spkis.iter().cloned());
        self.crl = fetched.crl.clone().or(self.crl);
        self.only_end_entity_crl = set(&fetched.only_end_entity_crl).or(self.only_end_entity_crl);
        self.max_verify_depth = fetched.max_verify_depth.clone().or(self.max_verify_depth);
        self.allow_expired = set(&fetched.allow_expired).or(self.allow_expired);
        self.accept_untrusted = fetched.accept_untrusted.or(self.accept_untrusted);
        self.custom_validator = fetched.custom_validator.clone().or(self.custom_validator);
        self
    }

    /// Whether it makes Envoy ask for a certificate at all.
    ///
    /// A context that says nothing checks nothing (`DefaultCertValidator::initializeSslContexts`).
    pub fn asks(&self) -> bool {
        self.has_anchors()
            || !self.names.is_empty()
            || self.has_pins()
            || self.accept_untrusted.is_some()
            || self.custom_validator.is_some()
    }

    /// Whether trust anchors are configured.
    pub fn has_anchors(&self) -> bool {
        self.trusted_ca.is_some() || self.ca_provider.is_some() || self.system_root_certs.is_some()
    }

    /// Whether certificates or keys are pinned.
    pub fn has_pins(&self) -> bool {
        !self.hashes.is_empty() || !self.spkis.is_empty()
    }
}

fn set(flag: &Option<Located<bool>>) -> Option<Located<bool>> {
    flag.clone().filter(|flag| flag.value)
}

/// Reads a `Secret`.
pub(super) fn read_secret(message: Message<'_>) -> Secret {
    let kind = if let Some(certificate) = message.message("tls_certificate") {
        SecretKind::Certificate(Box::new(read_certificate(certificate)))
    } else if let Some(context) = message.message("validation_context") {
        SecretKind::Validation(Box::new(read_validation(context)))
    } else {
        SecretKind::Other
    };
    let name = message.string("name").unwrap_or_else(|| Located::new(String::new(), message.span()));
    Secret { name, kind, span: message.span() }
}

/// Reads a `DownstreamTlsContext`.
pub(super) fn read_downstream(message: Message<'_>) -> DownstreamTls {
    let is_true = |name| message.boolean(name).is_some_and(|flag| flag.value);
    DownstreamTls {
        common: read_common(message),
        require_client_certificate: message.boolean("require_client_certificate"),
        never_resumes: is_true("disable_stateless_session_resumption")
            && is_true("disable_stateful_session_resumption"),
        ticket_keys: message
            .message("session_ticket_keys")
            .map(|keys| keys.messages("keys"))
            .unwrap_or_default()
            .into_iter()
            .filter_map(read_data_source)
            .collect(),
        scans_certificates: is_true("full_scan_certs_on_sni_mismatch"),
        span: message.span(),
    }
}

/// Reads an `UpstreamTlsContext`.
pub(super) fn read_upstream(message: Message<'_>) -> UpstreamTls {
    UpstreamTls {
        common: read_common(message),
        sni: message.string("sni"),
        auto_host_sni: message.boolean("auto_host_sni"),
        auto_sni_san_validation: message.boolean("auto_sni_san_validation"),
        span: message.span(),
    }
}

/// Reads a `core.v3.DataSource`.
pub(super) fn read_data_source(message: Message<'_>) -> Option<DataSource> {
    let kind = if let Some(path) = message.string("filename") {
        DataSourceKind::File(path)
    } else if let Some(node) = message.get("inline_string") {
        DataSourceKind::Inline(node.text()?)
    } else if let Some(node) = message.get("inline_bytes") {
        match decode_base64(node.as_str()?) {
            Some(bytes) => DataSourceKind::Inline(Text::opaque(node.span(), bytes)),
            None => DataSourceKind::Undecodable(node.span()),
        }
    } else {
        DataSourceKind::Environment(message.string("environment_variable")?)
    };
    let watched_directory = message.message("watched_directory").and_then(|folder| folder.string("path"));
    Some(DataSource { kind, watched_directory, span: message.span() })
}

/// Base64 as proto3's JSON mapping reads bytes: standard or URL-safe, padded or not.
pub(super) fn decode_base64(text: &str) -> Option<Vec<u8>> {
    let standard: String = text
        .chars()
        .filter(|c| !c.is_ascii_whitespace())
        .map(|c| match c {
            '-' => '+',
            '_' => '/',
            other => other,
        })
        .collect();
    base64::engine::general_purpose::STANDARD_NO_PAD.decode(standard.trim_end_matches('=')).ok()
}

fn read_common(context: Message<'_>) -> CommonTls {
    let Some(common) = context.message("common_tls_context") else {
        return CommonTls {
            certificates: Vec::new(),
            certificate_secrets: Vec::new(),
            certificate_provider: None,
            validation: Validation::Absent,
            params: TlsParams::default(),
            alpn: Vec::new(),
            custom_handshaker: None,
            span: context.span(),
        };
    };
    let first = |names: &[&str]| names.iter().find_map(|name| common.get(name).map(|node| node.span()));
    CommonTls {
        certificates: common.messages("tls_certificates").into_iter().map(read_certificate).collect(),
        certificate_secrets: common
            .messages("tls_certificate_sds_secret_configs")
            .into_iter()
            .map(read_secret_ref)
            .collect(),
        certificate_provider: first(&[
            "tls_certificate_provider_instance",
            "custom_tls_certificate_selector",
            "tls_certificate_certificate_provider",
            "tls_certificate_certificate_provider_instance",
        ]),
        validation: read_validation_choice(common),
        params: common.message("tls_params").map(read_params).unwrap_or_default(),
        alpn: common.strings("alpn_protocols"),
        custom_handshaker: first(&["custom_handshaker"]),
        span: common.span(),
    }
}

fn read_validation_choice(common: Message<'_>) -> Validation {
    if let Some(context) = common.message("validation_context") {
        return Validation::Inline(Box::new(read_validation(context)));
    }
    if let Some(reference) = common.message("validation_context_sds_secret_config") {
        return Validation::Secret(read_secret_ref(reference));
    }
    if let Some(combined) = common.message("combined_validation_context") {
        let default = combined
            .message("default_validation_context")
            .map_or_else(|| ValidationContext::empty(combined.span()), read_validation);
        return match combined.message("validation_context_sds_secret_config") {
            Some(reference) => {
                Validation::Combined { default: Box::new(default), secret: read_secret_ref(reference) }
            }
            None => Validation::Provider(combined.span()),
        };
    }
    ["validation_context_certificate_provider", "validation_context_certificate_provider_instance"]
        .iter()
        .find_map(|name| common.get(name))
        .map_or(Validation::Absent, |node| Validation::Provider(node.span()))
}

fn read_secret_ref(message: Message<'_>) -> SecretRef {
    SecretRef {
        name: message.string("name"),
        source: message.message("sds_config").and_then(super::read_source),
        span: message.span(),
    }
}

fn read_certificate(message: Message<'_>) -> TlsCertificate {
    let data = |name| message.message(name).and_then(read_data_source);
    TlsCertificate {
        certificate_chain: data("certificate_chain"),
        private_key: data("private_key"),
        pkcs12: data("pkcs12"),
        ocsp_staple: data("ocsp_staple"),
        password: message.message("password").and_then(read_data_source),
        private_key_provider: message.get("private_key_provider").map(|node| node.span()),
        watched_directory: message.message("watched_directory").and_then(|folder| folder.string("path")),
        span: message.span(),
    }
}

fn read_validation(message: Message<'_>) -> ValidationContext {
    let untyped = message.messages("match_subject_alt_names");
    let mut names: Vec<Located<NameCheck>> =
        message.messages("match_typed_subject_alt_names").into_iter().filter_map(read_typed_name).collect();
    // the deprecated field looks at every kind of name, and is not read beside the other (getSubjectAltNameMatchers)
    if names.is_empty() {
        names.extend(untyped.iter().map(|matcher| {
            let check = NameCheck::San { kind: String::new(), matcher: read_matcher(*matcher) };
            Located::new(check, matcher.span())
        }));
    }
    let accepts_untrusted = message
        .enumeration("trust_chain_verification", TRUST_CHAIN_VERIFICATION)
        .filter(|value| value.value == "ACCEPT_UNTRUSTED");
    ValidationContext {
        trusted_ca: message.message("trusted_ca").and_then(read_data_source),
        ca_provider: message.get("ca_certificate_provider_instance").map(|node| node.span()),
        system_root_certs: message.get("system_root_certs").map(|node| node.span()),
        watched_directory: message.message("watched_directory").and_then(|folder| folder.string("path")),
        names,
        untyped_names: if untyped.is_empty() { None } else { message.key_span("match_subject_alt_names") },
        other_name_without_oid: message
            .messages("match_typed_subject_alt_names")
            .into_iter()
            .find(|matcher| {
                let kind = matcher.enumeration("san_type", SAN_TYPE);
                kind.is_some_and(|kind| kind.value == "OTHER_NAME") && matcher.string("oid").is_none()
            })
            .map(Message::span),
        hashes: message.strings("verify_certificate_hash"),
        spkis: message.strings("verify_certificate_spki"),
        crl: message.message("crl").and_then(read_data_source),
        only_end_entity_crl: message.boolean("only_verify_leaf_cert_crl"),
        max_verify_depth: message.number("max_verify_depth"),
        allow_expired: message.boolean("allow_expired_certificate"),
        accept_untrusted: accepts_untrusted.map(|value| value.span),
        custom_validator: message.message("custom_validator_config").map(|config| {
            config
                .string("name")
                .unwrap_or_else(|| Located::new("custom validator".to_owned(), config.span()))
        }),
        span: message.span(),
    }
}

const TRUST_CHAIN_VERIFICATION: &str =
    "envoy.extensions.transport_sockets.tls.v3.CertificateValidationContext.TrustChainVerification";
const SAN_TYPE: &str = "envoy.extensions.transport_sockets.tls.v3.SubjectAltNameMatcher.SanType";
const TLS_PROTOCOL: &str = "envoy.extensions.transport_sockets.tls.v3.TlsParameters.TlsProtocol";

fn read_typed_name(message: Message<'_>) -> Option<Located<NameCheck>> {
    let kind = message.enumeration("san_type", SAN_TYPE).map_or("SAN_TYPE_UNSPECIFIED", |kind| kind.value);
    let matcher = read_matcher(message.message("matcher")?);
    Some(Located::new(NameCheck::San { kind: kind.to_owned(), matcher }, message.span()))
}

/// Reads a `type.matcher.v3.StringMatcher`.
pub(super) fn read_matcher(message: Message<'_>) -> StringMatcher {
    if message.boolean("ignore_case").is_some_and(|flag| flag.value) {
        return StringMatcher::Other("ignore_case".to_owned());
    }
    let text = |name| message.get(name).and_then(|node| node.as_str()).map(str::to_owned);
    if let Some(value) = text("exact") {
        StringMatcher::Exact(value)
    } else if let Some(value) = text("prefix") {
        StringMatcher::Prefix(value)
    } else if let Some(value) = text("suffix") {
        StringMatcher::Suffix(value)
    } else if let Some(value) = text("contains") {
        StringMatcher::Contains(value)
    } else if let Some(value) = message.message("safe_regex").and_then(|regex| regex.string("regex")) {
        StringMatcher::Regex(value.value)
    } else {
        StringMatcher::Other("custom".to_owned())
    }
}

fn read_params(message: Message<'_>) -> TlsParams {
    let version = |name| {
        let written = message.enumeration(name, TLS_PROTOCOL)?;
        let protocol = match written.value {
            "TLSv1_0" => Protocol::Tls10,
            "TLSv1_1" => Protocol::Tls11,
            "TLSv1_2" => Protocol::Tls12,
            "TLSv1_3" => Protocol::Tls13,
            _ => return None,
        };
        Some(Located::new(protocol, written.span))
    };
    TlsParams {
        minimum: version("tls_minimum_protocol_version"),
        maximum: version("tls_maximum_protocol_version"),
        cipher_suites: message.strings("cipher_suites"),
        algorithms: Algorithms {
            groups: message.strings("ecdh_curves"),
            suites: None,
            signatures: message.strings("signature_algorithms"),
            policy: message.strings("compliance_policies").into_iter().next(),
        },
    }
}
