//! Mistakes in what Ingresses ask ingress-nginx to do with certificates.

pub mod disputed_client_trust;
pub mod ineffective_annotation;
pub mod loose_common_name_pattern;
pub mod passed_through_client_authentication;
pub mod secret_without_trust_bundle;
pub mod unqualified_secret_name;

use super::Subject;
use crate::deployment::NginxIngress;

/// Every Ingress of ingress-nginx.
fn all<'a>(subject: &Subject<'a>) -> impl Iterator<Item = &'a NginxIngress> {
    subject.deployment.manifests.nginx_ingresses.iter()
}
