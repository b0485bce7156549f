//! Mistakes of the plumbing: mounts, Secrets, environments.

pub mod issuer_without_ca;
pub mod literal_password;
pub mod missing_config_map;
pub mod missing_issuer;
pub mod missing_key;
pub mod missing_secret;
pub mod missing_volume;
pub mod shadowed_system_trust;
pub mod unknown_service_port;
pub mod unknown_target_port;
pub mod unmatched_selector;
pub mod unmounted_path;
