use serde_json::json;

use super::Reference;

fn reference() -> Reference {
    let document = json!({
        "openapi": "3.1.0",
        "info": {"title": "Portal API", "version": "1.2.3", "description": "Says hello."},
        "security": [{"bearer": []}],
        "tags": [{"name": "Documents", "description": "Files and links."}, {"name": "Unused"}],
        "paths": {
            "/api/documents/{id}": {
                "parameters": [{"name": "id", "in": "path", "required": true,
                    "schema": {"type": "string", "format": "uuid"}}],
                "get": {
                    "tags": ["Documents"],
                    "summary": "Read one",
                    "responses": {
                        "200": {"description": "It", "content": {"application/json":
                            {"schema": {"$ref": "#/components/schemas/Document"}}}},
                        "404": {"$ref": "#/components/responses/NotFound"}
                    }
                },
                "patch": {
                    "tags": ["Documents"],
                    "requestBody": {"content": {"application/json":
                        {"schema": {"type": "object", "required": ["title"],
                            "properties": {"title": {"type": "string", "example": "Ana's"}}}}}},
                    "responses": {"204": {"description": "Done"}}
                }
            },
            "/healthz": {"get": {"security": [], "responses": {}}}
        },
        "components": {
            "responses": {"NotFound": {"description": "No such thing"}},
            "schemas": {
                "Document": {"type": "object", "required": ["id"], "properties": {
                    "id": {"type": "string", "format": "uuid"},
                    "title": {"type": ["string", "null"], "description": "What it is called."},
                    "status": {"enum": ["draft", "published"]},
                    "versions": {"type": "array", "items": {"$ref": "#/components/schemas/Version"}}
                }},
                "Version": {"type": "object", "properties": {
                    "document": {"$ref": "#/components/schemas/Document"}
                }}
            }
        }
    });
    Reference::from_openapi(&document, "https://portal.example", "/api/openapi.json")
}

#[test]
fn operations_stand_under_their_tags() {
    let reference = reference();
    let names: Vec<&str> = reference.groups.iter().map(|group| group.name.as_str()).collect();
    assert_eq!(names, ["Documents", "Other"], "empty groups are left out");
    let operations = &reference.groups[0].operations;
    assert_eq!(operations[0].id, "get-api-documents-id");
    assert_eq!((operations[0].method.as_str(), operations[1].method.as_str()), ("GET", "PATCH"));
    assert!(operations[0].needs_sign_in);
    assert!(!reference.groups[1].operations[0].needs_sign_in);
    assert_eq!(operations[0].parameters[0].kind.text, "id");
    assert_eq!(operations[0].responses[1].description, "No such thing");
}

#[test]
fn types_are_said_in_words_and_lead_to_their_shapes() {
    let reference = reference();
    let document = reference.schemas.iter().find(|schema| schema.name == "Document").unwrap();
    let kind = |name: &str| {
        document.fields.iter().find(|field| field.name == name).map(|field| &field.kind).unwrap()
    };
    assert_eq!(kind("title").text, "text or null");
    assert_eq!(kind("status").values, ["draft", "published"]);
    assert_eq!(kind("versions").text, "list of Version");
    assert_eq!(kind("versions").href.as_deref(), Some("#schema-Version"));
    assert_eq!(document.id, "schema-Document");
}

#[test]
fn a_call_can_be_pasted_and_circles_end() {
    let reference = reference();
    let [get, patch] = &reference.groups[0].operations[..] else { panic!("two operations") };
    assert_eq!(
        get.curl,
        "curl 'https://portal.example/api/documents/{id}' \\\n  -H \"Authorization: Bearer $TOKEN\""
    );
    assert!(patch.curl.contains("--json '{\n  \"title\": \"Ana'\\''s\"\n}'"), "{}", patch.curl);
    // A document has versions, which have a document, which has versions …
    assert!(get.responses[0].example.contains("0193510e"));
}
