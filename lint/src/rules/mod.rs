//! The catalogue: each rule is data and one function, one file per rule.
//!
//! A rule sees the deployment, the predictions and a time; it parses nothing and follows no reference.
//! The doc comment inside `rule!` is the rule's page: rustdoc, `mtls-lint explain` and the page print it.

mod allowance;
mod cert_manager;
mod connection;
mod credential;
mod endpoint;
mod gateway_api;
mod ingress;
mod kubernetes;
mod policy;
mod rotation;
mod subject;
mod trust;

use crate::deployment::Refusal;
use crate::finding::{Finding, Label, Severity};
pub use subject::Subject;

/// A mistake that the linter knows.
#[derive(Debug, Clone, Copy)]
pub struct Rule {
    /// The mistake's name: file name, fixture folder, snapshot name.
    pub id: &'static str,
    /// One per rule.
    pub severity: Severity,
    /// The doc comment, line by line, each with its leading space.
    pub docs: &'static str,
    /// Adds what it finds.
    pub check: fn(&Subject<'_>, &mut Vec<Finding>),
}

/// Declares a rule: its page as a doc comment, its id, severity and function.
macro_rules! rule {
    ($(#[doc = $page:literal])+ $id:literal, $severity:ident, $check:path) => {
        $(#[doc = $page])+
        pub const RULE: $crate::rules::Rule = $crate::rules::Rule {
            id: $id,
            severity: $crate::finding::Severity::$severity,
            docs: concat!($($page, "\n"),+),
            check: $check,
        };
    };
}
pub(crate) use rule;

/// Every rule, by id.
pub const RULES: &[Rule] = &[
    cert_manager::authority_with_end_entity_usages::RULE,
    cert_manager::certificate_without_names::RULE,
    cert_manager::certificate_without_secret_name::RULE,
    cert_manager::common_name_too_long::RULE,
    cert_manager::conflicting_renewal::RULE,
    cert_manager::conflicting_subject::RULE,
    cert_manager::defaulted_usages::RULE,
    cert_manager::duplicate_secret_name::RULE,
    cert_manager::duration_too_short::RULE,
    cert_manager::gated_name_constraints::RULE,
    cert_manager::invalid_alternative_name::RULE,
    cert_manager::invalid_certificate_duration::RULE,
    cert_manager::invalid_key_parameters::RULE,
    cert_manager::long_lived_certificate::RULE,
    cert_manager::name_constraints_without_ca::RULE,
    cert_manager::renew_before_exceeds_duration::RULE,
    cert_manager::self_signed_end_entity::RULE,
    cert_manager::signature_algorithm_of_another_key::RULE,
    cert_manager::unknown_certificate_usage::RULE,
    connection::address_not_allowed::RULE,
    connection::common_name_through_gateway::RULE,
    connection::foreign_peer_address::RULE,
    connection::gateway_disabled::RULE,
    connection::host_differs_from_server_name::RULE,
    connection::missing_client_certificate::RULE,
    connection::name_mismatch::RULE,
    connection::name_not_allowed::RULE,
    connection::no_common_algorithm::RULE,
    connection::no_common_protocol::RULE,
    connection::plaintext_to_tls_port::RULE,
    connection::rejected_handshake::RULE,
    connection::tls_to_plaintext_port::RULE,
    connection::unanswered_port::RULE,
    connection::unknown_issuer::RULE,
    connection::unknown_server_name::RULE,
    connection::wrong_api_key::RULE,
    credential::address_as_dns_name::RULE,
    credential::certificate_outlives_issuer::RULE,
    credential::certificate_without_key::RULE,
    credential::common_name_only::RULE,
    credential::encrypted_key::RULE,
    credential::end_entity_is_ca::RULE,
    credential::expired_certificate::RULE,
    credential::expiring_certificate::RULE,
    credential::malformed_certificate::RULE,
    credential::mismatched_key::RULE,
    credential::misordered_chain::RULE,
    credential::missing_client_auth_usage::RULE,
    credential::missing_credential::RULE,
    credential::missing_server_auth_usage::RULE,
    credential::missing_server_certificate::RULE,
    credential::name_constraint_violated::RULE,
    credential::nameless_authority::RULE,
    credential::not_yet_valid_certificate::RULE,
    credential::obsolete_algorithm::RULE,
    credential::public_client_certificate::RULE,
    credential::root_in_chain::RULE,
    credential::uncritical_alternative_names::RULE,
    credential::unknown_critical_extension::RULE,
    credential::unportable_wildcard::RULE,
    credential::unrelated_certificate::RULE,
    credential::unsuitable_key_usage::RULE,
    credential::usage_excluded_by_issuer::RULE,
    credential::weak_key::RULE,
    credential::weak_signature::RULE,
    endpoint::accepted_expired_certificate::RULE,
    endpoint::accepted_untrusted_certificate::RULE,
    endpoint::bypassable_client_trust::RULE,
    endpoint::clients_trusted_by_system::RULE,
    endpoint::controller_without_client_certificate::RULE,
    endpoint::deprecated_name_check::RULE,
    endpoint::dropped_inherited_setting::RULE,
    endpoint::duplicate_directive::RULE,
    endpoint::duplicate_server_name::RULE,
    endpoint::host_without_certificate::RULE,
    endpoint::ignored_upstream_verification::RULE,
    endpoint::implied_client_authentication::RULE,
    endpoint::ineffective_setting::RULE,
    endpoint::loose_name_pattern::RULE,
    endpoint::mismatched_advertised_url::RULE,
    endpoint::mismatched_cipher_list::RULE,
    endpoint::missing_file::RULE,
    endpoint::multiline_certificate_header::RULE,
    endpoint::name_check_without_trust_anchor::RULE,
    endpoint::obsolete_protocol::RULE,
    endpoint::one_way_peer_certificate::RULE,
    endpoint::open_admin_api::RULE,
    endpoint::open_skipped_path::RULE,
    endpoint::plaintext_admin_api::RULE,
    endpoint::plaintext_beside_client_authentication::RULE,
    endpoint::plaintext_remote_admin_api::RULE,
    endpoint::published_admin_key::RULE,
    endpoint::published_keyring::RULE,
    endpoint::refused_object::RULE,
    endpoint::refused_setting::RULE,
    endpoint::refused_syntax::RULE,
    endpoint::requirement_without_trust_anchor::RULE,
    endpoint::resumable_across_servers::RULE,
    endpoint::self_made_certificate::RULE,
    endpoint::self_refusing_gateway::RULE,
    endpoint::shared_upstream_session::RULE,
    endpoint::spoofable_identity_header::RULE,
    endpoint::unadvertised_client_url::RULE,
    endpoint::unasked_client_certificate::RULE,
    endpoint::unauthenticated_clients::RULE,
    endpoint::unchecked_optional_certificate::RULE,
    endpoint::unchecked_server_name::RULE,
    endpoint::uncovered_advertised_name::RULE,
    endpoint::uncovered_loopback_name::RULE,
    endpoint::uncovered_server_name::RULE,
    endpoint::uninspected_server_name::RULE,
    endpoint::unknown_client_certificate_id::RULE,
    endpoint::unmatchable_server_name::RULE,
    endpoint::unreadable_file::RULE,
    endpoint::unrequired_client_certificate::RULE,
    endpoint::unsent_server_name::RULE,
    endpoint::unused_upstream_tls::RULE,
    endpoint::unverified_control_plane::RULE,
    endpoint::unverified_server::RULE,
    endpoint::unwatched_discovery_file::RULE,
    endpoint::wildcard_peer_names::RULE,
    gateway_api::backend_policy_without_hostname::RULE,
    gateway_api::backend_policy_without_trust::RULE,
    gateway_api::conflicting_backend_trust::RULE,
    gateway_api::conflicting_listener_protocol::RULE,
    gateway_api::frontend_validation_without_ca::RULE,
    gateway_api::insecure_client_fallback::RULE,
    gateway_api::listener_without_certificate::RULE,
    gateway_api::misplaced_frontend_validation::RULE,
    gateway_api::missing_reference_grant::RULE,
    gateway_api::unattached_backend_policy::RULE,
    gateway_api::unsupported_certificate_reference::RULE,
    gateway_api::unused_frontend_validation::RULE,
    ingress::disputed_client_trust::RULE,
    ingress::ineffective_annotation::RULE,
    ingress::loose_common_name_pattern::RULE,
    ingress::passed_through_client_authentication::RULE,
    ingress::secret_without_trust_bundle::RULE,
    ingress::unqualified_secret_name::RULE,
    kubernetes::decimal_file_mode::RULE,
    kubernetes::double_encoded_secret::RULE,
    kubernetes::empty_tls_secret::RULE,
    kubernetes::folded_configuration::RULE,
    kubernetes::issuer_without_ca::RULE,
    kubernetes::literal_password::RULE,
    kubernetes::missing_config_map::RULE,
    kubernetes::missing_issuer::RULE,
    kubernetes::missing_key::RULE,
    kubernetes::missing_secret::RULE,
    kubernetes::missing_volume::RULE,
    kubernetes::private_key_in_config_map::RULE,
    kubernetes::probe_without_client_certificate::RULE,
    kubernetes::retired_api_version::RULE,
    kubernetes::shadowed_system_trust::RULE,
    kubernetes::tls_secret_without_pair::RULE,
    kubernetes::undecodable_secret::RULE,
    kubernetes::unknown_service_port::RULE,
    kubernetes::unknown_target_port::RULE,
    kubernetes::unmatched_selector::RULE,
    kubernetes::unmounted_path::RULE,
    policy::client_certificate_header_without_certificate::RULE,
    policy::disabled_filter::RULE,
    policy::exempted_policy_rule::RULE,
    policy::fail_open_filter::RULE,
    policy::forgeable_client_certificate_header::RULE,
    policy::identity_check_without_certificate::RULE,
    policy::kept_client_certificate_header::RULE,
    policy::missing_filter_module::RULE,
    policy::policy_for_another_gateway::RULE,
    policy::rechosen_route::RULE,
    policy::refused_policy::RULE,
    policy::shadowed_policy_rule::RULE,
    policy::unguarded_listener::RULE,
    policy::unreachable_identity::RULE,
    policy::unregistered_filter::RULE,
    policy::untrusted_policy_anchor::RULE,
    policy::unvouched_certificate::RULE,
    rotation::rekeyed_authority::RULE,
    rotation::renewal_loop::RULE,
    rotation::renewed_after_issuer_expires::RULE,
    rotation::reused_key::RULE,
    rotation::secret_mounted_by_sub_path::RULE,
    rotation::unreloaded_certificate::RULE,
    trust::empty_trust_bundle::RULE,
    trust::end_entity_as_trust_anchor::RULE,
    trust::expired_trust_anchor::RULE,
    trust::invalid_signature::RULE,
    trust::issuer_not_ca::RULE,
    trust::issuer_with_other_key::RULE,
    trust::missing_intermediate::RULE,
    trust::missing_root::RULE,
    trust::missing_trust_bundle::RULE,
    trust::path_length_exceeded::RULE,
    trust::pin_mismatch::RULE,
    trust::private_key_in_trust_bundle::RULE,
    trust::revoked_certificate::RULE,
    trust::rootless_trust_bundle::RULE,
    trust::unreachable_issuer::RULE,
    trust::unsent_intermediate::RULE,
    trust::untrusted_self_signed_certificate::RULE,
    trust::unusable_revocation_list::RULE,
    trust::verification_without_trust::RULE,
    trust::verify_depth_exceeded::RULE,
    allowance::expired_allowance::RULE,
    allowance::ineffective_allowance::RULE,
    // the last one looks at what all others found
    allowance::unused_allowance::RULE,
];

/// The rule of an id.
pub fn find(id: &str) -> Option<&'static Rule> {
    RULES.iter().find(|rule| rule.id == id)
}

/// Runs every rule.
pub fn run(subject: &Subject<'_>) -> Vec<Finding> {
    let mut findings = Vec::new();
    for rule in RULES {
        let first = findings.len();
        (rule.check)(subject, &mut findings);
        for finding in findings.iter_mut().skip(first).filter(|finding| finding.help.is_none()) {
            finding.help = rule.remedy();
        }
    }
    findings
}

impl Rule {
    /// A finding of this rule; the first label is the primary one. Without help of its own it gets the page's.
    pub fn finding(&self, message: String, help: Option<String>, labels: Vec<Label>) -> Finding {
        Finding { rule: self.id, severity: self.severity, message, help, labels, fix: None }
    }

    /// A finding for what a program refuses: its place is marked as refused, or as where what is missing is named.
    pub fn refusal(&self, message: String, help: Option<String>, refusal: &Refusal) -> Finding {
        let mut labels = refusal.labels.clone();
        if let Some(label) = labels.first_mut().filter(|label| label.message.is_empty()) {
            let names = self.id.starts_with("missing-") && refusal.help.is_none();
            let stands = if names { "named here" } else { "refused" };
            stands.clone_into(&mut label.message);
        }
        self.finding(message, help, labels)
    }

    /// The first paragraph under "How to fix", in one line, with the text to write where it announces one.
    fn remedy(&self) -> Option<String> {
        let page = self.page();
        let section = page.split("## How to fix").nth(1)?.split("\n## ").next()?.trim();
        let mut paragraphs = section.split("\n\n");
        let first = paragraphs.next()?.lines().collect::<Vec<_>>().join(" ");
        let announced = first.ends_with(':').then(|| paragraphs.next()).flatten();
        let text = announced.map(|text| text.lines().filter(|line| !line.starts_with("```")));
        Some(text.map_or(first.clone(), |lines| format!("{first}\n{}", lines.collect::<Vec<_>>().join("\n"))))
            .filter(|remedy| !remedy.is_empty())
    }

    /// The rule's page as Markdown.
    pub fn page(&self) -> String {
        self.docs.lines().map(|line| line.strip_prefix(' ').unwrap_or(line)).collect::<Vec<_>>().join("\n")
    }
}
