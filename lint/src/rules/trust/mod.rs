//! Mistakes of trust bundles and certification paths.

pub mod empty_trust_bundle;
pub mod end_entity_as_trust_anchor;
pub mod expired_trust_anchor;
pub mod invalid_signature;
pub mod issuer_not_ca;
pub mod issuer_with_other_key;
pub mod missing_intermediate;
pub mod missing_root;
pub mod missing_trust_bundle;
pub mod path_length_exceeded;
pub mod pin_mismatch;
pub mod private_key_in_trust_bundle;
pub mod revoked_certificate;
pub mod rootless_trust_bundle;
pub mod unreachable_issuer;
pub mod unsent_intermediate;
pub mod untrusted_self_signed_certificate;
pub mod unusable_revocation_list;
pub mod verification_without_trust;
pub mod verify_depth_exceeded;
