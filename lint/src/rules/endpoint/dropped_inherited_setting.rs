use super::nginx::configurations;
use crate::finding::{Finding, Label};
use crate::rules::{Subject, rule};

rule! {
    /// An nginx block lists TLS commands of its own and so drops those of the block around it.
    ///
    /// `ssl_conf_command`, `proxy_ssl_conf_command` and their relatives are inherited as a whole: one of them in a
    /// `server` or `location` replaces all of the outer block.
    ///
    /// ## Why it matters
    ///
    /// A minimum protocol version or a cipher list that was set for all servers is not in force in this one.
    ///
    /// ## How to fix
    ///
    /// Repeat the outer commands beside the new one:
    ///
    /// ```nginx
    /// server {
    ///   ssl_conf_command MinProtocol TLSv1.3;
    ///   ssl_conf_command Options PrioritizeChaCha;
    /// }
    /// ```
    ///
    /// ## What you see in the logs
    ///
    /// Nothing: that is the point. A handshake of s_client with the older version still succeeds.
    ///
    /// ## Reference
    ///
    /// <https://nginx.org/en/docs/http/ngx_http_ssl_module.html#ssl_conf_command>
    "dropped-inherited-setting", Warning, check
}

fn check(subject: &Subject<'_>, findings: &mut Vec<Finding>) {
    for (program, config) in configurations(subject) {
        for dropped in &config.dropped {
            let setting = &dropped.setting;
            findings.push(RULE.finding(
                format!("{} drops {} here: this block has commands of its own", program.name, setting.value),
                Some(format!("repeat {}; in this block", setting.value)),
                vec![
                    Label {
                        span: dropped.by,
                        message: "replaces the commands of the outer block".to_owned(),
                    },
                    Label { span: setting.span, message: "not in force in that block".to_owned() },
                ],
            ));
        }
    }
}
