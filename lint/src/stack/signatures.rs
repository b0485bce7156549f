//! Who signed whom: by real signatures, by the issuer of a planned certificate, or unknown. Remembered and bounded.

use std::cell::{Cell, RefCell};
use std::collections::{BTreeSet, HashMap};

use mtls_identity::signature::{self, Verdict};
use mtls_identity::sorted;

use super::certificate::{Certificate, KeyType, Origin, Signer};

/// Whether one certificate was signed with the key of another.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Signed {
    /// Yes.
    Yes,
    /// No.
    No,
    /// With an algorithm that nobody here computes.
    Unsupported(String),
    /// It cannot be known; completes "undetermined because …".
    Unknown(String),
}

/// Signature checks of one run, remembered, with a budget.
#[derive(Debug, Default)]
pub struct Signatures {
    known: RefCell<HashMap<([u8; 32], [u8; 32]), Signed>>,
    spent: Cell<u64>,
    total: Cell<u64>,
}

/// Work for one prediction, in units of about ten microseconds: 0.7 seconds. A hundred checks with P-521, which is what Go
/// tries before it gives up, fit in.
const BUDGET: u64 = 70_000;
/// Work for one run: two minutes. A deployment of 100,000 certificates with P-256 fits in.
const TOTAL: u64 = 12_000_000;

impl Signatures {
    /// Starts a new prediction: remembers, but counts anew.
    pub fn renew(&self) {
        self.spent.set(0);
    }

    /// Whether `child` was signed with the key of `issuer`; names are not compared.
    pub fn signed(&self, child: &Certificate, issuer: &Certificate) -> Signed {
        match &child.origin {
            Origin::Planned { signer, .. } => signed_as_planned(child, signer, issuer),
            Origin::Real(encoded) => {
                if issuer.is_planned() {
                    return Signed::Unknown(format!(
                        "{} is not issued yet, so nobody knows whether its key will have signed {}",
                        issuer.shown, child.shown
                    ));
                }
                let pair = (child.digest, issuer.key.digest);
                if let Some(known) = self.known.borrow().get(&pair) {
                    return known.clone();
                }
                let cost = cost(issuer.key.kind);
                let (spent, total) =
                    (self.spent.get().saturating_add(cost), self.total.get().saturating_add(cost));
                if spent > BUDGET || total > TOTAL {
                    return Signed::Unknown(
                        "the certificates offer too many paths to try them all".to_owned(),
                    );
                }
                self.spent.set(spent);
                self.total.set(total);
                let answer = match signature::verify(
                    &issuer.key.spki,
                    encoded.algorithm(),
                    encoded.tbs(),
                    encoded.signature(),
                ) {
                    Verdict::Valid(_) => Signed::Yes,
                    Verdict::Invalid(_) => Signed::No,
                    Verdict::Unsupported(what) => Signed::Unsupported(what),
                    Verdict::Malformed(_) => Signed::No,
                };
                self.known.borrow_mut().insert(pair, answer.clone());
                answer
            }
        }
    }
}

fn signed_as_planned(child: &Certificate, signer: &Signer, issuer: &Certificate) -> Signed {
    match (signer, &issuer.origin) {
        (Signer::Planned(by), Origin::Planned { id, .. }) => {
            if by == id {
                Signed::Yes
            } else {
                Signed::No
            }
        }
        (Signer::Key(key), Origin::Real(_)) => {
            if *key == issuer.key.digest {
                Signed::Yes
            } else {
                Signed::No
            }
        }
        (Signer::Public, _) => Signed::No,
        (Signer::Unknown(why), _) => Signed::Unknown(why.clone()),
        (Signer::Planned(_), Origin::Real(_)) | (Signer::Key(_), Origin::Planned { .. }) => {
            Signed::Unknown(format!("{} is not issued yet, nor known to be by {}", child.shown, issuer.shown))
        }
    }
}

/// What a check costs, in units of about ten microseconds.
fn cost(key: KeyType) -> u64 {
    match key {
        KeyType::Rsa(bits) => 1 + u64::from(bits / 512).pow(2),
        KeyType::Ec(256) => 40,
        KeyType::Ec(384) => 200,
        KeyType::Ec(_) => 550,
        KeyType::Ed25519 | KeyType::Other => 10,
    }
}

/// What is taken for granted while a path is judged: every verdict is asked for twice where something is unknown,
/// once hoping for the best and once fearing the worst. If both agree, it did not matter.
#[derive(Debug)]
pub struct Knowledge<'a> {
    signatures: &'a Signatures,
    hopes: bool,
    unknown: RefCell<BTreeSet<String>>,
}

impl<'a> Knowledge<'a> {
    /// Takes what is unknown for good (`hopes`) or for bad.
    pub fn new(signatures: &'a Signatures, hopes: bool) -> Self {
        Self { signatures, hopes, unknown: RefCell::default() }
    }

    /// Whether `child` was signed with the key of `issuer`.
    pub fn signed(&self, child: &Certificate, issuer: &Certificate) -> Signed {
        match self.signatures.signed(child, issuer) {
            Signed::Unknown(why) => {
                if self.hope(why) {
                    Signed::Yes
                } else {
                    Signed::No
                }
            }
            known => known,
        }
    }

    /// Notes something unknown; true where we hope for the best.
    pub fn hope(&self, why: String) -> bool {
        self.unknown.borrow_mut().insert(why);
        self.hopes
    }

    /// What was unknown.
    pub fn unknown(self) -> Vec<String> {
        self.unknown.into_inner().into_iter().collect()
    }
}

/// Asks for a verdict; where something unknown decides it, the unknown is the answer.
///
/// # Errors
/// What would have to be known.
pub fn decide<T>(
    signatures: &Signatures,
    ask: impl Fn(&Knowledge<'_>) -> T,
    agree: impl Fn(&T, &T) -> bool,
) -> Result<T, Vec<String>> {
    let hoping = Knowledge::new(signatures, true);
    let best = ask(&hoping);
    let mut unknown = hoping.unknown();
    if unknown.is_empty() {
        return Ok(best);
    }
    let fearing = Knowledge::new(signatures, false);
    let worst = ask(&fearing);
    if agree(&best, &worst) {
        return Ok(best);
    }
    unknown.extend(fearing.unknown());
    sorted::sort(&mut unknown);
    unknown.dedup();
    Err(unknown)
}
