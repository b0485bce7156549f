use crate::deployment::Configuration;
use crate::dialect::envoy::{SecretKind, Validation, ValidationContext};
use crate::finding::{Finding, Label};
use crate::rules::{Subject, rule};

rule! {
    /// Names in the peer's certificate are matched by a field that is deprecated: it does not say which kind of name.
    ///
    /// ## Why it matters
    ///
    /// `match_subject_alt_names` compares its pattern with names of every kind, so an issuer that lets its clients
    /// choose a DNS name freely also lets them choose what was meant as a URI. It will be removed.
    ///
    /// ## How to fix
    ///
    /// ```yaml
    /// match_typed_subject_alt_names:
    /// - {san_type: URI, matcher: {exact: spiffe://example/client}}
    /// ```
    ///
    /// ## What you see in the logs
    ///
    /// `Using deprecated option
    /// 'envoy.extensions.transport_sockets.tls.v3.CertificateValidationContext.match_subject_alt_names'`
    ///
    /// ## Reference
    ///
    /// <https://www.envoyproxy.io/docs/envoy/latest/api-v3/extensions/transport_sockets/tls/v3/common.proto>
    "deprecated-name-check", Advice, check
}

fn check(subject: &Subject<'_>, findings: &mut Vec<Finding>) {
    for program in &subject.deployment.programs {
        let Configuration::Envoy(config) = &program.configuration else { continue };
        let servers = config.listeners.iter().flat_map(|listener| listener.chains());
        let servers = servers.filter_map(|chain| Some(&chain.transport.any_tls()?.common));
        let clients = config.clusters.iter().filter_map(|cluster| Some(&cluster.transport.any_tls()?.common));
        let written = servers.chain(clients).filter_map(|common| match &common.validation {
            Validation::Inline(context) | Validation::Combined { default: context, .. } => Some(&**context),
            _ => None,
        });
        let secrets = config.secrets.iter().filter_map(|secret| match &secret.kind {
            SecretKind::Validation(context) => Some(&**context),
            _ => None,
        });
        for span in written.chain(secrets).filter_map(|context: &ValidationContext| context.untyped_names) {
            findings.push(RULE.finding(
                format!("{} matches names without saying of which kind", program.name),
                Some("write match_typed_subject_alt_names with a san_type for each matcher".to_owned()),
                vec![Label { span, message: "deprecated".to_owned() }],
            ));
        }
    }
}
