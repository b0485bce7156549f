//! What a certificate may be used for: basicConstraints, keyUsage, extKeyUsage.

/// basicConstraints (RFC 5280 section 4.2.1.9).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct BasicConstraints {
    /// cA.
    pub ca: bool,
    /// pathLenConstraint.
    pub path_length: Option<u32>,
}

/// Bits of keyUsage (RFC 5280 section 4.2.1.3), as OpenSSL numbers them.
#[derive(Debug, Clone, Copy)]
pub struct KeyUsage;

impl KeyUsage {
    /// digitalSignature.
    pub const DIGITAL_SIGNATURE: u16 = 0x80;
    /// nonRepudiation.
    pub const NON_REPUDIATION: u16 = 0x40;
    /// keyEncipherment.
    pub const KEY_ENCIPHERMENT: u16 = 0x20;
    /// dataEncipherment.
    pub const DATA_ENCIPHERMENT: u16 = 0x10;
    /// keyAgreement.
    pub const KEY_AGREEMENT: u16 = 0x08;
    /// keyCertSign.
    pub const KEY_CERT_SIGN: u16 = 0x04;
    /// cRLSign.
    pub const CRL_SIGN: u16 = 0x02;

    /// Names of the bits, for messages.
    pub fn names(bits: u16) -> String {
        let known = [
            (Self::DIGITAL_SIGNATURE, "digitalSignature"),
            (Self::NON_REPUDIATION, "nonRepudiation"),
            (Self::KEY_ENCIPHERMENT, "keyEncipherment"),
            (Self::DATA_ENCIPHERMENT, "dataEncipherment"),
            (Self::KEY_AGREEMENT, "keyAgreement"),
            (Self::KEY_CERT_SIGN, "keyCertSign"),
            (Self::CRL_SIGN, "cRLSign"),
        ];
        let names: Vec<&str> =
            known.iter().filter(|(bit, _)| bits & bit != 0).map(|(_, name)| *name).collect();
        if names.is_empty() { "none".to_owned() } else { names.join(", ") }
    }

    /// The bit of a name of RFC 5280; 0 for another.
    pub(super) fn bit(name: &str) -> u16 {
        match name {
            "digitalSignature" => Self::DIGITAL_SIGNATURE,
            "nonRepudiation" | "contentCommitment" => Self::NON_REPUDIATION,
            "keyEncipherment" => Self::KEY_ENCIPHERMENT,
            "dataEncipherment" => Self::DATA_ENCIPHERMENT,
            "keyAgreement" => Self::KEY_AGREEMENT,
            "keyCertSign" => Self::KEY_CERT_SIGN,
            "cRLSign" => Self::CRL_SIGN,
            _ => 0,
        }
    }
}

/// What a certificate is to be used for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Purpose {
    /// A server's certificate, judged by a client.
    Server,
    /// A client's certificate, judged by a server.
    Client,
}

impl Purpose {
    /// id-kp-serverAuth or id-kp-clientAuth.
    pub fn oid(self) -> &'static str {
        match self {
            Self::Server => SERVER_AUTH,
            Self::Client => CLIENT_AUTH,
        }
    }

    /// The name of RFC 5280.
    pub fn name(self) -> &'static str {
        match self {
            Self::Server => "serverAuth",
            Self::Client => "clientAuth",
        }
    }
}

/// id-kp-serverAuth.
pub const SERVER_AUTH: &str = "1.3.6.1.5.5.7.3.1";
/// id-kp-clientAuth.
pub const CLIENT_AUTH: &str = "1.3.6.1.5.5.7.3.2";
/// anyExtendedKeyUsage.
pub const ANY_USAGE: &str = "2.5.29.37.0";

/// An extended key usage by the name of RFC 5280.
pub fn usage_name(oid: &str) -> &str {
    match oid {
        SERVER_AUTH => "serverAuth",
        CLIENT_AUTH => "clientAuth",
        ANY_USAGE => "anyExtendedKeyUsage",
        "1.3.6.1.5.5.7.3.3" => "codeSigning",
        "1.3.6.1.5.5.7.3.4" => "emailProtection",
        "1.3.6.1.5.5.7.3.8" => "timeStamping",
        "1.3.6.1.5.5.7.3.9" => "OCSPSigning",
        _ => oid,
    }
}
