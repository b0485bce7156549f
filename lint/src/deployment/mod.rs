//! The deployment: programs, the endpoints at which they listen and dial, and the files these load.
//!
//! Everything here is resolved: no path, name or reference is left for a rule or a prediction to follow.
//! What could not be followed says so: [`Lookup::Missing`] (we saw where it had to be) or
//! [`Lookup::Unseen`] (it lies outside the sources). An error never rests on `Unseen`.

mod connection;
mod credential;
mod dialer;
mod listener;
mod lookup;
mod manifests;
mod planned;
mod program;
mod protocol;
mod setting;
mod trust;
mod version;

use std::collections::BTreeMap;
use std::net::IpAddr;

use crate::source::Text;

pub use connection::{Connection, Request};
pub use credential::{Content, Credential, FileRef};
pub use dialer::{
    ClientTls, Dialer, DialerPurpose, PathPattern, RouteMatch, Speaks, Target, UnfitCredential,
};
pub use listener::{
    Bind, ClientAuth, ClientAuthMode, Gate, Listener, ListenerPurpose, ListenerTls, Passage, Selection,
    ServerContext,
};
pub use lookup::{Lookup, Missing};
pub use manifests::{ControlPlane, ExposedPort, ManifestFacts, NamedSecret, NginxIngress};
pub use planned::{PlannedCertificate, PlannedConstraints, PlannedIssuer, PlannedKey};
pub use program::{Configuration, OUTSIDE, Program, ProgramKind, Refusal};
pub use protocol::{Algorithms, Protocol, Protocols};
pub use setting::Setting;
pub use trust::{NameCheck, PathChecks, StringMatcher, Trust, TrustLoader};
pub use version::{KnownFrom, Stack, Version, Versions};

/// A whole deployment, every reference followed.
#[derive(Debug, Clone, Default)]
pub struct Deployment {
    /// Every program that listens or dials.
    pub programs: Vec<Program>,
    /// Certificates that cert-manager will issue.
    pub planned: Vec<PlannedCertificate>,
    /// Addresses of every name that the machine knows (lower case), where that is seen (`--root`).
    pub hosts: Option<BTreeMap<String, Vec<IpAddr>>>,
    /// A client endpoint meeting a server endpoint, or waiting for callers we do not know.
    pub connections: Vec<Connection>,
    /// What Kubernetes manifests say beyond programs.
    pub manifests: ManifestFacts,
    /// Files that are no configuration, with their paths as given: certificates are among them.
    pub loose: Vec<(String, Text)>,
}

/// Index into [`Deployment::programs`].
pub type ProgramId = usize;

/// Index into [`Deployment::planned`].
pub type PlannedId = usize;
