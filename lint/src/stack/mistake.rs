//! The mistakes that a prediction can name: one list, whose ids the rules share.

use super::certificate::Purpose;

macro_rules! mistakes {
    ($($(#[doc = $doc:literal])+ $name:ident => $id:literal,)+) => {
        /// What is wrong with a connection.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
        pub enum Mistake {
            $($(#[doc = $doc])+ $name,)+
        }

        impl Mistake {
            /// Every mistake.
            pub const ALL: &[Self] = &[$(Self::$name,)+];

            /// The id of the rule that reports it.
            pub fn rule(self) -> &'static str {
                match self {
                    $(Self::$name => $id,)+
                }
            }
        }
    };
}

mistakes! {
    /// No trusted certificate issued it.
    UnknownIssuer => "unknown-issuer",
    /// An intermediate is neither sent nor in the bundle.
    MissingIntermediate => "missing-intermediate",
    /// The bundle holds an intermediate, but not the root that this verifier insists on.
    MissingRoot => "missing-root",
    /// It signed itself and nobody trusts it.
    UntrustedSelfSigned => "untrusted-self-signed-certificate",
    /// A trusted CA bears the issuer's name, but another key.
    IssuerWithOtherKey => "issuer-with-other-key",
    /// The signature does not verify.
    InvalidSignature => "invalid-signature",
    /// notAfter has passed.
    ExpiredCertificate => "expired-certificate",
    /// notBefore lies ahead.
    NotYetValidCertificate => "not-yet-valid-certificate",
    /// extKeyUsage lacks clientAuth.
    MissingClientAuthUsage => "missing-client-auth-usage",
    /// extKeyUsage lacks serverAuth.
    MissingServerAuthUsage => "missing-server-auth-usage",
    /// The extended key usage of an issuing certificate excludes what the end-entity certificate is used for.
    UsageExcludedByIssuer => "usage-excluded-by-issuer",
    /// keyUsage forbids what the key is used for.
    UnsuitableKeyUsage => "unsuitable-key-usage",
    /// An issuing certificate is no CA.
    IssuerNotCa => "issuer-not-ca",
    /// pathLenConstraint is exceeded.
    PathLengthExceeded => "path-length-exceeded",
    /// The configured depth is exceeded.
    VerifyDepthExceeded => "verify-depth-exceeded",
    /// nameConstraints forbid a name.
    NameConstraintViolated => "name-constraint-violated",
    /// A critical extension that this verifier does not know.
    UnknownCriticalExtension => "unknown-critical-extension",
    /// A certificate that this program cannot parse, or will not.
    MalformedCertificate => "malformed-certificate",
    /// A key too short for the security level or the stack.
    WeakKey => "weak-key",
    /// MD5 or SHA-1 where they are no longer accepted.
    WeakSignature => "weak-signature",
    /// A certificate is on a revocation list.
    RevokedCertificate => "revoked-certificate",
    /// A revocation list is missing, out of date or unreadable.
    UnusableRevocationList => "unusable-revocation-list",
    /// The certificate does not bear the name that is checked.
    NameMismatch => "name-mismatch",
    /// A verifier demands a name of its peer that the certificate does not bear.
    NameNotAllowed => "name-not-allowed",
    /// The certificate matches no pinned hash.
    PinMismatch => "pin-mismatch",
    /// The server insists on a client certificate and gets none.
    MissingClientCertificate => "missing-client-certificate",
    /// Verification is on, but nothing is trusted.
    MissingTrustBundle => "missing-trust-bundle",
    /// Certificate and private key do not belong together.
    MismatchedKey => "mismatched-key",
    /// The private key belongs to another certificate of the file than the first.
    MisorderedChain => "misordered-chain",
    /// The private key is encrypted and no passphrase is given.
    EncryptedKey => "encrypted-key",
    /// A certificate, key, bundle or list file that this program cannot read.
    UnreadableFile => "unreadable-file",
    /// A file that is not there.
    MissingFile => "missing-file",
    /// A trust bundle without a certificate.
    EmptyTrustBundle => "empty-trust-bundle",
    /// A setting that the program refuses.
    RefusedSetting => "refused-setting",
    /// No protocol version in common.
    NoCommonProtocol => "no-common-protocol",
    /// No cipher suite, curve or signature algorithm in common.
    NoCommonAlgorithm => "no-common-algorithm",
    /// A plaintext client meets a TLS port.
    PlaintextToTls => "plaintext-to-tls-port",
    /// A TLS client meets a plaintext port.
    TlsToPlaintext => "tls-to-plaintext-port",
    /// No context, no ssl object, no filter chain for this server name.
    UnknownServerName => "unknown-server-name",
    /// The server refuses handshakes for this name.
    RejectedHandshake => "rejected-handshake",
    /// Host and SNI name two virtual servers, where the server insists on one.
    HostDiffersFromServerName => "host-differs-from-server-name",
    /// etcd's gateway cannot use the server certificate as client certificate.
    GatewayRefused => "self-refusing-gateway",
    /// etcd's gRPC gateway is off.
    GatewayDisabled => "gateway-disabled",
    /// The caller's address is not let in.
    AddressNotAllowed => "address-not-allowed",
    /// The API key is missing or wrong.
    WrongApiKey => "wrong-api-key",
    /// The peer's certificate names other addresses than the one it calls from.
    ForeignAddress => "foreign-peer-address",
}

impl Mistake {
    /// The missing usage for a purpose, in the end-entity certificate or above it.
    pub fn missing_usage(depth: usize, purpose: Purpose) -> Self {
        match purpose {
            _ if depth > 0 => Self::UsageExcludedByIssuer,
            Purpose::Server => Self::MissingServerAuthUsage,
            Purpose::Client => Self::MissingClientAuthUsage,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_mistake_has_an_id_of_its_own_in_kebab_case() {
        let mut ids: Vec<&str> = Mistake::ALL.iter().map(|mistake| mistake.rule()).collect();
        assert!(ids.iter().all(|id| id.bytes().all(|byte| byte.is_ascii_lowercase() || byte == b'-')));
        ids.sort_unstable();
        ids.dedup();
        assert_eq!(ids.len(), Mistake::ALL.len());
    }
}
