//! etcd: flags, environment variables and configuration files.

use super::edit::{replace, yaml};
use super::fix;
use super::site::Site;
use crate::finding::{Edit, Fix};
use crate::source::Span;
use crate::syntax::yaml::{Kind, Node};

/// The gRPC gateway that was switched off.
pub fn enable_gateway(site: &Site<'_>) -> Option<Fix> {
    const TITLE: &str = "write enable-grpc-gateway: true";
    if let Some(fix) = site.swap("false", "true", TITLE) {
        return Some(fix);
    }
    // a configuration file that says nothing of it
    let edit = site.in_yaml(site.span, |path| {
        let file = path.iter().rev().find(|node| node.kind() == Kind::Mapping)?;
        let is_etcd = ["listen-client-urls", "client-transport-security", "data-dir"];
        is_etcd.iter().any(|key| file.get(key).is_some()).then_some(())?;
        yaml::add(site.bytes(site.span), *file, "enable-grpc-gateway", "true", "true")
    })?;
    fix(TITLE, [edit])
}

/// What the trust bundle demands anyway, said.
pub fn say_client_authentication(site: &Site<'_>) -> Option<Fix> {
    site.swap("false", "true", "say that client certificates are required")
}

/// https for a URL that is advertised as http and served by TLS.
pub fn advertise_scheme(site: &Site<'_>) -> Option<Fix> {
    let written = site.written(site.span)?;
    if !written.starts_with("http://") || !site.written(site.label(1)?)?.starts_with("https://") {
        return None;
    }
    let scheme = Span { end: site.span.start + 4, ..site.span };
    fix("advertise https", [replace(scheme, "https")])
}

/// A key of the configuration file that belongs into the block of its side.
pub fn move_into_block(site: &Site<'_>) -> Option<Fix> {
    let (key, block) = site.finding.help.as_deref()?.strip_prefix("write ")?.split_once(" within ")?;
    let bytes = site.bytes(site.span);
    let edits = site.in_yaml(site.span, |path| {
        let root = path.first()?;
        let (name, value) = root.entry(key)?;
        let block = root.get(block).filter(|block| block.kind() == Kind::Mapping)?;
        let text =
            value.as_str().filter(|text| site.written(value.span()) == Some(text) && value.is_plain())?;
        let mut edits = vec![yaml::remove_line(bytes, name, value)?];
        match block.get(key) {
            None => edits.push(yaml::add(bytes, block, key, text, text)?),
            // it stands there as well
            Some(given) if given.as_str() == Some(text) => {}
            Some(_) => return None,
        }
        Some(edits)
    })?;
    fix(format!("write {key} within {block}"), edits)
}

/// Client certificates are asked for, with the CA that stands beside the server's own certificate.
pub fn ask_clients(site: &Site<'_>, certificate: Span, authority: &str) -> Option<Fix> {
    let bytes = site.bytes(certificate);
    let edits: Vec<Edit> = site.in_yaml(certificate, |path| {
        let parent = path.iter().rev().nth(1)?;
        if let Some((key, _)) = parent.entries().find(|(_, value)| value.span() == certificate) {
            return match key.as_str()? {
                // a configuration file
                "cert-file" => Some(vec![
                    yaml::set(bytes, *parent, "trusted-ca-file", authority, authority)?,
                    yaml::set(bytes, *parent, "client-cert-auth", "true", "true")?,
                ]),
                // an environment
                "value" if parent.get("name")?.as_str() == Some("ETCD_CERT_FILE") => {
                    let variables = path.iter().rev().nth(2)?;
                    let item = |name: &str, value: &str| {
                        let multiple_lines = bytes.get(parent.span().start as usize) != Some(&b'{');
                        let text = if multiple_lines {
                            format!("name: {name}\n  value: {value}")
                        } else {
                            format!("{{name: {name}, value: {value}}}")
                        };
                        yaml::push(bytes, *variables, &text)
                    };
                    Some(vec![
                        item("ETCD_TRUSTED_CA_FILE", authority)?,
                        item("ETCD_CLIENT_CERT_AUTH", "\"true\"")?,
                    ])
                }
                _ => None,
            };
        }
        // flags
        let flags = path.iter().rev().find(|node| node.kind() == Kind::Sequence)?;
        let is_flag = |node: Node<'_>| node.as_str().is_some_and(|text| text.starts_with("--cert-file"));
        flags.items().find(|item| is_flag(*item))?;
        Some(vec![
            yaml::push(bytes, *flags, &format!("--trusted-ca-file={authority}"))?,
            yaml::push(bytes, *flags, "--client-cert-auth")?,
        ])
    })?;
    fix(format!("ask clients for a certificate of {authority}"), edits)
}
