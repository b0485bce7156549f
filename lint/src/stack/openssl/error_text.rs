//! The words for OpenSSL's verification errors, X509_V_ERR_….

/// X509_verify_cert_error_string.
pub fn error_text(number: u32) -> &'static str {
    match number {
        2 => "unable to get issuer certificate",
        3 => "unable to get certificate CRL",
        7 => "certificate signature failure",
        8 => "CRL signature failure",
        9 => "certificate is not yet valid",
        10 => "certificate has expired",
        11 => "CRL is not yet valid",
        12 => "CRL has expired",
        18 => "self-signed certificate",
        19 => "self-signed certificate in certificate chain",
        20 => "unable to get local issuer certificate",
        21 => "unable to verify the first certificate",
        23 => "certificate revoked",
        25 => "path length constraint exceeded",
        26 => "unsuitable certificate purpose",
        28 => "certificate rejected",
        32 => "key usage does not include certificate signing",
        34 => "unhandled critical extension",
        35 => "key usage does not include CRL signing",
        47 => "permitted subtree violation",
        48 => "excluded subtree violation",
        51 => "unsupported name constraint type",
        53 => "unsupported or invalid name syntax",
        62 => "hostname mismatch",
        66 => "EE certificate key too weak",
        67 => "CA certificate key too weak",
        68 => "CA signature digest algorithm too weak",
        79 => "invalid CA certificate",
        _ => "unspecified certificate verification error",
    }
}
