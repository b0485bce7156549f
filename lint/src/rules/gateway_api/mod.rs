//! Mistakes of Gateways and their policies.

pub mod backend_policy_without_hostname;
pub mod backend_policy_without_trust;
pub mod conflicting_backend_trust;
pub mod conflicting_listener_protocol;
pub mod frontend_validation_without_ca;
pub mod insecure_client_fallback;
pub mod listener_without_certificate;
pub mod misplaced_frontend_validation;
pub mod missing_reference_grant;
pub mod unattached_backend_policy;
pub mod unsupported_certificate_reference;
pub mod unused_frontend_validation;
