//! OpenSSL: nginx, curl, `openssl s_client`, OpenResty. Followed: crypto/x509/x509_vfy.c and v3_purp.c of 3.0,
//! which 3.5 and 3.6 did not change in anything that was observed.

pub mod ciphers;
pub mod host;
pub mod level;
pub mod load;
mod names;
pub mod pem;
mod validate;

pub use names::name_constraints;
pub use validate::{Settings, Validation, error_text, self_signed, validate};
pub(crate) use validate::{is_public, likely_issued, unknown_issuer_kind};
