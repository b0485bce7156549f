//! What will happen on a connection: configuration, handshake, first request, in the order of the wire.

mod apisix;
mod dates;
mod envoy;

pub mod held;
mod nearest;
mod negotiate;
mod nginx;
mod outcome;
mod request;
mod shelf;
mod sides;
mod verify;
mod wire;
mod words;

use crate::deployment::{Connection, Deployment, Dialer, Lookup, Program, ProgramId};
use crate::finding::Label;
pub use crate::time::UnixSeconds;
pub(crate) use apisix::unusable_objects;
use outcome::{End, Step, Stop, unknown};
pub(crate) use shelf::Shelf;
use wire::{Authenticated, Wire};

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
    let shelf = Shelf::new(deployment);
    deployment.connections.iter().map(|connection| predict_with(&shelf, connection, at)).collect()
}

/// Predicts one connection.
pub fn predict(deployment: &Deployment, connection: &Connection, at: UnixSeconds) -> Prediction {
    predict_with(&Shelf::new(deployment), connection, at)
}

fn predict_with(shelf: &Shelf<'_>, connection: &Connection, at: UnixSeconds) -> Prediction {
    shelf.signatures.renew();
    let mut prediction = judge(shelf, connection, at);
    if prediction.outcome == Outcome::Completes {
        prediction.breaks_at = dates::breaks_at(shelf, connection, at);
    }
    prediction
}

/// What happens at one moment.
fn judge(shelf: &Shelf<'_>, connection: &Connection, at: UnixSeconds) -> Prediction {
    let deployment = shelf.deployment;
    let client = connection.client.and_then(|(id, dialer)| {
        let program = deployment.programs.get(id)?;
        Some((id, program, program.dialers.get(dialer)?))
    });
    let mut authenticated = Authenticated::default();
    let step = match &connection.server {
        Lookup::Found((id, listener)) => {
            let server = deployment
                .programs
                .get(*id)
                .and_then(|program| Some((*id, program, program.listeners.get(*listener)?)));
            match server {
                Some(server) => {
                    let wire = Wire { shelf, connection, client, server, at, is_gateway: false };
                    wire.run(&mut authenticated)
                }
                None => Err(unknown(vec!["the listener is not seen".to_owned()])),
            }
        }
        Lookup::Missing(missing) => client_alone(shelf, client).and_then(|()| {
            let reason = Why {
                rule: missing.rule,
                message: missing.message.clone(),
                labels: missing.labels.clone(),
                help: None,
            };
            Err(Stop::End(Box::new(End {
                outcome: Outcome::HandshakeFails,
                side: None,
                why: vec![reason],
                client_sees: None,
                server_logs: None,
                alert: None,
            })))
        }),
        Lookup::Unseen(why) => client_alone(shelf, client).and_then(|()| Err(unknown(vec![why.clone()]))),
    };
    let mut prediction = conclude(step, authenticated);
    if connection.client.is_none() {
        // whether callers that we do not know verify the server is theirs
        prediction.server_authenticated = None;
    }
    prediction
}

/// A client whose server is not there may still refuse its own configuration.
fn client_alone(shelf: &Shelf<'_>, client: Option<(ProgramId, &Program, &Dialer)>) -> Step {
    let Some((id, program, dialer)) = client else { return Ok(()) };
    shelf.starts_once(id, program, Side::Client)?;
    shelf.dialer(program, dialer, Side::Client).map(|_| ())
}

fn conclude(step: Step, authenticated: Authenticated) -> Prediction {
    let mut prediction = Prediction {
        outcome: Outcome::Completes,
        rejected_by: None,
        server_authenticated: Some(authenticated.server),
        client_authenticated: (!authenticated.by_name).then_some(authenticated.client),
        why: Vec::new(),
        client_sees: None,
        server_logs: None,
        undetermined_because: Vec::new(),
        breaks_at: None,
    };
    match step {
        Ok(()) => {}
        Err(Stop::Unknown(because)) => {
            prediction.outcome = Outcome::Undetermined;
            prediction.server_authenticated = None;
            prediction.client_authenticated = None;
            prediction.undetermined_because = because;
        }
        Err(Stop::End(end)) => {
            prediction.outcome = end.outcome;
            prediction.rejected_by = end.side;
            prediction.why = end.why;
            prediction.client_sees = end.client_sees;
            prediction.server_logs = end.server_logs;
        }
    }
    prediction
}
