//! Mistakes that show when a certificate is renewed.

pub mod rekeyed_authority;
pub mod renewal_loop;
pub mod renewed_after_issuer_expires;
pub mod reused_key;
pub mod secret_mounted_by_sub_path;
pub mod unreloaded_certificate;
