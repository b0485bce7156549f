//! How a step of a connection ends when it does not go on.

use super::shelf::{Refused, Unfit};
use super::words::alert::Alert;
use super::{Outcome, Side, Why};
use crate::deployment::Refusal;
use crate::finding::Label;
use crate::stack::{Fault, Mistake};

/// A step that does not lead to the next one.
#[derive(Debug, Clone)]
pub enum Stop {
    /// The connection ends here.
    End(Box<End>),
    /// We would have to see more.
    Unknown(Vec<String>),
}

/// Goes on, or stops.
pub type Step<T = ()> = Result<T, Stop>;

/// An end.
#[derive(Debug, Clone)]
pub struct End {
    /// How.
    pub outcome: Outcome,
    /// Who rejects; None where nobody answers.
    pub side: Option<Side>,
    /// Nearest cause first.
    pub why: Vec<Why>,
    /// What the client prints.
    pub client_sees: Option<String>,
    /// What the server logs.
    pub server_logs: Option<String>,
    /// The alert with which the rejecting side tells the other.
    pub alert: Option<Alert>,
}

impl End {
    /// An end for one reason.
    pub fn new(outcome: Outcome, side: Side, why: Why) -> Self {
        Self { outcome, side: Some(side), why: vec![why], client_sees: None, server_logs: None, alert: None }
    }

    /// With what the client prints.
    pub fn seen(mut self, line: impl Into<String>) -> Self {
        self.client_sees = Some(line.into());
        self
    }

    /// With what the server logs.
    pub fn logged(mut self, line: impl Into<String>) -> Self {
        self.server_logs = Some(line.into());
        self
    }

    /// With the alert that the rejecting side sends.
    pub fn alerting(mut self, alert: impl Into<Option<Alert>>) -> Self {
        self.alert = alert.into();
        self
    }

    /// As a stop.
    pub fn stop(self) -> Stop {
        Stop::End(Box::new(self))
    }
}

/// We would have to see this.
pub fn unknown(why: impl Into<Vec<String>>) -> Stop {
    Stop::Unknown(why.into())
}

/// A reason.
pub fn why(mistake: Mistake, message: impl Into<String>, labels: Vec<Label>) -> Why {
    Why { rule: mistake.rule(), message: message.into(), labels, help: None }
}

impl From<&Refusal> for Why {
    fn from(refusal: &Refusal) -> Self {
        Self {
            rule: refusal.rule,
            message: refusal.message.clone(),
            labels: refusal.labels.clone(),
            help: refusal.help.clone(),
        }
    }
}

impl From<Refused> for Why {
    fn from(refused: Refused) -> Self {
        Self { rule: refused.rule, message: refused.message, labels: refused.labels, help: None }
    }
}

impl From<Unfit> for Why {
    fn from(unfit: Unfit) -> Self {
        Self { rule: unfit.mistake.rule(), message: unfit.message, labels: unfit.labels, help: None }
    }
}

impl Why {
    /// A fault of a path, with where the verifier's trust stands.
    pub fn fault(fault: &Fault, verifier: Option<Label>) -> Self {
        let mut labels = Vec::new();
        if let Some(certificate) = &fault.certificate {
            labels.push(Label { span: certificate.span, message: fault.message.clone() });
        }
        labels.extend(verifier);
        Self { rule: fault.mistake.rule(), message: fault.message.clone(), labels, help: None }
    }
}
