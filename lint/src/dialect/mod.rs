//! What a vendor's text means: one vocabulary per module, pure, located, with defaults by version.

pub mod apisix;
pub mod cert_manager;
pub mod command;
pub mod envoy;
pub mod etcd;
pub mod gateway_api;
pub mod ingress_nginx;
pub mod kubernetes;
pub mod nginx;
pub mod placeholder;
