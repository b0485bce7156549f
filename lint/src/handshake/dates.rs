//! When a connection that completes first breaks, by dates alone.

use std::collections::BTreeSet;

use super::files::Shelf;
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
    let own = Shelf::new(shelf.deployment);
    // read what this connection reads, and nothing else
    judge(&own, connection, at);
    let mut moments = BTreeSet::new();
    for certificate in own.certificates() {
        moments.insert(certificate.not_before);
        moments.insert(certificate.not_after.saturating_add(1));
    }
    moments.extend(own.list_moments());
    for moment in moments.into_iter().filter(|moment| *moment > at).take(MOST_MOMENTS) {
        let then = judge(&own, connection, moment);
        if then.outcome != Outcome::Completes && then.outcome != Outcome::Undetermined {
            let why = then.why.first().map(|why| why.message.clone()).unwrap_or_default();
            return Some((moment, why));
        }
    }
    None
}
