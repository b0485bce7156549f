//! Mistakes that show where two programs meet.

pub mod address_not_allowed;
pub mod common_name_through_gateway;
pub mod foreign_peer_address;
pub mod gateway_disabled;
pub mod host_differs_from_server_name;
pub mod missing_client_certificate;
pub mod name_mismatch;
pub mod name_not_allowed;
pub mod no_common_algorithm;
pub mod no_common_protocol;
pub mod plaintext_to_tls_port;
pub mod rejected_handshake;
pub mod tls_to_plaintext_port;
pub mod unanswered_port;
pub mod unknown_issuer;
pub mod unknown_server_name;
pub mod wrong_api_key;
