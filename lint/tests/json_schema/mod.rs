//! JSON Schema, draft 7, as far as our schemas and SARIF's go. A keyword that is not known here is a failure, not a pass.

use serde_json::{Map, Value};

pub struct Schema<'s> {
    document: &'s Value,
    /// Properties that the schema does not name are mistakes, even where it allows them.
    strict: bool,
}

impl<'s> Schema<'s> {
    pub fn new(document: &'s Value) -> Self {
        Self { document, strict: false }
    }

    pub fn strict(self) -> Self {
        Self { strict: true, ..self }
    }

    pub fn mistakes(&self, value: &Value) -> Vec<String> {
        self.check(self.document, value, "")
    }

    pub fn mistakes_of(&self, reference: &str, value: &Value) -> Vec<String> {
        self.check(self.referred(reference), value, "")
    }

    fn referred(&self, reference: &str) -> &'s Value {
        let pointer =
            reference.strip_prefix('#').unwrap_or_else(|| panic!("{reference} leads to another file"));
        self.document.pointer(pointer).unwrap_or_else(|| panic!("{reference} leads nowhere"))
    }

    fn check(&self, schema: &Value, value: &Value, at: &str) -> Vec<String> {
        let schema = match schema {
            Value::Bool(true) => return Vec::new(),
            Value::Bool(false) => return vec![format!("{at}: nothing is allowed here")],
            Value::Object(schema) => schema,
            other => panic!("{other} is no schema"),
        };
        // draft 7: beside $ref, nothing counts
        if let Some(reference) = schema.get("$ref") {
            return self.check(self.referred(reference.as_str().unwrap()), value, at);
        }
        schema.iter().flat_map(|(keyword, demand)| self.demand(schema, keyword, demand, value, at)).collect()
    }

    fn demand(
        &self,
        schema: &Map<String, Value>,
        keyword: &str,
        demand: &Value,
        value: &Value,
        at: &str,
    ) -> Vec<String> {
        let unless = |fine: bool| {
            if fine { Vec::new() } else { vec![format!("{at}: {value} is not as {keyword}: {demand} says")] }
        };
        match keyword {
            "$schema" | "$id" | "title" | "description" | "default" | "definitions" => Vec::new(),
            "type" => {
                let types = if demand.is_array() { list(demand) } else { std::slice::from_ref(demand) };
                unless(types.iter().any(|name| is(value, name.as_str().unwrap())))
            }
            "enum" => unless(list(demand).contains(value)),
            "anyOf" => unless(list(demand).iter().any(|schema| self.check(schema, value, at).is_empty())),
            "oneOf" => unless(
                list(demand).iter().filter(|schema| self.check(schema, value, at).is_empty()).count() == 1,
            ),
            "minimum" => unless(value.as_f64().is_none_or(|number| number >= demand.as_f64().unwrap())),
            "maximum" => unless(value.as_f64().is_none_or(|number| number <= demand.as_f64().unwrap())),
            "minLength" => unless(
                value.as_str().is_none_or(|text| text.chars().count() as u64 >= demand.as_u64().unwrap()),
            ),
            "pattern" => {
                let pattern = regex_lite::Regex::new(demand.as_str().unwrap()).unwrap();
                unless(value.as_str().is_none_or(|text| pattern.is_match(text)))
            }
            "format" => unless(value.as_str().is_none_or(|text| has_format(text, demand.as_str().unwrap()))),
            "minItems" => {
                unless(value.as_array().is_none_or(|items| items.len() as u64 >= demand.as_u64().unwrap()))
            }
            "uniqueItems" => unless(
                demand == &Value::Bool(false)
                    || value.as_array().is_none_or(|items| {
                        items.iter().enumerate().all(|(index, item)| !items[..index].contains(item))
                    }),
            ),
            "items" => {
                let items = list(value).iter().enumerate();
                items.flat_map(|(index, item)| self.check(demand, item, &format!("{at}/{index}"))).collect()
            }
            "required" => match value.as_object() {
                Some(object) => {
                    unless(list(demand).iter().all(|name| object.contains_key(name.as_str().unwrap())))
                }
                None => Vec::new(),
            },
            "properties" => {
                let Some(object) = value.as_object() else { return Vec::new() };
                let known = demand.as_object().unwrap();
                let mut wrong = Vec::new();
                for (name, value) in object {
                    match known.get(name) {
                        Some(schema) => wrong.extend(self.check(schema, value, &format!("{at}/{name}"))),
                        None if self.strict => wrong.push(format!("{at}: {name} is not described")),
                        None => {}
                    }
                }
                wrong
            }
            "additionalProperties" => {
                let Some(object) = value.as_object() else { return Vec::new() };
                let named =
                    |name: &str| schema.get("properties").is_some_and(|known| known.get(name).is_some());
                let others = object.iter().filter(|(name, _)| !named(name));
                others.flat_map(|(name, value)| self.check(demand, value, &format!("{at}/{name}"))).collect()
            }
            other => panic!("the keyword {other} is not known here"),
        }
    }
}

fn list(value: &Value) -> &[Value] {
    value.as_array().map(Vec::as_slice).unwrap_or_default()
}

fn is(value: &Value, name: &str) -> bool {
    match name {
        "null" => value.is_null(),
        "boolean" => value.is_boolean(),
        "integer" => value.is_i64() || value.is_u64(),
        "number" => value.is_number(),
        "string" => value.is_string(),
        "array" => value.is_array(),
        "object" => value.is_object(),
        other => panic!("{other} is no type"),
    }
}

fn has_format(text: &str, format: &str) -> bool {
    let legal = |letter: char| letter.is_ascii_graphic() && !"<>\"{}|\\^`".contains(letter);
    match format {
        "uri-reference" => text.chars().all(legal),
        "uri" => {
            text.chars().all(legal)
                && text.split_once(':').is_some_and(|(scheme, _)| {
                    scheme.chars().all(|letter| letter.is_ascii_alphanumeric()) && !scheme.is_empty()
                })
        }
        "date-time" => mtls_lint::time::parse(text).is_ok(),
        other => panic!("the format {other} is not known here"),
    }
}
