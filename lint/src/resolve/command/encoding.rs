//! Certificates and keys that a client reads in another encoding than PEM.

use crate::deployment::{Content, FileRef, Lookup};
use crate::source::Text;
use crate::stack::der::SEQUENCE;

/// What a file is read for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    /// A certificate.
    Certificate,
    /// A private key.
    Key,
}

/// A file as a client reads it that was told its type (curl's `--cert-type`, `--key-type`; None: PEM).
pub(super) fn typed(file: FileRef, encoding: Option<&str>, kind: Kind) -> FileRef {
    match encoding {
        None => file,
        Some(name) if name.eq_ignore_ascii_case("PEM") => file,
        Some(name) if name.eq_ignore_ascii_case("DER") => of_der(file, kind),
        Some(name) => {
            FileRef { content: Lookup::Unseen(format!("files of type {name} are not read")), ..file }
        }
    }
}

/// A file as OpenSSL's own commands read it, which find out what it is.
pub(super) fn guessed(file: FileRef, kind: Kind) -> FileRef {
    let binary = |text: &Text| text.bytes().first() == Some(&SEQUENCE) && !text.bytes().is_ascii();
    match &file.content {
        Lookup::Found(Content::Bytes(text)) if binary(text) => of_der(file, kind),
        _ => file,
    }
}

#[cfg(not(feature = "der-files"))]
fn of_der(file: FileRef, _: Kind) -> FileRef {
    FileRef { content: Lookup::Unseen(format!("{} is DER, which is not read here", file.path.value)), ..file }
}

/// The rest of the program reads PEM: DER becomes what it would be there.
#[cfg(feature = "der-files")]
fn of_der(file: FileRef, kind: Kind) -> FileRef {
    use base64::Engine as _;
    use base64::engine::general_purpose::STANDARD;

    let path = &file.path.value;
    let content = match &file.content {
        Lookup::Found(Content::Bytes(text)) => match label(text.bytes(), kind) {
            Some((label, der)) => {
                let body = STANDARD.encode(der);
                let pem = format!("-----BEGIN {label}-----\n{body}\n-----END {label}-----\n");
                Lookup::Found(Content::Bytes(Text::opaque(text.full_span(), pem.into_bytes())))
            }
            None => Lookup::Unseen(format!("{path} is read as DER, and what it holds is not known here")),
        },
        Lookup::Found(_) => Lookup::Unseen(format!("{path} is read as DER, and is no such file")),
        other => other.clone(),
    };
    FileRef { content, ..file }
}

/// The PEM label of the element with which a file begins, and its bytes.
#[cfg(feature = "der-files")]
fn label(bytes: &[u8], kind: Kind) -> Option<(&'static str, &[u8])> {
    use crate::stack::der::{INTEGER, OCTET_STRING, Reader};

    let whole = Reader::new(bytes).element().filter(|element| element.tag == SEQUENCE)?;
    let mut inner = Reader::new(whole.content);
    let first = inner.element()?;
    let label = match (kind, first.tag, inner.element()?.tag) {
        (Kind::Certificate, SEQUENCE, SEQUENCE) => "CERTIFICATE",
        (Kind::Key, INTEGER, SEQUENCE) if first.content == [0] || first.content == [1] => "PRIVATE KEY",
        (Kind::Key, INTEGER, INTEGER) => "RSA PRIVATE KEY",
        (Kind::Key, INTEGER, OCTET_STRING) => "EC PRIVATE KEY",
        _ => return None,
    };
    Some((label, whole.whole))
}
