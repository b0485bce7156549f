use crate::finding::Finding;
use crate::rules::{Subject, rule};

rule! {
    /// A value of a Secret or ConfigMap was encoded once too often.
    ///
    /// ## Why it matters
    ///
    /// Kubernetes decodes once, and what stands under `data` of a ConfigMap not at all: whoever mounts the Secret finds base64 where a program wants PEM. It happens where the
    /// output of `kubectl get secret` or of `base64` is put under `stringData` again, or encoded by a template that
    /// encodes itself.
    ///
    /// ## How to fix
    ///
    /// Decode once: `base64 -d` of the value, or move the value from `stringData` to `data`.
    ///
    /// ## What you see in the logs
    ///
    /// - nginx: `PEM_read_bio_X509_AUX() failed (SSL: … no start line)`
    /// - Go: `tls: failed to find any PEM data in certificate input`
    ///
    /// ## Reference
    ///
    /// <https://kubernetes.io/docs/tasks/configmap-secret/managing-secret-using-config-file/>
    "double-encoded-secret", Error, check
}

const HELP: &str = "write under data what base64 -w0 prints of the PEM file, or the PEM itself under stringData (of a ConfigMap: under data)";

fn check(subject: &Subject<'_>, findings: &mut Vec<Finding>) {
    subject.refused_manifests(&RULE, HELP, findings);
}
