use std::collections::BTreeSet;
use std::net::IpAddr;

use crate::finding::{Finding, Label};
use crate::rules::{Subject, rule};

rule! {
    /// An IP address stands among the DNS names of a certificate.
    ///
    /// ## Why it matters
    ///
    /// Clients that dial an address compare it with the IP addresses of the certificate, not with its DNS names: Go,
    /// curl, Envoy and browsers refuse the certificate. nginx as a client compares with the DNS names only, which is
    /// how such certificates come about.
    ///
    /// ## How to fix
    ///
    /// Write it as an address, and for nginx dial a name instead:
    ///
    /// ```yaml
    /// ipAddresses:
    ///   - 10.0.0.5
    /// ```
    ///
    /// With openssl: `subjectAltName = IP:10.0.0.5`.
    ///
    /// ## What you see in the logs
    ///
    /// - Go: `x509: cannot validate certificate for … because it doesn't contain any IP SANs`
    /// - curl: `SSL: no alternative certificate subject name matches target …`
    ///
    /// ## Reference
    ///
    /// RFC 5280, section 4.2.1.6; RFC 9525, section 6.5
    "address-as-dns-name", Warning, check
}

fn check(subject: &Subject<'_>, findings: &mut Vec<Finding>) {
    for planned in &subject.deployment.planned {
        for name in planned.dns_names.iter().filter(|name| name.value.parse::<IpAddr>().is_ok()) {
            // it may stand at the right place as well
            if subject.is_blamed(planned.span)
                || planned.ip_addresses.iter().any(|address| address.value == name.value)
            {
                continue;
            }
            findings.push(RULE.finding(
                format!("{} has the address {} among its DNS names", planned.name, name.value),
                Some(format!("write {} under ipAddresses", name.value)),
                vec![Label { span: name.span, message: "an address is no DNS name".to_owned() }],
            ));
        }
    }
    let mut told = BTreeSet::new();
    for presented in &subject.held.presented {
        let Some(first) = presented.chain.first().filter(|first| !first.is_planned()) else { continue };
        let wrong = first.dns_names().find(|name| {
            name.parse::<IpAddr>().is_ok_and(|address| {
                let octets = crate::stack::certificate::octets(address);
                !first.addresses().any(|known| known == octets)
            })
        });
        let Some(name) = wrong else { continue };
        let path = &presented.credential.certificate.path;
        if subject.is_blamed(first.span) || subject.is_blamed(path.span) || !told.insert(first.span) {
            continue;
        }
        findings.push(RULE.finding(
            format!(
                "{} of {} has the address {name} among its DNS names",
                first.shown, presented.program.name
            ),
            Some(format!("issue it anew with subjectAltName = IP:{name}")),
            vec![
                Label { span: first.span, message: format!("DNS:{name}") },
                Label { span: path.span, message: "presented from here".to_owned() },
            ],
        ));
    }
}
