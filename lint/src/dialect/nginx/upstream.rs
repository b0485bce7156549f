//! `upstream` blocks.

use super::directive;
use super::read::Reader;
use super::{Subsystem, Upstream, UpstreamServer};
use crate::finding::Label;
use crate::source::Located;
use crate::syntax::nginx::Directive;

impl Reader<'_> {
    pub(super) fn upstream(
        &mut self,
        opening: &Directive,
        name: &Located<String>,
        block: &[Directive],
        subsystem: Subsystem,
    ) {
        let place =
            if subsystem == Subsystem::Http { directive::UPSTREAM } else { directive::STREAM_UPSTREAM };
        self.check_all(block, place);
        let known =
            self.config.upstreams.iter().find(|known| {
                known.subsystem == subsystem && known.name.value.eq_ignore_ascii_case(&name.value)
            });
        if let Some(known) = known {
            let first = known.span;
            let log = format!("duplicate upstream \"{}\"", name.value);
            self.refuse("duplicate-directive", &format!("{log}; delete one of the two"), opening, &log);
            if let Some((_, _, refused)) = self.early.last_mut() {
                refused.labels.push(Label { span: first, message: "the first one".to_owned() });
            }
        }
        let mut upstream = Upstream {
            subsystem,
            name: name.clone(),
            servers: Vec::new(),
            dynamic: None,
            span: opening.name.span,
        };
        let mut written_servers = 0;
        for directive in block {
            let written = directive.name.value.as_str();
            if written.starts_with("balancer_by_lua") || written == "include" || written == "state" {
                upstream.dynamic = Some(directive.span);
            }
            if written != "server" {
                continue;
            }
            written_servers += 1;
            let Some((address, parameters)) = directive.arguments.split_first() else {
                let log = "invalid number of arguments in \"server\" directive";
                self.refuse("refused-setting", log, directive, log);
                continue;
            };
            let has = |word: &str| parameters.iter().any(|parameter| parameter.value == word);
            if has("down") {
                continue;
            }
            // the port of a stream upstream must be written
            let default = (subsystem == Subsystem::Http).then_some(80);
            match upstream_server(address, default, has("backup")) {
                Ok(server) => upstream.servers.push(server),
                Err(why) => {
                    let log = format!("{why} in upstream \"{}\"", address.value);
                    self.refuse("refused-setting", &log.clone(), directive, &log);
                }
            }
        }
        if written_servers == 0 && upstream.dynamic.is_none() {
            let log = "no servers are inside upstream";
            let line = opening.end_line;
            self.refuse_at_end(
                "refused-setting",
                &format!("{log}; write `server HOST:PORT;`"),
                opening,
                log,
                line,
            );
        }
        self.config.upstreams.push(upstream);
    }
}

fn upstream_server(
    address: &Located<String>,
    default_port: Option<u16>,
    backup: bool,
) -> Result<UpstreamServer, &'static str> {
    let text = address.value.as_str();
    let server = |host: &str, port: u16, unix: bool| UpstreamServer {
        host: Located::new(host.to_owned(), address.span),
        port,
        unix,
        backup,
    };
    if let Some(path) = text.strip_prefix("unix:") {
        return Ok(server(path, 0, true));
    }
    let (host, port) = match text.strip_prefix('[') {
        Some(rest) => {
            let (host, port) = rest.split_once(']').ok_or("invalid host")?;
            (host, port.strip_prefix(':'))
        }
        None => match text.split_once(':') {
            Some((host, port)) => (host, Some(port)),
            None => (text, None),
        },
    };
    if host.is_empty() {
        return Err("no host");
    }
    let port = match port {
        Some(port) => port.parse().ok().filter(|port| *port > 0).ok_or("invalid port")?,
        None => default_port.ok_or("no port")?,
    };
    Ok(server(host, port, false))
}
