//! Versions and settings to assume: `--assume`, then an image tag, then a stated default.

use crate::deployment::{KnownFrom, Stack, Version, Versions};
use crate::source::Located;

/// What `--assume NAME=VALUE,…` says; None: not said.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Assume {
    /// nginx's version.
    pub nginx: Option<Version>,
    /// OpenSSL's version, also inside nginx and APISIX.
    pub openssl: Option<Version>,
    /// OpenSSL's security level, also inside nginx and APISIX.
    pub openssl_security_level: Option<u8>,
    /// curl's version.
    pub curl: Option<Version>,
    /// etcd's and etcdctl's version.
    pub etcd: Option<Version>,
    /// The Go version that etcd was built with.
    pub go: Option<Version>,
    /// Envoy's version.
    pub envoy: Option<Version>,
    /// APISIX's version.
    pub apisix: Option<Version>,
    /// cert-manager's version.
    pub cert_manager: Option<Version>,
    /// The cluster's DNS domain; None: cluster.local.
    pub cluster_domain: Option<String>,
}

impl Assume {
    /// Reads `NAME=VALUE` items.
    ///
    /// # Errors
    /// Which item is wrong and what to write.
    pub fn parse<S: AsRef<str>>(items: &[S]) -> Result<Self, String> {
        let mut assume = Self::default();
        for item in items.iter().map(|item| item.as_ref().trim()).filter(|item| !item.is_empty()) {
            let Some((name, value)) = item.split_once('=') else {
                return Err(format!("{item} has no value; write NAME=VALUE, for instance nginx=1.26.3"));
            };
            let version =
                || Version::parse(value).ok_or_else(|| format!("{value} is no version; write {name}=1.2.3"));
            match name {
                "nginx" => assume.nginx = Some(version()?),
                "openssl" => assume.openssl = Some(version()?),
                "openssl-seclevel" => {
                    let level = value.parse().ok().filter(|level| *level <= 5);
                    assume.openssl_security_level =
                        Some(level.ok_or_else(|| format!("{value} is no security level; write 0 to 5"))?);
                }
                "curl" => assume.curl = Some(version()?),
                "etcd" => assume.etcd = Some(version()?),
                "go" => assume.go = Some(version()?),
                "envoy" => assume.envoy = Some(version()?),
                "apisix" => assume.apisix = Some(version()?),
                "cert-manager" => assume.cert_manager = Some(version()?),
                "cluster-domain" => assume.cluster_domain = Some(value.trim_end_matches('.').to_owned()),
                _ => return Err(format!("{name} is unknown; known are {}", NAMES.join(", "))),
            }
        }
        Ok(assume)
    }
}

impl Assume {
    /// APISIX's version and OpenSSL's inside it.
    ///
    /// 3.18.0 with OpenSSL 3.0 at level 2 is what facts/APISIX.md was observed on.
    pub fn apisix(&self, image: Option<&Located<String>>) -> Versions {
        let tag = image.and_then(|image| Some((image_version(&image.value)?, image.span)));
        let (program, known_from) = match (self.apisix, tag) {
            (Some(version), _) => (version, KnownFrom::Assumed),
            (None, Some((version, span))) => (version, KnownFrom::Image(span)),
            (None, None) => (Version(3, 18, 0), KnownFrom::Default),
        };
        let stack = Stack::OpenSsl {
            version: self.openssl.unwrap_or(Version(3, 0, 0)),
            security_level: self.openssl_security_level.unwrap_or(2),
        };
        Versions { program, known_from, stack }
    }
}

impl Assume {
    /// nginx's version and OpenSSL's inside it.
    ///
    /// An image counts where its tag is nginx's own version (`nginx:1.27`, `nginx-unprivileged`, `openresty`), not
    /// where it is that of something with nginx inside (an ingress controller).
    pub fn nginx(&self, image: Option<&Located<String>>) -> Versions {
        let tag = image.filter(|image| is_nginx(&image.value));
        let tag = tag.and_then(|image| Some((image_version(&image.value)?, image.span)));
        let (program, known_from) = match (self.nginx, tag) {
            (Some(version), _) => (version, KnownFrom::Assumed),
            (None, Some((version, span))) => (version, KnownFrom::Image(span)),
            (None, None) => (Version(1, 26, 3), KnownFrom::Default),
        };
        let tag = image.and_then(|image| image_tag(&image.value)).unwrap_or_default();
        let official = image.is_some_and(|image| is_nginx(&image.value));
        let stack = self.openssl_of(tag, official.then_some(program));
        Versions { program, known_from, stack }
    }

    /// The OpenSSL of an image, by the system that its tag names: Debian builds with level 2, others with OpenSSL's own
    /// default, which is 1 before 3.2 (CHANGES.md of OpenSSL) and 2 from then on. `nginx` is given for nginx's own
    /// images, which are Debian unless their tag says otherwise. Which system has which version is documentation,
    /// nothing observed.
    fn openssl_of(&self, tag: &str, nginx: Option<Version>) -> Stack {
        let alpine = tag.split("alpine").nth(1).map(|release| Version::parse(release).unwrap_or_default());
        let (version, debian) = match alpine {
            Some(Version(3, 1..=16, _)) => (Version(1, 1, 1), false),
            Some(Version(3, 17, _)) => (Version(3, 0, 0), false),
            Some(Version(3, 18 | 19, _)) => (Version(3, 1, 0), false),
            Some(Version(3, 20 | 21, _)) => (Version(3, 3, 0), false),
            Some(_) => (Version(3, 5, 0), false),
            None if tag.contains("bullseye") || tag.contains("buster") => (Version(1, 1, 1), true),
            None if tag.contains("bookworm") => (Version(3, 0, 0), true),
            None if tag.contains("trixie") => (Version(3, 5, 0), true),
            None => match nginx {
                // nginx's images moved to bookworm with 1.25.1 and to trixie with 1.29.2
                Some(version) if version < Version(1, 25, 1) => (Version(1, 1, 1), true),
                Some(version) if version < Version(1, 29, 2) => (Version(3, 0, 0), true),
                _ => (Version(3, 5, 0), true),
            },
        };
        let version = self.openssl.unwrap_or(version);
        let default_level = if debian || version >= Version(3, 2, 0) { 2 } else { 1 };
        Stack::OpenSsl { version, security_level: self.openssl_security_level.unwrap_or(default_level) }
    }
}

/// Whether an image's tag is nginx's version.
fn is_nginx(image: &str) -> bool {
    let name = image.split('@').next().unwrap_or(image);
    let name = name.rsplit('/').next().unwrap_or(name);
    let name = name.split(':').next().unwrap_or(name);
    matches!(name, "nginx" | "nginx-unprivileged" | "openresty")
}

/// An image's tag.
fn image_tag(image: &str) -> Option<&str> {
    let name = image.split('@').next()?;
    let (_, tag) = name.rsplit_once(':').filter(|(_, tag)| !tag.contains('/'))?;
    Some(tag)
}

/// The version that an image's tag starts with.
pub(crate) fn image_version(image: &str) -> Option<Version> {
    Version::parse(image_tag(image)?)
}

impl Assume {
    /// Envoy's version: `--assume`, else the tag of an image whose name ends in `envoy`, else 1.40.0.
    pub fn envoy(&self, image: Option<&Located<String>>) -> Versions {
        let tagged = image.and_then(|image| Some((envoy_tag(&image.value)?, image.span)));
        let (program, known_from) = match (self.envoy, tagged) {
            (Some(version), _) => (version, KnownFrom::Assumed),
            (None, Some((version, span))) => (version, KnownFrom::Image(span)),
            (None, None) => (Version(1, 40, 0), KnownFrom::Default),
        };
        Versions { program, known_from, stack: Stack::BoringSsl }
    }
}

/// The version in a tag of Envoy's images: `v1.31.2`, `distroless-v1.31-latest`, `contrib-v1.30.1`.
fn envoy_tag(image: &str) -> Option<Version> {
    let (name, tag) = image.split('@').next()?.rsplit_once(':')?;
    if !name.rsplit('/').next()?.starts_with("envoy") {
        return None;
    }
    let version =
        tag.split('-').find(|part| part.trim_start_matches('v').starts_with(|c: char| c.is_ascii_digit()))?;
    Version::parse(version)
}

impl Assume {
    /// etcd's and etcdctl's version and the Go it was built with: `--assume`, else the tag of an image whose name
    /// ends in `etcd`, else Debian's 3.5.16 with Go 1.24.
    pub fn etcd(&self, image: Option<&Located<String>>) -> Versions {
        let tagged = image.and_then(|image| {
            let last = image.value.split('@').next()?.rsplit('/').next()?;
            let is_etcd = last.split(':').next()?.ends_with("etcd");
            Some((image_version(&image.value).filter(|_| is_etcd)?, image.span))
        });
        let (program, known_from) = match (self.etcd, tagged) {
            (Some(version), _) => (version, KnownFrom::Assumed),
            (None, Some((version, span))) => (version, KnownFrom::Image(span)),
            (None, None) => (Version(3, 5, 16), KnownFrom::Default),
        };
        let built = match known_from {
            KnownFrom::Default => Version(1, 24, 0),
            KnownFrom::Assumed | KnownFrom::Image(_) => go_of_etcd(program),
        };
        Versions { program, known_from, stack: Stack::Go(self.go.unwrap_or(built)) }
    }
}

impl Assume {
    /// The version of a curl on the user's machine: `--assume`, else 8.14.1 with OpenSSL 3.5 at Debian's level 2.
    pub fn curl(&self) -> Versions {
        let known_from = if self.curl.is_some() { KnownFrom::Assumed } else { KnownFrom::Default };
        Versions {
            program: self.curl.unwrap_or(Version(8, 14, 1)),
            known_from,
            stack: self.openssl_of_a_command(),
        }
    }

    /// The version of an `openssl` on the user's machine: `--assume`, else 3.5 at Debian's level 2.
    pub fn openssl_command(&self) -> Versions {
        let known_from = if self.openssl.is_some() { KnownFrom::Assumed } else { KnownFrom::Default };
        let program = self.openssl.unwrap_or(Version(3, 5, 0));
        Versions { program, known_from, stack: self.openssl_of_a_command() }
    }

    fn openssl_of_a_command(&self) -> Stack {
        Stack::OpenSsl {
            version: self.openssl.unwrap_or(Version(3, 5, 0)),
            security_level: self.openssl_security_level.unwrap_or(2),
        }
    }
}

/// The Go of etcd's own release binaries, by its change logs ("Compile binaries using go …").
fn go_of_etcd(version: Version) -> Version {
    let go = |minor| Version(1, minor, 0);
    match version {
        Version(3, ..=3, _) | Version(3, 4, ..=9) => go(12),
        Version(3, 4, ..=20) => go(16),
        Version(3, 4, ..=24) => go(17),
        Version(3, 4, ..=27) => go(19),
        Version(3, 4, ..=29) => go(20),
        Version(3, 4, ..=33) => go(21),
        Version(3, 4, _) => go(22),
        Version(3, 5, ..=6) => go(16),
        Version(3, 5, 7) => go(17),
        Version(3, 5, ..=9) => go(19),
        Version(3, 5, ..=12) => go(20),
        Version(3, 5, ..=15) => go(21),
        Version(3, 5, ..=18) => go(22),
        Version(3, 5, ..=21) => go(23),
        Version(3, 5, _) => go(24),
        Version(3, 6, ..=4) => go(23),
        Version(3, 6, _) => go(24),
        _ => go(24),
    }
}

/// What can be assumed.
pub(crate) const NAMES: [&str; 10] = [
    "nginx",
    "openssl",
    "openssl-seclevel",
    "curl",
    "etcd",
    "go",
    "envoy",
    "apisix",
    "cert-manager",
    "cluster-domain",
];

#[cfg(test)]
mod tests {
    use super::*;
    use crate::source::{FileId, Span};

    #[test]
    fn items_are_read_by_name() {
        let assume = Assume::parse(&["nginx=1.22.1", "openssl=3.0", "openssl-seclevel=2"]).unwrap();
        assert_eq!(assume.nginx, Some(Version(1, 22, 1)));
        assert_eq!(assume.openssl, Some(Version(3, 0, 0)));
        assert_eq!(assume.openssl_security_level, Some(2));
    }

    #[test]
    fn the_tag_of_an_etcd_image_is_its_version() {
        let span = Span { file: FileId(0), start: 0, end: 0 };
        for (image, program, go) in [
            ("bitnami/etcd:3.5.7", Version(3, 5, 7), 17),
            ("localhost:5000/etcd-io/etcd:v3.4.30@sha256:00", Version(3, 4, 30), 21),
            ("registry.k8s.io/etcd:3.5.15-0", Version(3, 5, 15), 21),
            ("example.test/app:1.2.3", Version(3, 5, 16), 24),
            ("quay.io/coreos/etcd", Version(3, 5, 16), 24),
        ] {
            let versions = Assume::default().etcd(Some(&Located::new(image.to_owned(), span)));
            assert_eq!(
                (versions.program, versions.stack),
                (program, Stack::Go(Version(1, go, 0))),
                "{image}"
            );
        }
        let assumed = Assume::parse(&["etcd=3.4.23", "go=1.19"]).unwrap();
        let versions = assumed.etcd(Some(&Located::new("etcd:3.5.7".to_owned(), span)));
        assert_eq!((versions.program, versions.stack), (Version(3, 4, 23), Stack::Go(Version(1, 19, 0))));
    }

    #[test]
    fn a_wrong_item_is_named_with_what_to_write() {
        for (item, part) in [
            ("nginx", "NAME=VALUE"),
            ("apache=2", "known are nginx"),
            ("nginx=new", "no version"),
            ("openssl-seclevel=9", "0 to 5"),
        ] {
            let error = Assume::parse(&[item]).unwrap_err();
            assert!(error.contains(part), "{item}: {error}");
        }
    }

    #[test]
    fn nginx_is_known_by_assumption_then_by_its_image_then_by_default() {
        let image = |text: &str| Located::new(text.to_owned(), Span { file: FileId(0), start: 0, end: 0 });
        for (text, program, openssl, level) in [
            ("nginx:1.22.1", Version(1, 22, 1), Version(1, 1, 1), 2),
            ("docker.io/library/nginx:1.27.4", Version(1, 27, 4), Version(3, 0, 0), 2),
            ("nginx:1.25-alpine3.18", Version(1, 25, 0), Version(3, 1, 0), 1),
            ("nginx:1.27-alpine", Version(1, 27, 0), Version(3, 5, 0), 2),
            ("nginx", Version(1, 26, 3), Version(3, 0, 0), 2),
            ("localhost:5000/nginx", Version(1, 26, 3), Version(3, 0, 0), 2),
            ("registry.k8s.io/ingress-nginx/controller:v1.9.0", Version(1, 26, 3), Version(3, 5, 0), 2),
        ] {
            let versions = Assume::default().nginx(Some(&image(text)));
            assert_eq!(versions.program, program, "{text}");
            assert_eq!(versions.stack, Stack::OpenSsl { version: openssl, security_level: level }, "{text}");
        }
        let assume = Assume::parse(&["nginx=1.30.6", "openssl=3.6", "openssl-seclevel=1"]).unwrap();
        let versions = assume.nginx(Some(&image("nginx:1.22")));
        assert_eq!(versions.program, Version(1, 30, 6));
        assert_eq!(versions.stack, Stack::OpenSsl { version: Version(3, 6, 0), security_level: 1 });
    }
}
