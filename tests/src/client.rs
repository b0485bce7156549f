//! A client for gateways: presents any certificate, keeps its connection, resumes its sessions, sends any bytes.

use std::io::{self, Read, Write};
use std::net::TcpStream;
use std::sync::Arc;
use std::time::Duration;

use rustls::client::{ResolvesClientCert, Resumption};
use rustls::pki_types::{CertificateDer, ServerName, pem::PemObject};
use rustls::sign::{CertifiedKey, Signer, SigningKey};
use rustls::{
    ClientConfig, ClientConnection, HandshakeKind, RootCertStore, SignatureAlgorithm, SignatureScheme,
    StreamOwned, SupportedProtocolVersion,
};

use crate::cases::fixtures;
use crate::mint::decisions;
use crate::mint::key::{Hash, Key};

/// Whom every client here expects: fixtures/pki/server.pem.
pub const SERVER: &str = "server.example.test";

/// Which TLS.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Version {
    /// TLS 1.2.
    Tls12,
    /// TLS 1.3.
    Tls13,
}

/// A client with its certificate and its sessions.
#[derive(Debug, Clone)]
pub struct Client {
    config: Arc<ClientConfig>,
}

/// One connection of it.
pub struct Connection {
    stream: StreamOwned<ClientConnection, TcpStream>,
    buffered: Vec<u8>,
}

/// What the gateway answered.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Answer {
    /// The status.
    pub status: u16,
    /// Names in lower case, in their order.
    pub headers: Vec<(String, String)>,
    /// The body.
    pub body: String,
}

// === impl Client ===

impl Client {
    /// Presents this certificate, or none. Sessions are resumed where the gateway allows it, if wanted.
    pub fn new(presented: Option<(Vec<u8>, Key)>, version: Option<Version>, resumes: bool) -> Self {
        static EACH: &[&SupportedProtocolVersion] = &[&rustls::version::TLS13, &rustls::version::TLS12];
        let versions = match (version, &presented) {
            (Some(Version::Tls13), _) => &EACH[..1],
            // there our RSA keys sign as the older version has it
            (Some(Version::Tls12), _) | (None, Some((_, Key::Rsa(_)))) => &EACH[1..],
            (None, _) => EACH,
        };
        let mut roots = RootCertStore::empty();
        let authority = fixtures().join("pki/ca.pem");
        roots.add_parsable_certificates(CertificateDer::from_pem_file(&authority));
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let builder = ClientConfig::builder_with_provider(provider)
            .with_protocol_versions(versions)
            .expect("versions of this library")
            .with_root_certificates(roots);
        let mut config = match presented {
            None => builder.with_no_client_auth(),
            Some((der, key)) => {
                let chain = vec![CertificateDer::from(der)];
                let certified = CertifiedKey::new(chain, Arc::new(Signing(key)));
                builder.with_client_cert_resolver(Arc::new(Always(Arc::new(certified))))
            }
        };
        if !resumes {
            config.resumption = Resumption::disabled();
        }
        Self { config: Arc::new(config) }
    }

    /// Presents a certificate of fixtures/pki/decisions whose dates are so many seconds later.
    pub fn of(name: &str, later: i64) -> Self {
        let minted = decisions::client(name, later).unwrap_or_else(|| panic!("no certificate {name}"));
        Self::new(Some(minted), None, false)
    }

    /// Opens a connection to a port of this machine and shakes hands.
    ///
    /// # Errors
    /// What went wrong, in the library's words. With TLS 1.3 a refused certificate shows with the first answer.
    pub fn connect(&self, port: u16) -> io::Result<Connection> {
        let mut socket = TcpStream::connect(("127.0.0.1", port))?;
        socket.set_nodelay(true)?;
        socket.set_read_timeout(Some(Duration::from_secs(30)))?;
        let name = ServerName::try_from(SERVER).map_err(io::Error::other)?;
        let mut session = ClientConnection::new(Arc::clone(&self.config), name).map_err(io::Error::other)?;
        while session.is_handshaking() {
            session.complete_io(&mut socket)?;
        }
        Ok(Connection { stream: StreamOwned::new(session, socket), buffered: Vec::new() })
    }
}

// === impl Connection ===

impl Connection {
    /// Whether an earlier session was resumed.
    pub fn resumed(&self) -> bool {
        self.stream.conn.handshake_kind() == Some(HandshakeKind::Resumed)
    }

    /// Sends a request, any bytes, and waits for its answer.
    ///
    /// # Errors
    /// The gateway closed the connection, or answered nothing that is HTTP.
    pub fn ask(&mut self, request: &[u8]) -> io::Result<Answer> {
        self.send(request)?;
        answer(&mut self.stream, &mut self.buffered, !request.starts_with(b"HEAD "))
    }

    /// Sends bytes.
    ///
    /// # Errors
    /// The gateway closed the connection.
    pub fn send(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.stream.write_all(bytes)?;
        self.stream.flush()
    }

    /// The next answer, to a request that is answered with a body.
    ///
    /// # Errors
    /// As [`Self::ask`].
    pub fn answer(&mut self) -> io::Result<Answer> {
        answer(&mut self.stream, &mut self.buffered, true)
    }
}

// === impl Answer ===

impl Answer {
    /// The value of a header, or nothing.
    pub fn header(&self, name: &str) -> &str {
        self.headers.iter().find(|(found, _)| found == name).map_or("", |(_, value)| value)
    }

    /// Whether the gateway wants no further request on this connection.
    pub fn closes(&self) -> bool {
        self.header("connection").eq_ignore_ascii_case("close")
    }
}

/// GET over plain HTTP, as an administrator asks Envoy.
///
/// # Errors
/// Nobody answers.
pub fn get(port: u16, path: &str) -> io::Result<Answer> {
    let mut socket = TcpStream::connect(("127.0.0.1", port))?;
    socket.set_read_timeout(Some(Duration::from_secs(30)))?;
    socket.write_all(format!("GET /{path} HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n").as_bytes())?;
    answer(&mut socket, &mut Vec::new(), true)
}

/// GET of a path, kept open.
pub fn request(method: &str, host: &str, path: &str, headers: &str) -> Vec<u8> {
    format!("{method} {path} HTTP/1.1\r\nHost: {host}\r\n{headers}\r\n").into_bytes()
}

fn answer(stream: &mut impl Read, buffered: &mut Vec<u8>, has_body: bool) -> io::Result<Answer> {
    let head = loop {
        if let Some(end) = buffered.windows(4).position(|four| four == b"\r\n\r\n") {
            break buffered.drain(..end + 4).collect::<Vec<u8>>();
        }
        more(stream, buffered)?;
    };
    let head = String::from_utf8_lossy(&head);
    let mut lines = head.split("\r\n");
    let status = lines.next().and_then(|line| line.split(' ').nth(1)).and_then(|text| text.parse().ok());
    let status = status.ok_or_else(|| io::Error::other(format!("no HTTP: {head}")))?;
    let headers: Vec<(String, String)> = lines
        .filter_map(|line| line.split_once(':'))
        .map(|(name, value)| (name.to_ascii_lowercase(), value.trim().to_owned()))
        .collect();
    let mut found = Answer { status, headers, body: String::new() };
    let mut body = Vec::new();
    if !has_body {
        return Ok(found);
    }
    if found.header("transfer-encoding") == "chunked" {
        loop {
            let size = line(stream, buffered)?;
            let size = usize::from_str_radix(size.trim(), 16).map_err(io::Error::other)?;
            body.extend(exactly(stream, buffered, size)?);
            line(stream, buffered)?;
            if size == 0 {
                break;
            }
        }
    } else if let Ok(size) = found.header("content-length").parse() {
        body = exactly(stream, buffered, size)?;
    }
    found.body = String::from_utf8_lossy(&body).into_owned();
    Ok(found)
}

fn line(stream: &mut impl Read, buffered: &mut Vec<u8>) -> io::Result<String> {
    loop {
        if let Some(end) = buffered.iter().position(|byte| *byte == b'\n') {
            let line: Vec<u8> = buffered.drain(..=end).collect();
            return Ok(String::from_utf8_lossy(&line).into_owned());
        }
        more(stream, buffered)?;
    }
}

fn exactly(stream: &mut impl Read, buffered: &mut Vec<u8>, size: usize) -> io::Result<Vec<u8>> {
    while buffered.len() < size {
        more(stream, buffered)?;
    }
    Ok(buffered.drain(..size).collect())
}

fn more(stream: &mut impl Read, buffered: &mut Vec<u8>) -> io::Result<()> {
    let mut block = [0; 16 * 1024];
    match stream.read(&mut block)? {
        0 => Err(io::ErrorKind::UnexpectedEof.into()),
        size => {
            buffered.extend_from_slice(&block[..size]);
            Ok(())
        }
    }
}

/// Presents one certificate to whoever asks, whatever issuers and algorithms they name.
#[derive(Debug)]
struct Always(Arc<CertifiedKey>);

impl ResolvesClientCert for Always {
    fn resolve(&self, _: &[&[u8]], _: &[SignatureScheme]) -> Option<Arc<CertifiedKey>> {
        Some(Arc::clone(&self.0))
    }

    fn has_certs(&self) -> bool {
        true
    }
}

#[derive(Clone)]
struct Signing(Key);

impl std::fmt::Debug for Signing {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Signing")
    }
}

impl SigningKey for Signing {
    // the one that the key is for: whether the gateway takes it is the gateway's to say
    fn choose_scheme(&self, _: &[SignatureScheme]) -> Option<Box<dyn Signer>> {
        Some(Box::new(self.clone()))
    }

    fn algorithm(&self) -> SignatureAlgorithm {
        match self.0 {
            Key::Rsa(_) => SignatureAlgorithm::RSA,
            Key::Ed25519(_) => SignatureAlgorithm::ED25519,
            _ => SignatureAlgorithm::ECDSA,
        }
    }
}

impl Signer for Signing {
    fn sign(&self, message: &[u8]) -> Result<Vec<u8>, rustls::Error> {
        Ok(self.0.sign(self.0.own_hash(), message))
    }

    fn scheme(&self) -> SignatureScheme {
        match (&self.0, self.0.own_hash()) {
            (Key::Rsa(_), _) => SignatureScheme::RSA_PKCS1_SHA256,
            (Key::Ed25519(_), _) => SignatureScheme::ED25519,
            (_, Hash::Sha384) => SignatureScheme::ECDSA_NISTP384_SHA384,
            (_, Hash::Sha512) => SignatureScheme::ECDSA_NISTP521_SHA512,
            _ => SignatureScheme::ECDSA_NISTP256_SHA256,
        }
    }
}
