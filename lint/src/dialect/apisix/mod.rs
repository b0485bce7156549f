//! Apache APISIX: config.yaml, the objects of its Admin API and of apisix.yaml, the ingress controller's kinds,
//! and what it does with a request.
//!
//! Facts are those of 3.18.0 as observed, unless a comment names another version or a source.

pub mod config;
pub mod ingress;
pub mod objects;
pub mod request;
pub mod values;

use crate::deployment::FileRef;

pub use config::Config;
pub use objects::Objects;
pub use values::{Environment, NO_ENVIRONMENT};

/// What an APISIX was given: its configuration and the objects it serves, for the rules about them.
#[derive(Debug, Clone)]
pub struct Facts {
    /// config.yaml.
    pub config: Config,
    /// Routes, upstreams, ssl objects and the like, as far as they were seen.
    pub objects: Objects,
    /// The modules of `wasm.plugins`, as they are found.
    pub modules: Vec<FileRef>,
}
