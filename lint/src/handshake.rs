//! What will happen on a connection: configuration, handshake, first request, in the order of the wire.

use crate::deployment::{Connection, Deployment};
use crate::finding::Label;
use crate::source::FileId;

/// Seconds since 1970-01-01T00:00:00Z.
pub type UnixSeconds = i64;

/// The predicted end of a connection.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Prediction {
    /// How it ends.
    pub outcome: Outcome,
    /// The side that rejects.
    pub rejected_by: Option<Side>,
    /// Whether the server is really authenticated to the client; None when undetermined.
    pub server_authenticated: Option<bool>,
    /// Whether the client is really authenticated to the server; None when undetermined.
    pub client_authenticated: Option<bool>,
    /// Reasons, nearest cause first.
    pub why: Vec<Why>,
    /// The line the client prints.
    pub client_sees: Option<String>,
    /// The line the server logs.
    pub server_logs: Option<String>,
    /// What we would have to see.
    pub undetermined_because: Vec<String>,
    /// When, by dates alone, it next gets worse, and why.
    pub breaks_at: Option<(UnixSeconds, String)>,
}

/// How a connection ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Outcome {
    /// It completes, and the first request is answered.
    Completes,
    /// A side refuses to start or to load its files.
    ConfigRejected,
    /// The handshake fails.
    HandshakeFails,
    /// The request is refused on account of the certificate or of access settings beside it.
    RequestRejected,
    /// We would have to see more.
    Undetermined,
}

impl Outcome {
    /// The word of the JSON contract.
    pub fn name(self) -> &'static str {
        match self {
            Self::Completes => "completes",
            Self::ConfigRejected => "config-rejected",
            Self::HandshakeFails => "handshake-fails",
            Self::RequestRejected => "request-rejected",
            Self::Undetermined => "undetermined",
        }
    }
}

/// A side of a connection.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Side {
    /// The one that dials.
    Client,
    /// The one that listens.
    Server,
}

/// One reason, named by the rule that finds it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Why {
    /// The rule's id.
    pub rule: &'static str,
    /// Both halves of the disagreement.
    pub message: String,
    /// Where each half stands; the first is the primary place.
    pub labels: Vec<Label>,
    /// What to write instead, where that is certain.
    pub help: Option<String>,
}

/// Predicts every connection of a deployment, in its order.
pub fn predict_all(deployment: &Deployment, at: UnixSeconds) -> Vec<Prediction> {
    deployment.connections.iter().map(|connection| predict(deployment, connection, at)).collect()
}

/// Predicts one connection.
pub fn predict(deployment: &Deployment, connection: &Connection, at: UnixSeconds) -> Prediction {
    let _ = (deployment, connection, at, FileId(0));
    Prediction {
        outcome: Outcome::Undetermined,
        rejected_by: None,
        server_authenticated: None,
        client_authenticated: None,
        why: Vec::new(),
        client_sees: None,
        server_logs: None,
        undetermined_because: Vec::new(),
        breaks_at: None,
    }
}
