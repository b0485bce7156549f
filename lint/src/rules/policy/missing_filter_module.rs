use crate::deployment::{Configuration, Lookup};
use crate::dialect::apisix::config::Provider;
use crate::finding::{Finding, Label};
use crate::rules::{Subject, rule};

rule! {
    /// `wasm.plugins` names a module that is not there.
    ///
    /// ## Why it matters
    ///
    /// APISIX cannot load the plugin and goes on without it. With etcd as the source of routes, those that name the
    /// plugin are answered unguarded, with one line in the log.
    ///
    /// ## How to fix
    ///
    /// Correct `file`, or put the module there; relative paths count from the folder in which APISIX is started.
    ///
    /// ## What you see in the logs
    ///
    /// - `failed to load wasm plugin`
    ///
    /// ## Reference
    ///
    /// <https://apisix.apache.org/docs/apisix/wasm/>
    "missing-filter-module", Error, check
}

fn check(subject: &Subject<'_>, findings: &mut Vec<Finding>) {
    for program in &subject.deployment.programs {
        let Configuration::Apisix(facts) = &program.configuration else { continue };
        for module in &facts.modules {
            let Lookup::Missing(missing) = &module.content else { continue };
            let named = facts
                .config
                .wasm
                .iter()
                .find(|plugin| plugin.file.as_ref().is_some_and(|file| file.span == module.path.span));
            let name = named.map_or("?", |plugin| plugin.name.value.as_str());
            let consequence = match facts.config.provider.value() {
                Provider::Etcd => "routes with it are answered unguarded",
                _ => "routes with it are dropped",
            };
            let mut labels =
                vec![Label { span: module.path.span, message: "nothing is at this path".to_owned() }];
            labels.extend(missing.labels.iter().cloned());
            findings.push(RULE.finding(
                format!("{} cannot load the filter {name}: {}; {consequence}", program.name, missing.message),
                Some("correct file, or mount the module there".to_owned()),
                labels,
            ));
        }
    }
}
