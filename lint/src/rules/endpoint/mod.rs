//! Mistakes at one program's listeners and dialers.

mod nginx;

pub mod accepted_expired_certificate;
pub mod accepted_untrusted_certificate;
pub mod bypassable_client_trust;
pub mod deprecated_name_check;
pub mod duplicate_directive;
pub mod duplicate_server_name;
pub mod ineffective_setting;
pub mod loose_name_pattern;
pub mod missing_file;
pub mod multiline_certificate_header;
pub mod name_check_without_trust_anchor;
pub mod open_admin_api;
pub mod open_skipped_path;
pub mod plaintext_admin_api;
pub mod plaintext_beside_client_authentication;
pub mod published_admin_key;
pub mod refused_object;
pub mod refused_setting;
pub mod refused_syntax;
pub mod requirement_without_trust_anchor;
pub mod resumable_across_servers;
pub mod spoofable_identity_header;
pub mod unasked_client_certificate;
pub mod unauthenticated_clients;
pub mod unchecked_optional_certificate;
pub mod unchecked_server_name;
pub mod uninspected_server_name;
pub mod unknown_client_certificate_id;
pub mod unreadable_file;
pub mod unrequired_client_certificate;
pub mod unsent_server_name;
pub mod unused_upstream_tls;
pub mod unverified_server;
