//! Go's crypto/x509 and crypto/tls: etcd, etcdctl, etcd's gateway and peers. Followed: src/crypto/x509/verify.go
//! of 1.19, and what 1.24 and 1.26 changed in it.

pub mod host;
pub mod load;
mod names;
pub mod pem;
mod validate;

pub use names::constraint_violation;
pub use validate::{WRAPS_VERIFICATION_ERRORS, parse_error, validate};
