//! APISIX: config.yaml, alone or within a ConfigMap.

use super::edit::yaml;
use super::fix;
use super::site::Site;
use crate::finding::Fix;

/// `https_admin: true` beside `admin_api_mtls`.
pub fn https_admin(site: &Site<'_>) -> Option<Fix> {
    let edit = site.in_yaml(site.span, |path| {
        let admin = path.iter().rev().find(|node| node.get("admin_api_mtls").is_some())?;
        yaml::set(site.bytes(site.span), *admin, "https_admin", "true", "true")
    })?;
    fix("write https_admin: true", [edit])
}
