//! Reads an OpenAPI 3.1 document (<https://spec.openapis.org/oas/v3.1.0>) into what the page shows.
//! Reads the part of the standard that we write; what it does not know it leaves out.

use serde_json::Value;

use super::{Body, Field, Group, Kind, Operation, Parameter, Reference, Response, Schema, example};

/// The order in which people look for the methods of one address.
const METHODS: [&str; 5] = ["get", "post", "put", "patch", "delete"];

/// A schema inside a schema inside a schema: deeper than this is a circle.
pub(super) const DEPTH_MAX: u32 = 8;

impl Reference {
    /// `origin` and `document_href` are not part of the document: where it is served decides.
    pub fn from_openapi(document: &Value, origin: &str, document_href: &str) -> Reference {
        let info = &document["info"];
        let mut groups = declared_groups(document);
        for (path, item) in entries(&document["paths"]) {
            for method in METHODS {
                let Some(source) = item.get(method) else { continue };
                let tag = source["tags"][0].as_str().unwrap_or("Other");
                let operation = Reader { document, origin }.operation(method, path, item, source);
                match groups.iter_mut().find(|group| group.name == tag) {
                    Some(group) => group.operations.push(operation),
                    None => groups.push(Group {
                        id: anchor("group", tag),
                        name: tag.to_owned(),
                        operations: vec![operation],
                        ..Group::default()
                    }),
                }
            }
        }
        groups.retain(|group| !group.operations.is_empty());
        let reader = Reader { document, origin };
        let schemas = entries(&document["components"]["schemas"]);
        Reference {
            title: text(&info["title"]),
            version: text(&info["version"]),
            description: text(&info["description"]),
            origin: origin.to_owned(),
            document_href: document_href.to_owned(),
            groups,
            schemas: schemas.map(|(name, source)| reader.schema(name, source)).collect(),
        }
    }
}

fn declared_groups(document: &Value) -> Vec<Group> {
    let tags = document["tags"].as_array().into_iter().flatten();
    tags.map(|tag| {
        let name = text(&tag["name"]);
        Group {
            id: anchor("group", &name),
            name,
            description: text(&tag["description"]),
            operations: Vec::new(),
        }
    })
    .collect()
}

struct Reader<'a> {
    document: &'a Value,
    origin: &'a str,
}

impl<'a> Reader<'a> {
    fn operation(&self, method: &str, path: &str, item: &Value, source: &Value) -> Operation {
        let shared = item["parameters"].as_array().into_iter().flatten();
        let own = source["parameters"].as_array().into_iter().flatten();
        let parameters: Vec<Parameter> =
            shared.chain(own).map(|parameter| self.parameter(self.resolve(parameter))).collect();
        let body = self.body(self.resolve(&source["requestBody"]));
        let responses = entries(&source["responses"])
            .map(|(status, response)| self.response(status, self.resolve(response)))
            .collect();
        let needs_sign_in = match source.get("security").or(self.document.get("security")) {
            Some(Value::Array(ways)) => {
                // An empty way is "nobody has to".
                !ways.is_empty() && !ways.contains(&Value::Object(serde_json::Map::new()))
            }
            _ => false,
        };
        let curl = self.curl(method, path, needs_sign_in, &parameters, body.as_ref());
        Operation {
            id: anchor(method, path),
            method: method.to_uppercase(),
            path: path.to_owned(),
            summary: text(&source["summary"]),
            description: text(&source["description"]),
            needs_sign_in,
            is_deprecated: source["deprecated"].as_bool().unwrap_or(false),
            parameters,
            body,
            responses,
            curl,
        }
    }

    fn parameter(&self, source: &Value) -> Parameter {
        Parameter {
            name: text(&source["name"]),
            place: text(&source["in"]),
            kind: self.kind(&source["schema"]),
            is_required: source["required"].as_bool().unwrap_or(false),
            description: text(&source["description"]),
        }
    }

    fn body(&self, source: &Value) -> Option<Body> {
        let (media_type, content) = entries(&source["content"]).next()?;
        let schema = &content["schema"];
        Some(Body {
            media_type: media_type.to_owned(),
            fields: self.fields(self.resolve(schema)),
            kind: self.kind(schema),
            example: match media_type {
                "application/json" => example::of(self.document, content),
                _ => String::new(),
            },
        })
    }

    fn response(&self, status: &str, source: &Value) -> Response {
        let content = entries(&source["content"]).next();
        let (media_type, content) = content.unwrap_or(("", &Value::Null));
        let is_json = media_type.ends_with("json");
        Response {
            status: status.to_owned(),
            description: text(&source["description"]),
            kind: if is_json { self.kind(&content["schema"]) } else { Kind::named(media_type) },
            example: match is_json && status.starts_with('2') {
                true => example::of(self.document, content),
                false => String::new(),
            },
        }
    }

    fn schema(&self, name: &str, source: &Value) -> Schema {
        let fields = self.fields(source);
        Schema {
            id: anchor("schema", name),
            name: name.to_owned(),
            description: text(&source["description"]),
            kind: if fields.is_empty() { self.kind(source) } else { Kind::default() },
            fields,
        }
    }

    /// The properties of an object, those of every part where it is put together from several.
    fn fields(&self, schema: &Value) -> Vec<Field> {
        let parts = schema["allOf"].as_array().into_iter().flatten();
        let wholes = parts.map(|part| self.resolve(part)).chain([schema]);
        let mut fields = Vec::new();
        for whole in wholes {
            let required: Vec<&str> = whole["required"]
                .as_array()
                .into_iter()
                .flatten()
                .filter_map(Value::as_str)
                .collect();
            fields.extend(entries(&whole["properties"]).map(|(name, source)| Field {
                name: name.to_owned(),
                kind: self.kind(source),
                is_required: required.contains(&name),
                description: text(&source["description"]),
            }));
        }
        fields
    }

    fn kind(&self, schema: &Value) -> Kind {
        self.kind_within(schema, 0)
    }

    fn kind_within(&self, schema: &Value, depth: u32) -> Kind {
        if depth > DEPTH_MAX {
            return Kind::default();
        }
        if let Some(name) = schema["$ref"].as_str().and_then(|path| path.rsplit('/').next()) {
            return Kind { href: Some(anchor("#schema", name)), ..Kind::named(name) };
        }
        for key in ["oneOf", "anyOf", "allOf"] {
            if let Some(choices) = schema[key].as_array() {
                return Kind::any_of(choices.iter().map(|each| self.kind_within(each, depth + 1)));
            }
        }
        let values = schema["enum"].as_array().into_iter().flatten();
        let values: Vec<String> = values.chain(schema.get("const")).map(plain).collect();
        let types: Vec<&str> = match &schema["type"] {
            Value::String(one) => vec![one],
            Value::Array(several) => several.iter().filter_map(Value::as_str).collect(),
            _ if values.is_empty() => vec![],
            _ => vec!["string"],
        };
        let kinds = types.into_iter().map(|kind| match kind {
            "array" => {
                let items = self.kind_within(&schema["items"], depth + 1);
                Kind { text: format!("list of {}", items.text), ..items }
            }
            "string" => Kind::named(match schema["format"].as_str() {
                Some("date-time") => "time",
                Some("date") => "date",
                Some("uuid") => "id",
                Some("uri") => "address",
                Some("binary") => "file",
                _ => "text",
            }),
            "integer" => Kind::named("whole number"),
            "boolean" => Kind::named("true or false"),
            other => Kind::named(other),
        });
        Kind { values, ..Kind::any_of(kinds) }
    }

    fn resolve(&self, value: &'a Value) -> &'a Value {
        resolve(self.document, value)
    }
}

/// Follows `$ref` within the document. A reference to a reference is followed too, so far as it is
/// no circle.
pub(super) fn resolve<'a>(document: &'a Value, value: &'a Value) -> &'a Value {
    let mut value = value;
    for _ in 0..DEPTH_MAX {
        let Some(pointer) = value["$ref"].as_str().and_then(|path| path.strip_prefix('#')) else {
            return value;
        };
        value = document.pointer(pointer).unwrap_or(&Value::Null);
    }
    value
}

impl Kind {
    fn named(text: &str) -> Kind {
        Kind { text: text.to_owned(), ..Kind::default() }
    }

    fn any_of(kinds: impl Iterator<Item = Kind>) -> Kind {
        let mut whole = Kind::default();
        for kind in kinds.filter(|kind| !kind.text.is_empty()) {
            if !whole.text.is_empty() {
                whole.text.push_str(" or ");
            }
            whole.text.push_str(&kind.text);
            whole.href = whole.href.or(kind.href);
            whole.values.extend(kind.values);
        }
        whole
    }
}

impl Reader<'_> {
    fn curl(
        &self,
        method: &str,
        path: &str,
        needs_sign_in: bool,
        parameters: &[Parameter],
        body: Option<&Body>,
    ) -> String {
        let required: Vec<String> = parameters
            .iter()
            .filter(|parameter| parameter.place == "query" && parameter.is_required)
            .map(|parameter| format!("{}=…", parameter.name))
            .collect();
        let query =
            if required.is_empty() { String::new() } else { "?".to_owned() + &required.join("&") };
        let mut lines = vec![match method {
            "get" => format!("curl '{}{path}{query}'", self.origin),
            _ => format!("curl -X {} '{}{path}{query}'", method.to_uppercase(), self.origin),
        }];
        if needs_sign_in {
            lines.push("  -H \"Authorization: Bearer $TOKEN\"".to_owned());
        }
        match body {
            Some(body) if body.media_type == "multipart/form-data" => {
                let fields = body.fields.iter().filter(|field| field.is_required);
                lines.extend(fields.map(|field| match field.kind.text.as_str() {
                    "file" => format!("  -F '{}=@report.pdf'", field.name),
                    _ => format!("  -F '{}=…'", field.name),
                }));
            }
            Some(body) if !body.example.is_empty() => {
                // The shell ends a quoted string at an apostrophe.
                let example = body.example.replace('\'', "'\\''");
                lines.push(format!("  --json '{example}'"));
            }
            _ => {}
        }
        lines.join(" \\\n")
    }
}

/// The members of an object, in the order of the document as it was parsed.
fn entries(value: &Value) -> impl Iterator<Item = (&str, &Value)> {
    value.as_object().into_iter().flatten().map(|(key, value)| (key.as_str(), value))
}

fn text(value: &Value) -> String {
    value.as_str().unwrap_or_default().trim().to_owned()
}

/// A value without the quotes of JSON.
fn plain(value: &Value) -> String {
    value.as_str().map_or_else(|| value.to_string(), str::to_owned)
}

/// `get`, `/api/documents/{id}` → `get-api-documents-id`.
fn anchor(kind: &str, name: &str) -> String {
    let mut anchor = kind.to_owned();
    for word in name.split(|c: char| !c.is_alphanumeric()).filter(|word| !word.is_empty()) {
        anchor.push('-');
        anchor.push_str(word);
    }
    anchor
}
