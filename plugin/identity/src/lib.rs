//! The model shared by filter, linter and page: certificates, the identities they carry, and the policy
//! that decides what an identity may do. Knows no host, clock or file.
#![forbid(unsafe_code)]
#![cfg_attr(not(test), deny(clippy::indexing_slicing))]

pub mod certificate;
pub mod identity;
pub mod policy;
pub mod signature;
pub mod sorted;
pub mod usage;
