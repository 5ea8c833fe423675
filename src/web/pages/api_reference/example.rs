//! Examples: the document's own where it has one, otherwise made up from the schema.

use serde_json::{Map, Value, json};

use super::openapi::{DEPTH_MAX, resolve};

/// An example of a body or an answer, as indented JSON; empty where nothing can be said.
pub(super) fn of(document: &Value, content: &Value) -> String {
    let given = content.get("example").cloned();
    let made = || made_up(document, &content["schema"], 0);
    match given.or_else(made) {
        Some(value) => serde_json::to_string_pretty(&value).unwrap_or_default(),
        None => String::new(),
    }
}

fn made_up(document: &Value, schema: &Value, depth: u32) -> Option<Value> {
    if depth > DEPTH_MAX {
        return None;
    }
    let schema = resolve(document, schema);
    let given = schema.get("example").or(schema["examples"].get(0)).or(schema.get("default"));
    if let Some(value) = given.or(schema.get("const")).or(schema["enum"].get(0)) {
        return Some(value.clone());
    }
    for key in ["oneOf", "anyOf"] {
        if let Some(choices) = schema[key].as_array() {
            return choices.iter().find_map(|choice| made_up(document, choice, depth + 1));
        }
    }
    let kind = match &schema["type"] {
        Value::String(kind) => kind.as_str(),
        Value::Array(kinds) => {
            kinds.iter().filter_map(Value::as_str).find(|kind| *kind != "null")?
        }
        _ if schema.get("properties").is_some() || schema.get("allOf").is_some() => "object",
        _ => return None,
    };
    match kind {
        "object" => {
            let mut object = Map::new();
            let parts = schema["allOf"].as_array().into_iter().flatten();
            for part in parts {
                if let Some(Value::Object(members)) = made_up(document, part, depth + 1) {
                    object.extend(members);
                }
            }
            for (name, property) in schema["properties"].as_object().into_iter().flatten() {
                if let Some(value) = made_up(document, property, depth + 1) {
                    object.insert(name.clone(), value);
                }
            }
            Some(Value::Object(object))
        }
        "array" => {
            let item = made_up(document, &schema["items"], depth + 1);
            Some(Value::Array(item.into_iter().collect()))
        }
        "string" => Some(json!(match schema["format"].as_str() {
            Some("date-time") => "2026-11-21T14:05:00Z",
            Some("date") => "2026-11-21",
            Some("uuid") => "0193510e-7b52-7c1a-9d3e-5f6a7b8c9d0e",
            Some("uri") => "https://example.org/",
            Some("email") => "ana@example.org",
            _ => "text",
        })),
        "integer" | "number" => Some(json!(1)),
        "boolean" => Some(json!(true)),
        _ => None,
    }
}
