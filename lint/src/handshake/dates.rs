//! When a connection that completes first breaks, by dates alone.

use super::shelf::Shelf;
use super::{Outcome, UnixSeconds, judge};
use crate::deployment::Connection;

/// Moments that are tried; certificates of one connection have few.
const MOST_MOMENTS: usize = 64;

/// The first later moment at which the connection no longer completes, and why.
///
/// What decides can only change when a certificate or a revocation list that was read begins or ceases to be valid.
pub fn breaks_at(
    shelf: &Shelf<'_>,
    connection: &Connection,
    at: UnixSeconds,
) -> Option<(UnixSeconds, String)> {
    // what it takes for the programs to start is read already, and does not look at dates
    shelf.take_moments();
    judge(shelf, connection, at);
    let moments = shelf.take_moments();
    for moment in moments.into_iter().filter(|moment| *moment > at).take(MOST_MOMENTS) {
        let then = judge(shelf, connection, moment);
        if then.outcome != Outcome::Completes && then.outcome != Outcome::Undetermined {
            let why = then.why.first().map(|why| why.message.clone()).unwrap_or_default();
            return Some((moment, why));
        }
    }
    None
}
