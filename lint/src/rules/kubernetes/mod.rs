//! Mistakes of the plumbing: mounts, Secrets, environments.

pub mod literal_password;
pub mod shadowed_system_trust;
