use appliance::web::pages::{
    Place,
    api_reference::{ApiReferencePage, Reference},
};
use serde_json::{Value, json};

use super::{super::Exhibit, admin, page, stranger};

pub fn all() -> Vec<Exhibit> {
    let reference =
        Reference::from_openapi(&document(), "https://docs.halden.example", "/api/openapi.json");
    vec![
        page("api-reference", &ApiReferencePage { page: admin(Place::ApiReference), reference }),
        page(
            "api-reference-empty",
            &ApiReferencePage {
                page: stranger(),
                reference: Reference {
                    title: "API".to_owned(),
                    version: "0.1.0".to_owned(),
                    document_href: "/api/openapi.json".to_owned(),
                    ..Reference::default()
                },
            },
        ),
    ]
}

fn document() -> Value {
    let list_parameters = json!([
        {"name": "q", "in": "query", "schema": {"type": "string"}, "description": "Words to look for, in titles, descriptions, tags, filenames and the text of files."},
        {"name": "kind", "in": "query", "schema": {"enum": ["file", "link", "poster", "banner"]}},
        {"name": "limit", "in": "query", "schema": {"type": "integer"}, "description": "At most 100; 50 when left out."},
        {"name": "after", "in": "query", "schema": {"type": "string"}, "description": "The cursor of the page before."}
    ]);
    json!({
        "openapi": "3.1.0",
        "info": {
            "title": "Portal API", "version": "0.1.0",
            "description": "Everything the pages do, for programs. Requests and answers are JSON; errors are problems as in RFC 9457.\n\nLists come in pages: ask again with `after` set to `next`."
        },
        "security": [{"bearer": []}],
        "tags": [
            {"name": "Documents", "description": "Files and links, and who may see them."},
            {"name": "Sign in"}
        ],
        "paths": {
            "/api/login": {"post": {
                "tags": ["Sign in"], "summary": "Get a token", "security": [],
                "requestBody": {"content": {"application/json": {"schema": {"type": "object", "required": ["username", "password"], "properties": {
                    "username": {"type": "string", "description": "Or the email address.", "example": "ana"},
                    "password": {"type": "string", "format": "password", "example": "correct horse battery"}}}}}},
                "responses": {"200": {"description": "Signed in", "content": {"application/json": {"schema": {"$ref": "#/components/schemas/Token"}}}}, "401": {"description": "Wrong name or password"}, "429": {"description": "Too many tries"}}
            }},
            "/api/documents": {"get": {
                "tags": ["Documents"], "summary": "Search and list", "parameters": list_parameters,
                "description": "Finds what you may see, the best match first; without words, the newest first.",
                "responses": {"200": {"description": "A page of them", "content": {"application/json": {"schema": {"$ref": "#/components/schemas/DocumentList"}}}}}
            }},
            "/api/documents/{id}": {
                "parameters": [{"name": "id", "in": "path", "required": true, "schema": {"type": "string", "format": "uuid"}}],
                "get": {"tags": ["Documents"], "summary": "Read one", "responses": {"200": {"description": "The document", "content": {"application/json": {"schema": {"$ref": "#/components/schemas/Document"}}}}, "404": {"description": "It does not exist, or you do not have access"}}},
                "delete": {"tags": ["Documents"], "summary": "Move to the trash", "deprecated": true, "responses": {"204": {"description": "Done"}}}
            },
            "/api/admin/documents/upload": {"post": {
                "tags": ["Documents"], "summary": "Upload a file",
                "requestBody": {"content": {"multipart/form-data": {"schema": {"type": "object", "required": ["file"], "properties": {
                    "file": {"type": "string", "format": "binary"}, "title": {"type": "string"},
                    "groups": {"type": "array", "items": {"type": "string", "format": "uuid"}}}}}}},
                "responses": {"201": {"description": "Stored", "content": {"application/json": {"schema": {"$ref": "#/components/schemas/Document"}}}}, "413": {"description": "Too large"}}
            }}
        },
        "components": {"schemas": {
            "Token": {"type": "object", "required": ["access_token"], "properties": {
                "access_token": {"type": "string"}, "token_type": {"const": "bearer"},
                "expires_in": {"type": "integer", "description": "Seconds."}}},
            "Document": {"type": "object", "description": "What lists and single answers show of a document.", "required": ["id", "title"], "properties": {
                "id": {"type": "string", "format": "uuid"}, "title": {"type": "string", "example": "Annual report 2025"},
                "visibility": {"enum": ["organization", "restricted", "public"]},
                "size_bytes": {"type": ["integer", "null"]}, "created_at": {"type": "string", "format": "date-time"}}},
            "DocumentList": {"type": "object", "properties": {
                "documents": {"type": "array", "items": {"$ref": "#/components/schemas/Document"}},
                "next": {"type": ["string", "null"], "description": "The cursor of the next page."},
                "total": {"type": "integer"}}}
        }}
    })
}
