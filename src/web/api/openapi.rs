//! The description of the API (OpenAPI 3.1), assembled from the endpoint table: what is mounted is
//! what is described.

use actix_web::{HttpResponse, http::Method};
use schemars::{Schema, SchemaGenerator, generate::SchemaSettings};
use serde_json::{Map, Value, json};

use crate::web::{
    endpoint::{Answer, Body, Endpoint, Operation, SchemaOf},
    fault::Problem,
    routes,
};

const ABOUT: &str = "\
Everything that the pages of the portal do, for programs.

**Signing in.** Send the token from `POST /api/login`, or an API token from your account, as \
`Authorization: Bearer …`. Scripts on the portal's own pages may use the cookie of the browser; then \
whatever changes something carries the header `X-CSRF-Token` too.

**What you may not see does not exist.** It answers like what really does not: with 404, or with 401 \
for who has not signed in.

**Errors** are problem documents (RFC 9457). `detail` is a sentence for a person, `field` names what \
is at fault, `errors` lists each thing where there are several, `request_id` stands in the log.

**Lists** that grow have a cursor: send `next` as `after` for the next page.

**Times** are RFC 3339, ids are UUIDs. `HEAD` works wherever `GET` does.";

/// Where it is served.
pub const ADDRESS: &str = "/api/openapi.json";

pub async fn serve() -> HttpResponse {
    HttpResponse::Ok().json(document(&routes::endpoints()))
}

/// The whole document.
pub fn document(endpoints: &[Endpoint]) -> Value {
    let mut schemas = Schemas::new();
    let mut paths: Map<String, Value> = Map::new();
    let mut tags: Vec<&str> = Vec::new();
    for endpoint in endpoints {
        let Some(operation) = &endpoint.operation else { continue };
        if !tags.contains(&operation.group) {
            tags.push(operation.group);
        }
        let described = schemas.operation(endpoint, operation);
        let path = paths.entry(endpoint.path).or_insert_with(|| json!({}));
        path[endpoint.method.as_str().to_ascii_lowercase()] = described;
    }
    let problem = schemas.answer(|generator| generator.subschema_for::<Problem>());
    json!({
        "openapi": "3.1.0",
        "info": {
            "title": "Appliance",
            "version": crate::version::number(),
            "description": ABOUT,
        },
        "servers": [{ "url": "/" }],
        "tags": tags.iter().map(|name| json!({ "name": name })).collect::<Vec<_>>(),
        "security": [{ "bearer": [] }, { "cookie": [] }],
        "paths": paths,
        "components": {
            "securitySchemes": {
                "bearer": { "type": "http", "scheme": "bearer" },
                "cookie": { "type": "apiKey", "in": "cookie", "name": "session" },
            },
            "responses": {
                "Problem": {
                    "description": "What went wrong and what to do.",
                    "content": { "application/problem+json": { "schema": problem } },
                },
            },
            "schemas": schemas.definitions(),
        },
    })
}

/// Collects the schemas that operations refer to. A type may look different in a request and in an
/// answer: fields with a default need not be sent, but are always there.
struct Schemas {
    sent: SchemaGenerator,
    answered: SchemaGenerator,
}

impl Schemas {
    fn new() -> Self {
        let settings = || {
            SchemaSettings::draft2020_12().with(|settings| {
                settings.definitions_path = "/components/schemas".into();
                settings.meta_schema = None;
            })
        };
        Schemas {
            sent: settings().for_deserialize().into_generator(),
            answered: settings().for_serialize().into_generator(),
        }
    }

    fn operation(&mut self, endpoint: &Endpoint, operation: &Operation) -> Value {
        let mut parameters = path_parameters(endpoint.path);
        if let Some(query) = operation.query {
            parameters.extend(self.query_parameters(query));
        }
        if operation.is_conditional {
            parameters.push(json!({
                "name": "If-Match",
                "in": "header",
                "description": "The `ETag` that you read: only if nobody changed it since.",
                "schema": { "type": "string" },
            }));
        }
        let mut described = json!({
            "operationId": operation_id(&endpoint.method, endpoint.path),
            "tags": [operation.group],
            "summary": operation.summary,
            "parameters": parameters,
            "responses": self.responses(operation),
        });
        if !operation.detail.is_empty() {
            described["description"] = operation.detail.into();
        }
        if let Some(body) = operation.body {
            described["requestBody"] = self.request_body(body);
        }
        if operation.is_open {
            described["security"] = json!([{}, { "bearer": [] }, { "cookie": [] }]);
        }
        described
    }

    fn query_parameters(&mut self, query: SchemaOf) -> Vec<Value> {
        let schema = query(&mut self.sent).to_value();
        let required: Vec<&str> =
            schema["required"].as_array().into_iter().flatten().filter_map(Value::as_str).collect();
        let Some(properties) = schema["properties"].as_object() else { return Vec::new() };
        let parameter = |(name, property): (&String, &Value)| {
            let mut schema = without_null(property.clone());
            let description = schema.as_object_mut().and_then(|it| it.remove("description"));
            let mut parameter = json!({
                "name": name,
                "in": "query",
                "required": required.contains(&name.as_str()),
                "schema": schema,
            });
            if let Some(description) = description {
                parameter["description"] = description;
            }
            parameter
        };
        properties.iter().map(parameter).collect()
    }

    fn request_body(&mut self, body: Body) -> Value {
        let (media_type, schema) = match body {
            Body::Json(schema) => ("application/json", schema(&mut self.sent)),
            Body::Multipart(schema) => ("multipart/form-data", schema(&mut self.sent)),
        };
        json!({ "required": true, "content": { media_type: { "schema": schema } } })
    }

    fn responses(&mut self, operation: &Operation) -> Value {
        let mut success = json!({ "description": "Done." });
        if operation.is_tagged && !matches!(operation.answer, Answer::Nothing) {
            success["headers"] = json!({
                "ETag": { "description": "The revision.", "schema": { "type": "string" } },
            });
        }
        let mut responses = json!({ "default": { "$ref": "#/components/responses/Problem" } });
        match operation.answer {
            Answer::Nothing => {}
            Answer::Json(schema) => {
                let schema = self.answer(schema);
                success["content"] = json!({ "application/json": { "schema": schema } });
            }
            Answer::File(media_types) => {
                let bytes = json!({ media_types: { "schema": {} } });
                success["content"] = bytes.clone();
                responses["206"] =
                    json!({ "description": "The part asked for.", "content": bytes });
                responses["304"] = json!({ "description": "Unchanged." });
                responses["307"] = json!({ "description": "The way to a file that rests on S3." });
                responses["416"] = json!({ "description": "There is no such part." });
            }
            Answer::Image(media_types) => {
                success["content"] = json!({ media_types: { "schema": {} } });
                responses["304"] = json!({ "description": "Unchanged." });
            }
        }
        responses[operation.status.to_string()] = success;
        responses
    }

    fn answer(&mut self, schema: SchemaOf) -> Schema {
        schema(&mut self.answered)
    }

    /// All schemas by name.
    fn definitions(mut self) -> Map<String, Value> {
        let mut definitions = self.sent.take_definitions(true);
        definitions.append(&mut self.answered.take_definitions(true));
        definitions
    }
}

/// `get /api/documents/{id}` is `get_documents_id`.
fn operation_id(method: &Method, path: &str) -> String {
    let words = path.trim_start_matches("/api").split(|c: char| !c.is_ascii_alphanumeric());
    let words: Vec<&str> = words.filter(|word| !word.is_empty()).collect();
    format!("{}_{}", method.as_str().to_ascii_lowercase(), words.join("_"))
}

fn path_parameters(path: &str) -> Vec<Value> {
    let names = path.split('{').skip(1).filter_map(|rest| rest.split('}').next());
    names
        .map(|name| {
            let schema = match name {
                "number" => json!({ "type": "integer", "minimum": 1, "maximum": u32::MAX }),
                _ => json!({ "type": "string", "format": "uuid" }),
            };
            json!({ "name": name, "in": "path", "required": true, "schema": schema })
        })
        .collect()
}

/// A parameter that may be left out is not `null` for that.
fn without_null(mut schema: Value) -> Value {
    if let Some(types) = schema["type"].as_array().cloned() {
        let types: Vec<Value> = types.into_iter().filter(|name| name != "null").collect();
        schema["type"] = if let [only] = types.as_slice() { only.clone() } else { types.into() };
    }
    let is_null = |schema: &Value| schema["type"] == "null";
    if let Some(Value::Array(options)) = schema.get("anyOf") {
        let options: Vec<Value> =
            options.iter().filter(|option| !is_null(option)).cloned().collect();
        if let [only] = options.as_slice() {
            let description = schema["description"].take();
            schema = only.clone();
            if description.is_string() {
                schema["description"] = description;
            }
        } else {
            schema["anyOf"] = options.into();
        }
    }
    if let Some(object) = schema.as_object_mut() {
        object.retain(|name, value| !(name == "default" || value.is_null()));
    }
    schema
}
