//! `kubectl get secret … -o jsonpath=…`: which key of which Secret a shell would put in its place.

use crate::source::{FileId, Text};
use crate::syntax::command;

/// `k8s:NAMESPACE/SECRET/KEY` for a command that prints the decoded value of one key; None for any other command, and
/// where the namespace is left to kubectl's context.
pub fn secret_path(inner: &str) -> Option<String> {
    let document = command::parse(&Text::excerpt(FileId(u32::MAX), 0, inner));
    let [get, decode] = document.commands.as_slice() else { return None };
    let decoder: Vec<&str> = decode.words.iter().map(|word| word.text.as_str()).collect();
    let decodes = matches!(decoder.as_slice(), ["base64", "-d" | "-D" | "--decode" | "-di"]);
    if !decodes || get.words.iter().any(|word| word.unseen.is_some()) {
        return None;
    }
    let mut words = get.words.iter().map(|word| word.text.as_str());
    if !matches!(words.next(), Some("kubectl" | "oc" | "k")) {
        return None;
    }
    let (mut namespace, mut output, mut positional) = (None, None, Vec::new());
    while let Some(word) = words.next() {
        match word {
            "-n" | "--namespace" => namespace = words.next(),
            "-o" | "--output" => output = words.next(),
            "--context" | "--kubeconfig" | "--cluster" | "--user" => drop(words.next()),
            _ => {
                if let Some(value) = word.strip_prefix("--namespace=") {
                    namespace = Some(value);
                } else if let Some(value) =
                    word.strip_prefix("--output=").or_else(|| word.strip_prefix("-o="))
                {
                    output = Some(value);
                } else if let Some(value) = word.strip_prefix("-o") {
                    output = Some(value);
                } else if let Some(value) = word.strip_prefix("-n") {
                    namespace = Some(value);
                } else if !word.starts_with('-') {
                    positional.push(word);
                }
            }
        }
    }
    let name = match positional.as_slice() {
        ["get", "secret" | "secrets", name] => name,
        ["get", both] => both.strip_prefix("secret/").or_else(|| both.strip_prefix("secrets/"))?,
        _ => return None,
    };
    let key = json_path_key(output?.strip_prefix("jsonpath=")?)?;
    Some(format!("k8s:{}/{name}/{key}", namespace?))
}

/// The key in `{ .data.tls\.crt }` or `{.data['tls\.crt']}`.
fn json_path_key(path: &str) -> Option<String> {
    let path = path.trim();
    let path = path.strip_prefix('{').and_then(|inner| inner.strip_suffix('}')).unwrap_or(path).trim();
    let rest = path.strip_prefix('$').unwrap_or(path).strip_prefix(".data")?;
    let key = match rest.strip_prefix('.') {
        Some(key) => key,
        None => {
            let inner = rest.strip_prefix('[')?.strip_suffix(']')?;
            inner.strip_prefix(['\'', '"'])?.strip_suffix(['\'', '"'])?
        }
    };
    let mut name = String::new();
    let mut characters = key.chars();
    while let Some(character) = characters.next() {
        match character {
            '\\' => name.push(characters.next()?),
            // an unescaped dot goes deeper, a bracket elsewhere
            '.' if rest.starts_with('.') => return None,
            '[' | ']' | '*' => return None,
            other => name.push(other),
        }
    }
    (!name.is_empty()).then_some(name)
}

#[cfg(test)]
mod tests {
    use super::secret_path;

    #[test]
    fn a_key_of_a_secret_is_named() {
        for (command, expected) in [
            (
                "kubectl get secret curl-secret -n tls -o jsonpath='{ .data.tls\\.crt }' | base64 -d",
                Some("k8s:tls/curl-secret/tls.crt"),
            ),
            (
                "kubectl -n tls get secret/c -o=jsonpath=\"{.data['ca\\.crt']}\" | base64 --decode",
                Some("k8s:tls/c/ca.crt"),
            ),
            ("kubectl --namespace=a get secrets s -ojsonpath={.data.key} | base64 -d", Some("k8s:a/s/key")),
            // the context's namespace is not known
            ("kubectl get secret s -o jsonpath='{.data.key}' | base64 -d", None),
            // what is printed is base64 still
            ("kubectl get secret s -n a -o jsonpath='{.data.key}'", None),
            ("kubectl get configmap s -n a -o jsonpath='{.data.key}' | base64 -d", None),
            ("kubectl get secret s -n a -o jsonpath='{.data.a.b}' | base64 -d", None),
            ("cat file | base64 -d", None),
        ] {
            assert_eq!(secret_path(command).as_deref(), expected, "{command}");
        }
    }
}
