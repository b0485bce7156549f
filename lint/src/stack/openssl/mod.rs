//! OpenSSL: nginx, curl, `openssl s_client`, OpenResty. Followed: crypto/x509/x509_vfy.c and v3_purp.c of 3.0,
//! which 3.5 and 3.6 did not change in anything that was observed.

pub(crate) mod blocks;
pub mod ciphers;
mod error_text;
pub mod host;
mod issuer;
pub mod level;
pub mod load;
mod names;
pub mod pem;
mod validate;

pub use error_text::error_text;
pub use issuer::self_signed;
pub(crate) use issuer::{is_public, likely_issued, unknown_issuer_kind};
pub use names::name_constraints;
pub use validate::{Settings, Validation, validate};
