use crate::deployment::Configuration;
use crate::finding::{Finding, Label};
use crate::rules::{Subject, rule};

rule! {
    /// Envoy reads a discovery file out of a mounted ConfigMap or Secret and does not watch the folder.
    ///
    /// Envoy reads the file again when something is moved onto its path. Kubernetes never does that: it exchanges a link
    /// of the folder.
    ///
    /// ## Why it matters
    ///
    /// A rotated certificate, a CA taken out, a listener closed: all of it takes effect at the next restart only.
    ///
    /// ## How to fix
    ///
    /// ```yaml
    /// path_config_source:
    ///   path: /etc/envoy/sds/server.yaml
    ///   watched_directory:
    ///     path: /etc/envoy/sds
    /// ```
    ///
    /// ## What you see in the logs
    ///
    /// Nothing: the page /certs of the admin interface shows the old certificate.
    ///
    /// ## Reference
    ///
    /// <https://www.envoyproxy.io/docs/envoy/latest/api-v3/config/core/v3/config_source.proto#config-core-v3-pathconfigsource>;
    /// <https://github.com/envoyproxy/envoy/issues/9359>
    "unwatched-discovery-file", Warning, check
}

fn check(subject: &Subject<'_>, findings: &mut Vec<Finding>) {
    for program in &subject.deployment.programs {
        let Configuration::Envoy(config) = &program.configuration else { continue };
        for path in &config.unwatched {
            let folder = path.value.rsplit_once('/').map_or("/", |(folder, _)| folder);
            findings.push(RULE.finding(
                format!("{} does not notice when {} changes", program.name, path.value),
                Some(format!("add watched_directory: {{path: {folder}}} beside the path")),
                vec![Label {
                    span: path.span,
                    message: "mounted by Kubernetes, which moves nothing onto this path".to_owned(),
                }],
            ));
        }
    }
}
