//! etcd's peer ports: does the certificate bear the address that the member calls from?

use std::net::IpAddr;
use std::sync::Arc;

use super::Wire;
use crate::deployment::Program;
use crate::handshake::outcome::{Step, unknown};
use crate::stack::certificate::address;
use crate::stack::{Certificate, Fault, Mistake};

impl Wire<'_, '_> {
    /// listener_tls.go checkCertSAN: one address or resolvable name of the certificate must be the caller's.
    pub(super) fn peer_address(&self, first: &Arc<Certificate>) -> Step<Option<Fault>> {
        let callers = self.caller_addresses();
        let dns: Vec<&str> = first.dns_names().collect();
        let addresses: Vec<IpAddr> = first.addresses().filter_map(address).collect();
        if dns.is_empty() && addresses.is_empty() {
            return Ok(None);
        }
        let caller = self.client.map(|(_, client, _)| client);
        let hosts = self.shelf.deployment.hosts.as_ref();
        let Some(callers) = callers else {
            // its own name is looked up; for a wildcard its address is, in reverse
            let own = |caller: &Program, name: &str| {
                caller.has_reverse_name(name)
                    || caller.aliases.iter().any(|alias| alias.eq_ignore_ascii_case(name))
            };
            if dns.iter().any(|name| caller.is_some_and(|caller| own(caller, name))) {
                return Ok(None);
            }
            return Err(unknown(vec![format!(
                "whether {} belongs to the address that the member calls from is not seen",
                first.shown_names()
            )]));
        };
        if addresses.iter().any(|address| callers.contains(address)) {
            return Ok(None);
        }
        let resolves = |name: &&str| {
            let Some(hosts) = hosts else { return false };
            if let Some(parent) = name.strip_prefix('*') {
                // reverse look-up: any name of the caller's address beneath the wildcard
                return hosts.iter().any(|(known, addresses)| {
                    known.ends_with(parent) && addresses.iter().any(|address| callers.contains(address))
                });
            }
            hosts
                .get(&name.to_ascii_lowercase())
                .is_some_and(|addresses| addresses.iter().any(|address| callers.contains(address)))
        };
        if dns.iter().any(resolves) {
            return Ok(None);
        }
        let caller = callers.first().map_or_else(|| "?".to_owned(), ToString::to_string);
        let text = if dns.is_empty() {
            format!("tls: \"{caller}\" does not match any of IPAddresses {addresses:?}")
        } else {
            format!("tls: \"{caller}\" does not match any of DNSNames {dns:?}")
        };
        Ok(Some(Fault {
            mistake: Mistake::ForeignAddress,
            number: None,
            text,
            depth: 0,
            message: format!(
                "{} bears {}, none of which belongs to {caller}, from which the member calls",
                first.shown,
                first.shown_names()
            ),
            certificate: Some(Arc::clone(first)),
        }))
    }

    /// Where the client calls from, as far as the hosts file tells.
    fn caller_addresses(&self) -> Option<Vec<IpAddr>> {
        let hosts = self.shelf.deployment.hosts.as_ref()?;
        let (_, client, dialer) = self.client?;
        let lookup = |host: &str| -> Vec<IpAddr> {
            let bare = host.trim_start_matches('[').trim_end_matches(']');
            match bare.parse() {
                Ok(address) => vec![address],
                Err(_) => hosts.get(&host.to_ascii_lowercase()).cloned().unwrap_or_default(),
            }
        };
        let target = lookup(&dialer.target.host.value);
        // a loopback address is called from the same one
        if let Some(loopback) = target.iter().find(|address| address.is_loopback()) {
            return Some(vec![*loopback]);
        }
        let own: Vec<IpAddr> = client.aliases.iter().flat_map(|alias| lookup(alias)).collect();
        if own.is_empty() { None } else { Some(own) }
    }
}
