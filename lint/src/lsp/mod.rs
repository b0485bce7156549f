//! The Language Server Protocol, as far as it needs neither files nor threads: frames, positions, and what an editor
//! asks and is told. Reading the workspace and judging it is the caller's.
//!
//! Written by hand: the protocol's part that a linter needs is small, and what comes in is bounded here before anything
//! reads it. A frame that is damaged costs that frame.

pub mod diagnose;
pub mod frame;
pub mod position;
pub mod session;
