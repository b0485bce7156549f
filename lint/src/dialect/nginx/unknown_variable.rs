//! Variables of a client's certificate that nginx does not have.

use super::check::refusal;
use super::location::variables;
use crate::deployment::{Refusal, Version};
use crate::source::Located;
use crate::syntax::nginx::Directive;

/// What ngx_http_ssl_module has of a client's certificate, with the release that brought it.
const KNOWN: [(&str, Version); 14] = [
    ("cert", Version(0, 0, 0)),
    ("escaped_cert", Version(1, 13, 5)),
    ("fingerprint", Version(1, 7, 1)),
    ("i_dn", Version(0, 0, 0)),
    ("i_dn_legacy", Version(1, 11, 6)),
    ("raw_cert", Version(0, 0, 0)),
    ("s_dn", Version(0, 0, 0)),
    ("s_dn_legacy", Version(1, 11, 6)),
    ("serial", Version(0, 0, 0)),
    ("sigalg", Version(1, 29, 3)),
    ("v_end", Version(1, 11, 7)),
    ("v_remain", Version(1, 11, 7)),
    ("v_start", Version(1, 11, 7)),
    ("verify", Version(0, 0, 0)),
];

/// Directives that put a variable's value somewhere, and define none by it.
const USING: [&str; 11] = [
    "add_header",
    "fastcgi_param",
    "grpc_set_header",
    "if",
    "log_format",
    "proxy_set_header",
    "return",
    "rewrite",
    "scgi_param",
    "set",
    "uwsgi_param",
];

/// The first variable of the content of `http` that nobody defines: nginx has none of the name, and no other directive
/// speaks of it. Modules that are loaded besides could have it.
pub(super) fn check(http: &[Directive], version: Version) -> Option<Refusal> {
    let mut found = Found::default();
    found.walk(http);
    let unknown = found.used.into_iter().find(|name| {
        let own = name.value.strip_prefix("ssl_client_");
        let known = KNOWN.iter().any(|(known, since)| own == Some(known) && version >= *since);
        !known && !found.elsewhere.iter().any(|other| *other == name.value)
    })?;
    let name = &unknown.value;
    let log = format!("unknown \"{name}\" variable");
    let mut refused = refusal("refused-setting", log.clone(), unknown.span, log);
    refused.help = Some(match name.strip_prefix("ssl_client_s_dn_") {
        Some(attribute) => {
            let attribute = attribute.to_ascii_uppercase();
            format!(
                "in http, write: map $ssl_client_s_dn ${name} {{ default \"\"; ~(^|,){attribute}=(?<of_subject>[^,]+) $of_subject; }}"
            )
        }
        None => {
            let names: Vec<&str> =
                KNOWN.iter().filter(|(_, since)| version >= *since).map(|(name, _)| *name).collect();
            format!("after $ssl_client_ nginx {version} has {}", names.join(", "))
        }
    });
    Some(refused)
}

#[derive(Default)]
struct Found<'d> {
    /// Variables of a client's certificate where their value is used.
    used: Vec<Located<String>>,
    /// Names that another directive has for an argument, or a regular expression for a group.
    elsewhere: Vec<&'d str>,
}

impl<'d> Found<'d> {
    fn walk(&mut self, directives: &'d [Directive]) {
        for directive in directives {
            let uses = USING.contains(&directive.name.value.as_str());
            for (index, argument) in directive.arguments.iter().enumerate() {
                let groups =
                    argument.value.split("(?").skip(1).filter_map(|rest| rest.split_once(['<', '\'']));
                self.elsewhere.extend(groups.filter_map(|(_, rest)| rest.split(['>', '\'']).next()));
                let names =
                    variables(&argument.value).into_iter().filter(|name| name.starts_with("ssl_client_"));
                if uses && !(directive.name.value == "set" && index == 0) {
                    self.used.extend(names.map(|name| Located::new(name.to_owned(), argument.span)));
                } else {
                    self.elsewhere.extend(names);
                }
            }
            self.walk(directive.block.as_deref().unwrap_or_default());
        }
    }
}
