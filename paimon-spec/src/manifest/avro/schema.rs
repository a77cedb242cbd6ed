//! Avro schemas, as far as resolution needs them: no defaults, aliases or logical types.

use std::collections::HashMap;
use std::rc::Rc;

use serde_json::Value;

use crate::{Error, Result};

/// Bounds how deep named types can refer to one another.
const MAX_NAMED: usize = 256;

/// A writer's schema.
#[derive(Debug, PartialEq)]
pub(super) enum Schema {
    Null,
    Boolean,
    /// Also enumerations, which are written as a position.
    Int,
    Long,
    Float,
    Double,
    Bytes,
    String,
    Fixed(usize),
    Array(Rc<Schema>),
    Map(Rc<Schema>),
    Union(Vec<Rc<Schema>>),
    Record(Vec<(String, Rc<Schema>)>),
}

/// Parses a schema; named types that are used again are shared.
///
/// # Errors
/// `CorruptData` when it is not one; `Unsupported` when it is recursive.
pub(super) fn parse(json: &[u8]) -> Result<Rc<Schema>> {
    let value: Value = serde_json::from_slice(json)
        .map_err(|error| Error::corrupt("expected an Avro schema in JSON, found other bytes").with_source(error))?;
    Parser { named: HashMap::new() }.parse(&value, "")
}

struct Parser {
    /// By full name; `None` while being defined.
    named: HashMap<String, Option<Rc<Schema>>>,
}

impl Parser {
    fn parse(&mut self, value: &Value, namespace: &str) -> Result<Rc<Schema>> {
        match value {
            Value::String(name) => self.by_name(name, namespace),
            Value::Array(branches) => {
                let branches: Result<_> = branches.iter().map(|branch| self.parse(branch, namespace)).collect();
                Ok(Rc::new(Schema::Union(branches?)))
            }
            Value::Object(_) => match &value["type"] {
                Value::String(kind) => self.complex(kind, value, namespace),
                nested @ (Value::Object(_) | Value::Array(_)) => self.parse(nested, namespace),
                other => Err(invalid("a type", other)),
            },
            other => Err(invalid("a schema", other)),
        }
    }

    fn by_name(&self, name: &str, namespace: &str) -> Result<Rc<Schema>> {
        let schema = match name {
            "null" => Schema::Null,
            "boolean" => Schema::Boolean,
            "int" => Schema::Int,
            "long" => Schema::Long,
            "float" => Schema::Float,
            "double" => Schema::Double,
            "bytes" => Schema::Bytes,
            "string" => Schema::String,
            _ => {
                let named = self.named.get(&full_name(name, namespace)).or_else(|| self.named.get(name));
                return match named {
                    Some(Some(schema)) => Ok(schema.clone()),
                    Some(None) => Err(Error::unsupported(format!("the recursive Avro type {name} is not supported"))),
                    None => Err(Error::corrupt(format!("expected a known Avro type, found {name}"))),
                };
            }
        };
        Ok(Rc::new(schema))
    }

    fn complex(&mut self, kind: &str, value: &Value, namespace: &str) -> Result<Rc<Schema>> {
        match kind {
            "array" => Ok(Rc::new(Schema::Array(self.parse(&value["items"], namespace)?))),
            "map" => Ok(Rc::new(Schema::Map(self.parse(&value["values"], namespace)?))),
            "record" | "error" | "enum" | "fixed" => {
                let name = value["name"].as_str().ok_or_else(|| invalid("a name", &value["name"]))?;
                let name = full_name(name, value["namespace"].as_str().unwrap_or(namespace));
                let namespace = name.rsplit_once('.').map_or("", |(namespace, _)| namespace);
                if self.named.len() == MAX_NAMED {
                    return Err(Error::unsupported(format!("more than {MAX_NAMED} Avro types are not supported")));
                }
                self.named.insert(name.clone(), None);
                let schema = Rc::new(match kind {
                    "enum" => Schema::Int,
                    "fixed" => Schema::Fixed(fixed_size(&value["size"])?),
                    _ => self.record(value, namespace)?,
                });
                self.named.insert(name.clone(), Some(schema.clone()));
                Ok(schema)
            }
            name => self.by_name(name, namespace),
        }
    }

    fn record(&mut self, value: &Value, namespace: &str) -> Result<Schema> {
        let fields = value["fields"].as_array().ok_or_else(|| invalid("fields", &value["fields"]))?;
        let field = |field: &Value| {
            let name = field["name"].as_str().ok_or_else(|| invalid("a name", &field["name"]))?;
            Ok((name.to_owned(), self.parse(&field["type"], namespace)?))
        };
        fields.iter().map(field).collect::<Result<_>>().map(Schema::Record)
    }
}

fn full_name(name: &str, namespace: &str) -> String {
    if name.contains('.') || namespace.is_empty() { name.to_owned() } else { format!("{namespace}.{name}") }
}

fn fixed_size(value: &Value) -> Result<usize> {
    value.as_u64().and_then(|size| usize::try_from(size).ok()).ok_or_else(|| invalid("a size", value))
}

fn invalid(wanted: &str, found: &Value) -> Error {
    let found = match found {
        Value::Null => "nothing",
        Value::Bool(_) => "a boolean",
        Value::Number(_) => "a number",
        Value::String(_) => "a text",
        Value::Array(_) => "a list",
        Value::Object(_) => "an object",
    };
    Error::corrupt(format!("expected {wanted} in an Avro schema, found {found}"))
}
