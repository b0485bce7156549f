//! The environment of a container: values written, and values taken from Secrets, ConfigMaps and the Pod.

use std::collections::HashMap;

use super::PodIdentity;
use super::stores::{Store, Stores};
use crate::deployment::{Content, Lookup};
use crate::dialect::kubernetes::{Container, EnvironmentValue, KeyReference, Pair};
use crate::resolve::Variable;
use crate::source::{Located, Span};

/// Variables in order, each name once; later definitions win, `env` over `envFrom`.
#[derive(Debug, Default)]
pub(super) struct Environment {
    pub(super) variables: Vec<Variable>,
    by_name: HashMap<String, usize>,
    /// Variables of these sources may exist besides.
    unseen: Option<String>,
}

pub(super) fn resolve(container: &Container, pod: &PodIdentity, stores: &Stores) -> Environment {
    let mut environment = Environment::default();
    for source in &container.env_from {
        let store = if source.secret {
            stores.secret(&pod.namespace, &source.name.value, pod.namespace_written)
        } else {
            stores.config_map(&pod.namespace, &source.name.value, pod.namespace_written)
        };
        match store {
            Lookup::Found(store) => {
                for (key, content) in store.entries.iter() {
                    let name = Located::new(format!("{}{key}", source.prefix), source.name.span);
                    let value = value_of(Lookup::Found(content.clone()), source.name.span);
                    environment.put(Variable { name, value, secret: source.secret });
                }
                if let Some(why) = &store.unseen {
                    environment.unseen.get_or_insert_with(|| why.clone());
                }
            }
            Lookup::Missing(_) if source.optional => {
                let why = format!("{} is optional and not among the sources", source.name.value);
                environment.unseen.get_or_insert(why);
            }
            Lookup::Missing(missing) => {
                environment.unseen.get_or_insert(missing.message);
            }
            Lookup::Unseen(why) => {
                environment.unseen.get_or_insert(why);
            }
        }
    }
    for variable in &container.env {
        let name = variable.name.clone();
        let (value, secret) = match &variable.value {
            EnvironmentValue::Text(text) => environment.expanded(text),
            EnvironmentValue::SecretKey(reference) => {
                let store = stores.secret(&pod.namespace, &reference.name.value, pod.namespace_written);
                (from_store(store, reference), true)
            }
            EnvironmentValue::ConfigMapKey(reference) => {
                let store = stores.config_map(&pod.namespace, &reference.name.value, pod.namespace_written);
                (from_store(store, reference), false)
            }
            EnvironmentValue::Field(path) => (pod.field(path), false),
            EnvironmentValue::Other(kind) => {
                (Lookup::Unseen(format!("{} takes its value from {}", name.value, kind.value)), false)
            }
        };
        environment.put(Variable { name, value, secret });
    }
    environment
}

fn from_store(store: Lookup<&Store>, reference: &KeyReference) -> Lookup<Located<String>> {
    let content = match store {
        Lookup::Found(store) => store.key(&reference.key.value),
        Lookup::Missing(missing) => Lookup::Missing(missing),
        Lookup::Unseen(why) => Lookup::Unseen(why),
    };
    match value_of(content, reference.key.span) {
        Lookup::Missing(missing) if reference.optional => {
            Lookup::Unseen(format!("it is optional: {}", missing.message))
        }
        value => value,
    }
}

fn value_of(content: Lookup<Content>, place: Span) -> Lookup<Located<String>> {
    match content {
        Lookup::Found(Content::Bytes(text)) => match text.as_str() {
            Ok(value) => Lookup::Found(Located::new(value.to_owned(), text.full_span())),
            Err(_) => Lookup::Unseen("its value is binary".to_owned()),
        },
        Lookup::Found(Content::Empty) => Lookup::Found(Located::new(String::new(), place)),
        Lookup::Found(_) => Lookup::Unseen("its value is written by cert-manager".to_owned()),
        Lookup::Missing(missing) => Lookup::Missing(missing),
        Lookup::Unseen(why) => Lookup::Unseen(why),
    }
}

impl Environment {
    fn put(&mut self, variable: Variable) {
        match self.by_name.get(&variable.name.value).copied() {
            Some(at) => {
                if let Some(place) = self.variables.get_mut(at) {
                    *place = variable;
                }
            }
            None => {
                self.by_name.insert(variable.name.value.clone(), self.variables.len());
                self.variables.push(variable);
            }
        }
    }

    pub(super) fn get(&self, name: &str) -> Option<&Variable> {
        self.by_name.get(name).and_then(|at| self.variables.get(*at))
    }

    /// Why there may be other variables; completes "undetermined because …".
    pub(super) fn hidden(&self) -> Option<&str> {
        self.unseen.as_deref()
    }

    /// Text with `$(NAME)` replaced as the kubelet does, and whether a Secret's value is in it.
    ///
    /// `$$` is a dollar sign; a name that is not defined stays as it is written.
    pub(super) fn expanded(&self, text: &Located<String>) -> (Lookup<Located<String>>, bool) {
        let mut out = String::new();
        let mut secret = false;
        let mut rest = text.value.as_str();
        while let Some(at) = rest.find('$') {
            let (before, tail) = rest.split_at(at);
            out.push_str(before);
            if let Some(after) = tail.strip_prefix("$$") {
                out.push('$');
                rest = after;
                continue;
            }
            let name = tail.strip_prefix("$(").and_then(|tail| tail.split_once(')'));
            let Some((name, after)) = name else {
                out.push('$');
                rest = tail.get(1..).unwrap_or_default();
                continue;
            };
            rest = after;
            match self.get(name) {
                Some(variable) => {
                    secret |= variable.secret;
                    match &variable.value {
                        Lookup::Found(value) => out.push_str(&value.value),
                        Lookup::Missing(missing) => return (Lookup::Missing(missing.clone()), secret),
                        Lookup::Unseen(why) => return (Lookup::Unseen(why.clone()), secret),
                    }
                }
                None => match &self.unseen {
                    Some(why) => return (Lookup::Unseen(why.clone()), secret),
                    None => {
                        out.push_str("$(");
                        out.push_str(name);
                        out.push(')');
                    }
                },
            }
        }
        out.push_str(rest);
        (Lookup::Found(Located::new(out, text.span)), secret)
    }
}

impl PodIdentity {
    /// What `fieldRef` yields.
    fn field(&self, path: &Located<String>) -> Lookup<Located<String>> {
        let value = match path.value.as_str() {
            "metadata.name" => self.name.clone(),
            "metadata.namespace" => Some(self.namespace.clone()).filter(|_| self.namespace_written),
            path => {
                let named = |kind: &str| path.strip_prefix(kind)?.strip_prefix("['")?.strip_suffix("']");
                let of = |pairs: &[Pair], name: &str| {
                    pairs.iter().find(|pair| pair.key.value == name).map(|pair| pair.value.value.clone())
                };
                let annotation = named("metadata.annotations").and_then(|name| of(&self.annotations, name));
                annotation.or_else(|| named("metadata.labels").and_then(|name| of(&self.labels, name)))
            }
        };
        match value {
            Some(value) => Lookup::Found(Located::new(value, path.span)),
            None => Lookup::Unseen(format!("{} is known only once the Pod runs", path.value)),
        }
    }
}
