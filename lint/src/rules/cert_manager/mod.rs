//! Mistakes of Certificates and issuers: what cert-manager refuses, and what it issues that nobody should want.

pub mod certificate_without_names;
pub mod certificate_without_secret_name;
pub mod common_name_too_long;
pub mod conflicting_renewal;
pub mod conflicting_subject;
pub mod duration_too_short;
pub mod invalid_alternative_name;
pub mod invalid_certificate_duration;
pub mod invalid_key_parameters;
pub mod renew_before_exceeds_duration;
pub mod signature_algorithm_of_another_key;
pub mod unknown_certificate_usage;
pub mod unusable_name_constraints;
