//! Mistakes that show where two programs meet.

pub mod unknown_issuer;
