//! Mistakes of what is allowed: comments and ignores that do nothing, or no longer.

pub mod expired_allowance;
pub mod ineffective_allowance;
pub mod unused_allowance;
