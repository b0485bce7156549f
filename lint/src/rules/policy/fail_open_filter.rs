use crate::deployment::Configuration;
use crate::finding::{Finding, Label};
use crate::rules::{Subject, rule};

rule! {
    /// A wasm filter that fails lets every request pass unchecked.
    ///
    /// ## Why it matters
    ///
    /// After one trap of the module the filter is gone from that worker, and with `FAIL_OPEN` nobody notices: requests go
    /// on, without the decision that the filter was there to make.
    ///
    /// ## How to fix
    ///
    /// `failure_policy: FAIL_RELOAD`: requests are refused with 503 for about a second, then a fresh instance decides
    /// again. Releases without that value have `FAIL_CLOSED`, which refuses until a restart. Replace `fail_open: true`
    /// by `failure_policy`.
    ///
    /// ## What you see in the logs
    ///
    /// `wasm log …: Function: proxy_on_request_headers failed: Uncaught RuntimeError: unreachable`, and after it
    /// requests that are served.
    ///
    /// ## Reference
    ///
    /// Observed with Envoy 1.40.0;
    /// <https://www.envoyproxy.io/docs/envoy/latest/api-v3/extensions/wasm/v3/wasm.proto>
    "fail-open-filter", Warning, check
}

fn check(subject: &Subject<'_>, findings: &mut Vec<Finding>) {
    for program in &subject.deployment.programs {
        let Configuration::Envoy(config) = &program.configuration else { continue };
        for plugin in config.listeners.iter().flat_map(|listener| listener.plugins()) {
            let Some(policy) = plugin.failure_policy.as_ref().filter(|policy| policy.value == "FAIL_OPEN")
            else {
                continue;
            };
            let name = plugin.name.as_ref().map_or("a wasm filter", |name| name.value.as_str());
            findings.push(RULE.finding(
                format!("{} lets every request pass when {name} fails", program.name),
                Some("write failure_policy: FAIL_RELOAD".to_owned()),
                vec![Label { span: policy.span, message: "after a failure nothing is checked".to_owned() }],
            ));
        }
    }
}
