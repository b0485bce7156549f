//! Reads a whole deployment's configuration and certificates, predicts every TLS connection in it and
//! names each mistake on the line where it stands.
//!
//! ```text
//! Sources → syntax → dialect → resolve → Deployment → handshake::predict + rules → Report → render
//! ```

pub mod assume;
pub mod deployment;
pub mod finding;
pub mod handshake;
pub mod resolve;
pub mod source;
pub mod syntax;
