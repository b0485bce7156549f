use crate::deployment::{Configuration, DialerPurpose, OUTSIDE};
use crate::finding::{Finding, Label};
use crate::rules::{Subject, rule};

rule! {
    /// The certificate with which an etcd member dials the others bears wildcard names only.
    ///
    /// After the usual checks a member compares the names in its peer's certificate with the address that the peer calls
    /// from. A plain DNS name is looked up; a wildcard cannot be, so the address is looked up in reverse instead.
    ///
    /// ## Why it matters
    ///
    /// The member joins only where reverse DNS of its address gives a name beneath the wildcard. Pods behind a Service,
    /// NAT and most clouds have none, or another one. Kubernetes gives Pods such names by headless Services, in full
    /// (`etcd-0.etcd.tls.svc.cluster.local`), and before a Pod is ready only by those with
    /// `publishNotReadyAddresses: true`.
    ///
    /// ## How to fix
    ///
    /// Add the members' own names or addresses:
    ///
    /// ```yaml
    /// dnsNames: ["*.etcd.tls.svc.cluster.local", etcd-0.etcd.tls.svc.cluster.local]
    /// ```
    ///
    /// ## What you see in the logs
    ///
    /// - `rejected connection … tls: "…" does not match any of DNSNames ["*.….svc.cluster.local"]`
    ///
    /// ## Reference
    ///
    /// <https://github.com/etcd-io/etcd/issues/9276>, <https://github.com/etcd-io/etcd/issues/12562>
    "wildcard-peer-names", Warning, check
}

fn check(subject: &Subject<'_>, findings: &mut Vec<Finding>) {
    for program in &subject.deployment.programs {
        let Configuration::Etcd(config) = &program.configuration else { continue };
        let compared = config.peer.requires_client_certificate()
            && !*config.peer.skip_client_san_verification.value()
            && config.peer.allowed_cn.is_empty()
            && config.peer.allowed_hostname.is_empty();
        if !config.refusals.is_empty()
            || !compared
            || subject.is_predicted(program, &["foreign-peer-address"])
        {
            continue;
        }
        let credential = program
            .dialers
            .iter()
            .filter(|dialer| dialer.purpose == DialerPurpose::Peer)
            .find_map(|dialer| dialer.tls.as_ref()?.credential.as_ref());
        let Some(credential) = credential else { continue };
        let presented = subject.presented(program, credential);
        let Some(certificate) = presented.first() else { continue };
        let mut names = certificate.dns_names().peekable();
        let only_wildcards = names.peek().is_some()
            && names.all(|name| name.starts_with('*') && !program.has_reverse_name(name));
        if !only_wildcards || certificate.addresses().next().is_some() {
            continue;
        }
        findings.push(RULE.finding(
            format!(
                "the other members look up {}'s address in reverse: its certificate bears wildcards only, {}",
                program.name,
                certificate.shown_names()
            ),
            Some(format!(
                "issue {} with the member's own DNS name or IP address besides{}",
                credential.certificate.path.value,
                if program.machine != OUTSIDE {
                    "; or with the full name of a headless Service that has publishNotReadyAddresses: true \
                     (*.SERVICE.NAMESPACE.svc.cluster.local)"
                } else {
                    ""
                }
            )),
            vec![
                Label {
                    span: credential.certificate.path.span,
                    message: "presented to the other members".to_owned(),
                },
                Label { span: certificate.span, message: "no name that can be looked up".to_owned() },
            ],
        ));
    }
}
