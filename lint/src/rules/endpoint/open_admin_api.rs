use crate::deployment::{Configuration, Gate, Setting};
use crate::finding::{Finding, Label};
use crate::rules::{Subject, rule};

rule! {
    /// APISIX's Admin API answers every address (`allow_admin` has a network of all addresses).
    ///
    /// Who reaches the Admin API and knows its key configures the gateway: routes, certificates, plugins that run code.
    ///
    /// ## Why it matters
    ///
    /// The address filter is what stands in front of the key and of client certificates, which the Admin API asks for
    /// only if `https_admin` and `admin_ssl_ca_cert` are set. `0.0.0.0/0` switches it off.
    ///
    /// ## How to fix
    ///
    /// Name the networks from which administrators and the ingress controller come:
    ///
    /// ```yaml
    /// deployment:
    ///   admin:
    ///     allow_admin:
    ///       - 127.0.0.0/24
    ///       - 10.42.0.0/16
    /// ```
    ///
    /// ## What you see in the logs
    ///
    /// Nothing: that is the point. With a narrower list, strangers get 403 and nginx logs `access forbidden by rule`.
    ///
    /// ## Reference
    ///
    /// <https://apisix.apache.org/docs/apisix/admin-api/>, configuration
    "open-admin-api", Warning, check
}

fn check(subject: &Subject<'_>, findings: &mut Vec<Finding>) {
    for (program, listener) in subject.listeners() {
        let Gate::ApisixAdmin { allow, .. } = &listener.gate else { continue };
        let Setting::Given(given) = allow else { continue };
        let Some(wide) = given.value.iter().find(|network| is_everything(network)) else { continue };
        let places = match &program.configuration {
            Configuration::Apisix(facts) => {
                facts.config.admin.as_ref().map(|admin| admin.allow_places.as_slice())
            }
            _ => None,
        };
        let item = places.into_iter().flatten().find(|place| place.value == *wide);
        let span = item.map_or(given.span, |item| item.span);
        findings.push(
            RULE.finding(
                format!("the Admin API of {} answers every address: allow_admin has {wide}", program.name),
                Some(
                    "name the networks of your administrators in allow_admin, for instance 10.42.0.0/16"
                        .to_owned(),
                ),
                vec![Label { span, message: format!("{wide} is every address") }],
            ),
        );
    }
}

fn is_everything(network: &str) -> bool {
    matches!(network, "0.0.0.0/0" | "::/0")
}
