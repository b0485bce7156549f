//! Mistakes at one program's listeners and dialers.

pub mod open_admin_api;
pub mod published_admin_key;
pub mod unasked_client_certificate;
pub mod unauthenticated_clients;
pub mod unverified_server;
