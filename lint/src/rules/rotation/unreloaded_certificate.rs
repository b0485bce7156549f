use std::collections::BTreeSet;

use super::is_restarted;
use crate::deployment::{Configuration, Content, FileRef, Lookup, Program, ProgramKind};
use crate::dialect::envoy::{DataSource, DataSourceKind, EnvoyConfig, Validation};
use crate::dialect::kubernetes::Workload;
use crate::finding::{Finding, Label};
use crate::rules::{Subject, rule};
use crate::source::Span;

rule! {
    /// A certificate is renewed by itself, and the program that holds it never reads the new one.
    ///
    /// ## Why it matters
    ///
    /// cert-manager renews the Secret and the kubelet updates the file, but nginx and APISIX read their files when they
    /// start, etcd its trust bundle, and Envoy what is written as `filename` outside of a secret that it fetches (SDS). The
    /// program goes on with the old certificate until it expires, and then nobody gets in; a restart by hand ends it,
    /// until the next time.
    ///
    /// ## How to fix
    ///
    /// Let something restart the workload when the Secret changes, or let Envoy fetch the secret from a file
    /// (`tls_certificate_sds_secret_configs` with `path_config_source`). With Reloader:
    ///
    /// ```yaml
    /// metadata:
    ///   annotations:
    ///     reloader.stakater.com/auto: "true"
    /// ```
    ///
    /// ## What you see in the logs
    ///
    /// - `certificate has expired`, although the file in the container is new
    ///
    /// ## Reference
    ///
    /// <https://github.com/stakater/Reloader>; <https://github.com/cert-manager/cert-manager/issues/1168>
    "unreloaded-certificate", Warning, check
}

fn check(subject: &Subject<'_>, findings: &mut Vec<Finding>) {
    let mut told = BTreeSet::new();
    for program in &subject.deployment.programs {
        let Some((workload, place)) = place_of(subject, program) else { continue };
        if is_restarted(workload) || reloads(workload) {
            continue;
        }
        let Some(file) = renewed(subject, program) else { continue };
        if !told.insert(place) {
            continue;
        }
        let Lookup::Found(Content::PlannedCertificates(ids)) = &file.content else { continue };
        let Some(planned) = ids.first().and_then(|id| subject.deployment.planned.get(*id)) else { continue };
        findings.push(RULE.finding(
            format!(
                "{} reads {} once, and goes on with the old one when {} is renewed",
                program.name, file.path.value, planned.name
            ),
            Some(format!(
                "write the annotation reloader.stakater.com/auto: \"true\" (with Reloader installed) for {} {}",
                workload.kind,
                workload.metadata.path()
            )),
            vec![
                Label { span: file.path.span, message: "read when the program starts".to_owned() },
                Label { span: planned.span, message: "renewed by cert-manager".to_owned() },
                Label { span: workload.metadata.name.span, message: "nothing restarts it".to_owned() },
            ],
        ));
    }
}

/// The workload whose container a program runs in, of those that can be restarted.
fn place_of<'a>(subject: &Subject<'a>, program: &Program) -> Option<(&'a Workload, Span)> {
    let place = program.span?;
    let workload = subject.deployment.manifests.workloads.iter().find(|workload| {
        let pod = workload.pod.span;
        pod.file == place.file && pod.start <= place.start && place.end <= pod.end
    })?;
    let restartable = matches!(workload.kind.as_str(), "Deployment" | "StatefulSet" | "DaemonSet");
    restartable.then_some((workload, place))
}

/// Whether some container looks as if it reloaded a program: a sidecar, a loop, an operator's image.
fn reloads(workload: &Workload) -> bool {
    workload.pod.all().any(|(container, _)| {
        let words = container.command.iter().chain(&container.args).chain(&container.image);
        let mut words = words.map(|word| word.value.to_ascii_lowercase());
        container.has_hooks || words.any(|word| word.contains("reload") || word.contains("inotify"))
    })
}

/// A file of the program that is renewed and that it reads but once.
fn renewed<'a>(subject: &Subject<'a>, program: &Program) -> Option<&'a FileRef> {
    let own = |other: &Program| std::ptr::eq(other, program);
    let is_renewed = |file: &&FileRef| matches!(file.content, Lookup::Found(Content::PlannedCertificates(_)));
    let held = &subject.held;
    let presented = held.presented.iter().filter(|presented| own(presented.program));
    let trusted = held.trusted.iter().filter(|trusted| own(trusted.program));
    match program.kind {
        ProgramKind::Nginx | ProgramKind::Apisix => {
            let presented = presented.map(|presented| &presented.credential.certificate);
            // objects of the Admin API are written anew, and not read from a file
            let from_file = |file: &&FileRef| file.path.value.starts_with('/');
            presented.chain(trusted.map(|trusted| trusted.file)).filter(from_file).find(is_renewed)
        }
        ProgramKind::Etcd => trusted.map(|trusted| trusted.file).find(is_renewed),
        ProgramKind::Envoy => {
            let Configuration::Envoy(config) = &program.configuration else { return None };
            let once = read_once(config);
            let presented = presented.map(|presented| &presented.credential.certificate);
            let files = presented.chain(trusted.map(|trusted| trusted.file));
            files.filter(|file| once.contains(&file.path.span)).find(is_renewed)
        }
        _ => None,
    }
}

/// Files that an Envoy reads with its listeners and clusters; those of fetched secrets it watches.
fn read_once(config: &EnvoyConfig) -> BTreeSet<Span> {
    let servers = config.listeners.iter().flat_map(|listener| listener.chains());
    let servers = servers.filter_map(|chain| Some(&chain.transport.any_tls()?.common));
    let clients = config.clusters.iter().filter_map(|cluster| Some(&cluster.transport.any_tls()?.common));
    let mut places = BTreeSet::new();
    let mut add = |source: &Option<DataSource>, folder: bool| {
        if let Some(DataSource { kind: DataSourceKind::File(path), watched_directory: None, .. }) = source
            && !folder
        {
            places.insert(path.span);
        }
    };
    for common in servers.chain(clients) {
        for certificate in &common.certificates {
            add(&certificate.certificate_chain, certificate.watched_directory.is_some());
        }
        if let Validation::Inline(context) = &common.validation {
            add(&context.trusted_ca, context.watched_directory.is_some());
        }
    }
    places
}
