use crate::deployment::{Configuration, Setting};
use crate::dialect::etcd::EtcdConfig;
use crate::finding::{Finding, Label};
use crate::rules::{Subject, rule};
use crate::source::Located;
use crate::syntax::url::Url;

rule! {
    /// etcd listens with TLS on a port and advertises it without, or the reverse.
    ///
    /// ## Why it matters
    ///
    /// Members and clients dial what is advertised: clients that synchronise their endpoints, other members, tools that
    /// read the member list. They meet a port that speaks something else.
    ///
    /// A warning, and no error: whoever dials the member by the URL at which it really listens gets through.
    ///
    /// ## How to fix
    ///
    /// Write the same scheme in `listen-client-urls` and `advertise-client-urls`, in `listen-peer-urls`,
    /// `initial-advertise-peer-urls` and `initial-cluster`.
    ///
    /// ## What you see in the logs
    ///
    /// - `--initial-cluster has m1=https://… but missing from --initial-advertise-peer-urls=http://…`
    /// - etcd: `rejected connection … tls: first record does not look like a TLS handshake`
    /// - the client: `malformed HTTP response`
    ///
    /// ## Reference
    ///
    /// <https://github.com/etcd-io/etcd/issues/9917>, <https://github.com/etcd-io/etcd/issues/10128>
    "mismatched-advertised-url", Warning, check
}

fn check(subject: &Subject<'_>, findings: &mut Vec<Finding>) {
    for program in &subject.deployment.programs {
        let Configuration::Etcd(config) = &program.configuration else { continue };
        // what is refused is read as far as the refusal
        if !config.refusals.is_empty() {
            continue;
        }
        for (advertised, listening) in mismatched(config) {
            let (wrong, right) = (&advertised.value.scheme, &listening.value.scheme);
            findings.push(RULE.finding(
                format!("{} advertises {} and listens there by {right}", program.name, advertised.value),
                Some(format!("write {right} instead of {wrong}")),
                vec![
                    Label { span: advertised.span, message: format!("advertised as {wrong}") },
                    Label { span: listening.span, message: format!("listens by {right}") },
                ],
            ));
        }
        for (member, advertised) in of_cluster(config) {
            let (wrong, right) = (&member.value.scheme, &advertised.value.scheme);
            findings.push(RULE.finding(
                format!(
                    "{} advertises {} to its peers and is {} in initial-cluster: a new member refuses to start",
                    program.name, advertised.value, member.value
                ),
                Some(format!("write {right} instead of {wrong}, or advertise {}", member.value)),
                vec![
                    Label { span: member.span, message: format!("{wrong} in the cluster") },
                    Label { span: advertised.span, message: format!("advertised as {right}") },
                ],
            ));
        }
    }
}

/// The member's own URLs in `initial-cluster` that it advertises with another scheme (`advertiseMatchesCluster`, which
/// a member without data runs at its start).
fn of_cluster(config: &EtcdConfig) -> Vec<(&Located<Url>, &Located<Url>)> {
    let (Setting::Given(members), Setting::Given(advertised)) =
        (&config.initial_cluster, &config.initial_advertise_peer_urls)
    else {
        return Vec::new();
    };
    let own = members.value.iter().filter(|member| member.name.value == *config.name.value());
    let own: Vec<&Located<Url>> = own.map(|member| &member.url).collect();
    let differs = |url: &Located<Url>, other: &Located<Url>| {
        url.value.host == other.value.host
            && url.value.port == other.value.port
            && url.value.scheme != other.value.scheme
    };
    let pair = |url: &&'_ Located<Url>| advertised.value.iter().find(|other| differs(url, other));
    own.iter().copied().filter_map(|url| Some((url, pair(&url)?))).collect()
}

/// Advertised URLs beside the listener of their port, where the schemes differ.
fn mismatched(config: &EtcdConfig) -> Vec<(&Located<Url>, &Located<Url>)> {
    // what the image's script filled in is another rule's
    let clients = match &config.advertise_client_urls {
        Setting::Given(urls) if config.advertise_client_urls_supplied.is_none() => urls.value.as_slice(),
        Setting::Given(_) | Setting::Default { .. } => &[],
    };
    let peers = match &config.initial_advertise_peer_urls {
        Setting::Given(urls) => urls.value.as_slice(),
        Setting::Default { .. } => &[],
    };
    let pairs = [(clients, config.listen_client_urls.value()), (peers, config.listen_peer_urls.value())];
    let mut found = Vec::new();
    for (advertised, listening) in pairs {
        for url in advertised {
            // where it listens on the very address, the others of this port are another matter
            let by_address = |listen: &&Located<Url>| listen.value.host == url.value.host;
            let of_port = || listening.iter().filter(|listen| listen.value.port == url.value.port);
            let exact = of_port().any(|listen| by_address(&listen));
            let mut same_port = of_port().filter(|listen| !exact || by_address(listen)).peekable();
            // one port may serve both
            let Some(first) = same_port.peek().copied() else { continue };
            if same_port.all(|listen| listen.value.scheme != url.value.scheme) {
                found.push((url, first));
            }
        }
    }
    found
}
