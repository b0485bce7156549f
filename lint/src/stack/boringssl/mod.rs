//! BoringSSL as Envoy sets it up: X509_V_FLAG_PARTIAL_CHAIN, trusted certificates first. Followed:
//! crypto/x509/x509_vfy.cc and v3_purp.cc of BoringSSL, source/common/tls/cert_validator/default_validator.cc of Envoy.

pub mod algorithms;
pub mod choice;
pub mod host;
pub mod load;
mod validate;

pub use validate::{Settings, validate};
