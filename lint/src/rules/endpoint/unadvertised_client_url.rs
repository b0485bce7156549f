use crate::deployment::Configuration;
use crate::finding::{Finding, Label};
use crate::rules::{Subject, rule};

rule! {
    /// etcd is not told by which URL clients reach it; the start script of its image fills one in.
    ///
    /// The scripts of bitnami/etcd set `ETCD_ADVERTISE_CLIENT_URLS` to `http://127.0.0.1:2379` where it is not set. etcd
    /// itself insists on the setting as soon as `listen-client-urls` is given.
    ///
    /// ## Why it matters
    ///
    /// Another image of etcd refuses to start with the same settings. And the URL that the script fills in is nobody's:
    /// clients that synchronise their endpoints dial themselves, and without TLS.
    ///
    /// ## How to fix
    ///
    /// `ETCD_ADVERTISE_CLIENT_URLS=https://etcd:2379`, with the name and scheme that clients use.
    ///
    /// ## What you see in the logs
    ///
    /// - etcd without the script: `--advertise-client-urls is required when --listen-client-urls is set explicitly`
    ///
    /// ## Reference
    ///
    /// <https://etcd.io/docs/latest/op-guide/configuration/>, `--advertise-client-urls`
    "unadvertised-client-url", Advice, check
}

fn check(subject: &Subject<'_>, findings: &mut Vec<Finding>) {
    for program in &subject.deployment.programs {
        let Configuration::Etcd(config) = &program.configuration else { continue };
        // what is refused is read as far as the refusal
        if !config.refusals.is_empty() {
            continue;
        }
        let (Some(supplied), true) =
            (config.advertise_client_urls_supplied, config.listen_client_urls.is_given())
        else {
            continue;
        };
        let listening = config.listen_client_urls.span();
        // the script sets both: nothing was written that asks for the other
        if listening == supplied {
            continue;
        }
        let scheme =
            config.listen_client_urls.value().first().map_or("https", |url| url.value.scheme.as_str());
        findings.push(RULE.finding(
            format!(
                "{} starts only because its image's script advertises http://127.0.0.1:2379: the stock image refuses \
                 with \"--advertise-client-urls is required when --listen-client-urls is set explicitly\"",
                program.name
            ),
            Some(format!("set ETCD_ADVERTISE_CLIENT_URLS to the URL that clients use, {scheme}://etcd:2379 for instance")),
            vec![Label { span: listening, message: "set here, without ETCD_ADVERTISE_CLIENT_URLS".to_owned() }],
        ));
    }
}
