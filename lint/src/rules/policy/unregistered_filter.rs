use crate::deployment::Configuration;
use crate::dialect::apisix::config::Provider;
use crate::finding::{Finding, Label};
use crate::rules::{Subject, rule};

rule! {
    /// A route names the filter, and `wasm.plugins` of config.yaml does not.
    ///
    /// APISIX knows a WebAssembly plugin by its entry there: name, file and priority.
    ///
    /// ## Why it matters
    ///
    /// With etcd as the source of routes APISIX leaves the unknown plugin out and answers the route unguarded.
    ///
    /// ## How to fix
    ///
    /// ```yaml
    /// wasm:
    ///   plugins:
    ///     - name: mtls-guard
    ///       priority: 7999
    ///       file: /usr/local/apisix/wasm/mtls_guard_apisix.wasm
    /// ```
    ///
    /// ## What you see in the logs
    ///
    /// - `unknown plugin [mtls-guard]`
    ///
    /// ## Reference
    ///
    /// <https://apisix.apache.org/docs/apisix/wasm/>
    "unregistered-filter", Error, check
}

fn check(subject: &Subject<'_>, findings: &mut Vec<Finding>) {
    for program in &subject.deployment.programs {
        let Configuration::Apisix(facts) = &program.configuration else { continue };
        let mut told = std::collections::BTreeSet::new();
        for plugin in super::apisix_plugins(facts).filter(|plugin| !plugin.disabled) {
            let name = plugin.name.value.as_str();
            let registered = facts.config.wasm.iter().any(|module| module.name.value == name);
            if registered || !super::is_guard(name) || !told.insert(name) {
                continue;
            }
            let consequence = match facts.config.provider.value() {
                Provider::Etcd => "its routes are answered unguarded",
                _ => "its routes are dropped",
            };
            let mut labels =
                vec![Label { span: plugin.name.span, message: "no such entry in wasm.plugins".to_owned() }];
            labels.extend(facts.config.wasm.first().map(|module| Label {
                span: module.name.span,
                message: format!("wasm.plugins has {}", module.name.value),
            }));
            findings.push(RULE.finding(
                format!("{} does not know the filter {name}: {consequence}", program.name),
                Some(match facts.config.wasm.iter().find(|module| super::is_guard(&module.name.value)) {
                    Some(module) => format!("write {}, as wasm.plugins has it", module.name.value),
                    None => format!("add {name} with its file and priority to wasm.plugins in config.yaml"),
                }),
                labels,
            ));
        }
    }
}
