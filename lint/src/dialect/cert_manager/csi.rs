//! Volumes of cert-manager's CSI driver: a certificate asked for in `volumeAttributes`.

use super::usage::from_words;
use super::{Certificate, DEFAULT_DURATION, IssuerReference, go_duration};
use crate::deployment::{PlannedKey, Setting};
use crate::dialect::kubernetes::{Metadata, Pair};
use crate::source::{Located, Span};

/// A certificate that a volume asks for, and the files that it becomes.
#[derive(Debug, Clone)]
pub struct CsiRequest {
    /// The certificate, as a Certificate would ask for it.
    pub certificate: Certificate,
    /// `certificate-file`.
    pub certificate_file: String,
    /// `privatekey-file`.
    pub key_file: String,
    /// `ca-file`.
    pub ca_file: String,
}

/// Reads `volumeAttributes` (variables such as `${POD_NAME}` replaced); defaults as in the driver's documentation.
pub fn csi_request(attributes: &[Pair], namespace: &str, namespace_written: bool, place: Span) -> CsiRequest {
    let get = |key: &str| {
        let name = format!("csi.cert-manager.io/{key}");
        attributes.iter().find(|pair| pair.key.value == name).map(|pair| pair.value.clone())
    };
    let list = |key: &str| -> Vec<Located<String>> {
        let Some(text) = get(key) else { return Vec::new() };
        let parts = text.value.split(',').map(str::trim).filter(|part| !part.is_empty());
        parts.map(|part| Located::new(part.to_owned(), text.span)).collect()
    };
    let setting = |key: &str, default: &str| match get(key) {
        Some(given) => Setting::Given(given),
        None => Setting::Default { value: default.to_owned(), parent: place },
    };
    let seconds = |key: &str, default: i64| match get(key)
        .and_then(|text| Some(Located::new(go_duration(&text.value)?, text.span)))
    {
        Some(given) => Setting::Given(given),
        None => Setting::Default { value: default, parent: place },
    };
    let is_ca = match get("is-ca") {
        Some(text) => Setting::Given(text.map(|text| text == "true")),
        None => Setting::Default { value: false, parent: place },
    };
    let common_name = get("common-name");
    let duration = seconds("duration", DEFAULT_DURATION);
    let usages = from_words(&list("key-usages"), *is_ca.value(), place);
    let file = |key: &str, default: &str| get(key).map_or_else(|| default.to_owned(), |text| text.value);
    CsiRequest {
        certificate: Certificate {
            metadata: Metadata {
                name: Located::new("csi".to_owned(), place),
                namespace: namespace_written.then(|| Located::new(namespace.to_owned(), place)),
                labels: Vec::new(),
                annotations: Vec::new(),
                span: place,
            },
            secret_name: None,
            subject: match &common_name {
                Some(name) => Setting::Given(name.clone().map(|name| format!("CN={name}"))),
                None => Setting::Default { value: String::new(), parent: place },
            },
            common_name,
            dns_names: list("dns-names"),
            ip_addresses: list("ip-sans"),
            uris: list("uri-sans"),
            email_addresses: Vec::new(),
            is_ca,
            usages,
            renew_before: seconds("renew-before", duration.value() / 3),
            duration,
            key: PlannedKey::Rsa(2048),
            rotates_key: match get("reuse-private-key") {
                Some(text) => Setting::Given(text.map(|text| text != "true")),
                None => Setting::Default { value: true, parent: place },
            },
            issuer: IssuerReference {
                name: get("issuer-name"),
                kind: setting("issuer-kind", "Issuer"),
                group: setting("issuer-group", "cert-manager.io"),
            },
            is_copied: false,
            extra_keys: Vec::new(),
            name_constraints: None,
            refusals: Vec::new(),
            span: place,
        },
        certificate_file: file("certificate-file", "tls.crt"),
        key_file: file("privatekey-file", "tls.key"),
        ca_file: file("ca-file", "ca.crt"),
    }
}
