//! Mistakes at one program's listeners and dialers.

#[cfg(test)]
mod tests;

pub mod duplicate_server_name;
pub mod ineffective_setting;
pub mod open_admin_api;
pub mod open_skipped_path;
pub mod plaintext_admin_api;
pub mod plaintext_beside_client_authentication;
pub mod published_admin_key;
pub mod refused_object;
pub mod unasked_client_certificate;
pub mod unauthenticated_clients;
pub mod unknown_client_certificate_id;
pub mod unverified_server;
