//! The certificates of the tests, held against a library and against what is committed.

use mtls_tests::mint::certificate::{Draft, Extension, General, Name, key_identifier, purpose, usage};
use mtls_tests::mint::fixtures;
use mtls_tests::mint::key::{Hash, Key, KeyKind};
use rcgen::{
    BasicConstraints, CertificateParams, DistinguishedName, DnType, ExtendedKeyUsagePurpose, IsCa, Issuer,
    KeyIdMethod, KeyUsagePurpose, PublicKeyData, SanType, SerialNumber, SignatureAlgorithm, SigningKey,
};

struct ForRcgen {
    key: Key,
    public: Vec<u8>,
}

impl PublicKeyData for ForRcgen {
    fn der_bytes(&self) -> &[u8] {
        &self.public
    }

    fn algorithm(&self) -> &'static SignatureAlgorithm {
        &rcgen::PKCS_ECDSA_P256_SHA256
    }
}

impl SigningKey for ForRcgen {
    fn sign(&self, message: &[u8]) -> Result<Vec<u8>, rcgen::Error> {
        Ok(self.key.sign(Hash::Sha256, message))
    }
}

fn keyed(label: &str) -> ForRcgen {
    let key = Key::new(KeyKind::Ec(256), label);
    ForRcgen { public: key.public_bits(), key }
}

fn named(common_name: &str) -> DistinguishedName {
    let mut name = DistinguishedName::new();
    name.push(DnType::OrganizationName, "Oracle");
    name.push(DnType::CommonName, common_name);
    name
}

#[test]
fn what_a_library_makes_too_is_the_same_byte_for_byte() {
    let (authority, leaf) = (keyed("authority"), keyed("leaf"));
    let validity = ((2020, 1, 1), (2046, 1, 1));

    let mut params = CertificateParams::default();
    params.not_before = rcgen::date_time_ymd(2020, 1, 1);
    params.not_after = rcgen::date_time_ymd(2046, 1, 1);
    params.serial_number = Some(SerialNumber::from_slice(&[0x42, 1]));
    params.distinguished_name = named("root");
    params.is_ca = IsCa::Ca(BasicConstraints::Constrained(1));
    params.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign];
    params.key_identifier_method = KeyIdMethod::PreSpecified(key_identifier(&authority.key));
    let library = params.self_signed(&authority).unwrap();
    let own = Draft {
        version_1: false,
        serial: vec![0x42, 1],
        issuer: Name::of("root"),
        subject: Name::of("root"),
        validity,
        later: 0,
        extensions: vec![
            Extension::key_usage(&[usage::KEY_CERT_SIGN, usage::CRL_SIGN]),
            Extension::subject_key(&key_identifier(&authority.key)),
            Extension::basic_constraints(true, Some(1)),
        ],
        hash: None,
        corrupt: false,
    };
    assert_eq!(own.sign(&authority.key.public(), &authority.key), library.der().to_vec());

    let issuer = Issuer::from_params(&params, &authority);
    let mut params = CertificateParams::default();
    params.not_before = rcgen::date_time_ymd(2020, 1, 1);
    params.not_after = rcgen::date_time_ymd(2046, 1, 1);
    params.serial_number = Some(SerialNumber::from_slice(&[0x42, 2]));
    params.distinguished_name = named("leaf");
    params.subject_alt_names = vec![
        SanType::DnsName("srv.example.test".try_into().unwrap()),
        SanType::URI("spiffe://example.test/srv".try_into().unwrap()),
    ];
    params.key_usages = vec![KeyUsagePurpose::DigitalSignature];
    params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ServerAuth];
    params.use_authority_key_identifier_extension = true;
    let library = params.signed_by(&leaf, &issuer).unwrap();
    let own = Draft {
        serial: vec![0x42, 2],
        subject: Name::of("leaf"),
        extensions: vec![
            Extension::authority_key(&key_identifier(&authority.key)),
            Extension::names(&[
                General::Dns("srv.example.test".into()),
                General::Uri("spiffe://example.test/srv".into()),
            ]),
            Extension::key_usage(&[usage::DIGITAL_SIGNATURE]),
            Extension::purposes(&[purpose::SERVER]),
        ],
        ..own
    };
    assert_eq!(own.sign(&leaf.key.public(), &authority.key), library.der().to_vec());
}

#[test]
fn the_committed_pki_is_what_the_mint_makes() {
    let folder = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("../fixtures/pki");
    let minted = fixtures::all();
    for (name, text) in &minted {
        let committed = std::fs::read_to_string(folder.join(name)).unwrap_or_default();
        assert_eq!(&committed, text, "{name}: run `cargo run -p mtls-tests --bin mint`");
    }
    for entry in std::fs::read_dir(&folder).unwrap() {
        let entry = entry.unwrap();
        if entry.file_type().unwrap().is_dir() {
            // minted by another table, with a test of its own
            continue;
        }
        let name = entry.file_name().into_string().unwrap();
        assert!(minted.contains_key(&name), "fixtures/pki/{name} is not minted: it would be edited by hand");
    }
}
