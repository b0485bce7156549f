//! Mistakes of certificates and keys.

pub mod certificate_without_key;
pub mod encrypted_key;
pub mod expired_certificate;
pub mod malformed_certificate;
pub mod mismatched_key;
pub mod missing_client_auth_usage;
pub mod missing_credential;
pub mod missing_server_auth_usage;
pub mod missing_server_certificate;
pub mod name_constraint_violated;
pub mod not_yet_valid_certificate;
pub mod unknown_critical_extension;
pub mod unsuitable_key_usage;
pub mod weak_key;
pub mod weak_signature;
