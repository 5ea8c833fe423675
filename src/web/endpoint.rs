//! One URL with one method: where it leads, and what the API reference says about it.

use actix_web::{
    FromRequest, Handler, HttpResponse, Responder, Route, guard,
    http::{Method, header},
    web::{self, ServiceConfig},
};
use schemars::{JsonSchema, Schema, SchemaGenerator};

use super::metrics::Pattern;

/// Writes the schema of a type into a document's shared definitions.
pub type SchemaOf = fn(&mut SchemaGenerator) -> Schema;

pub struct Endpoint {
    pub method: Method,
    /// With parameters in braces: `/documents/{id}`.
    pub path: &'static str,
    /// What a program must know; `None` for pages.
    pub operation: Option<Operation>,
    route: Box<dyn Fn() -> Route>,
}

/// An operation of the API, as the reference describes it.
#[derive(Clone, Default)]
pub struct Operation {
    /// The heading it stands under.
    pub group: &'static str,
    pub summary: &'static str,
    pub detail: &'static str,
    pub query: Option<SchemaOf>,
    pub body: Option<Body>,
    pub status: u16,
    pub answer: Answer,
    /// Strangers are welcome.
    pub is_open: bool,
    /// Understands `If-Match`.
    pub is_conditional: bool,
    /// Answers with an `ETag`.
    pub is_tagged: bool,
}

/// What a success carries.
#[derive(Clone, Copy, Default)]
pub enum Answer {
    #[default]
    Nothing,
    Json(SchemaOf),
    /// Bytes of these media types, in whole or in part; or the way to them.
    File(&'static str),
    /// An image of these media types, always whole.
    Image(&'static str),
}

/// What is sent along.
#[derive(Clone, Copy)]
pub enum Body {
    Json(SchemaOf),
    /// A form with files (`multipart/form-data`).
    Multipart(SchemaOf),
}

macro_rules! methods {
    ($($name:ident $method:ident,)*) => {$(
        pub fn $name<F, Args>(path: &'static str, handler: F) -> Endpoint
        where
            F: Handler<Args>,
            Args: FromRequest + 'static,
            F::Output: Responder + 'static,
        {
            Endpoint::new(Method::$method, path, handler)
        }
    )*};
}

methods! { get GET, post POST, put PUT, patch PATCH, delete DELETE, }

impl Endpoint {
    fn new<F, Args>(method: Method, path: &'static str, handler: F) -> Self
    where
        F: Handler<Args>,
        Args: FromRequest + 'static,
        F::Output: Responder + 'static,
    {
        let to = method.clone();
        let route = Box::new(move || {
            match to {
                // Whatever can be got can be asked for its headers.
                Method::GET => web::route().guard(guard::Any(guard::Get()).or(guard::Head())),
                _ => web::method(to.clone()),
            }
            .to(handler.clone())
        });
        Endpoint { method, path, operation: None, route }
    }

    /// Puts the endpoint into the API reference.
    pub fn about(mut self, group: &'static str, summary: &'static str) -> Self {
        self.operation = Some(Operation { group, summary, status: 200, ..Operation::default() });
        self
    }

    pub fn detail(self, detail: &'static str) -> Self {
        self.described(|operation| operation.detail = detail)
    }

    pub fn query<T: JsonSchema>(self) -> Self {
        self.described(|operation| operation.query = Some(T::json_schema))
    }

    pub fn json<T: JsonSchema>(self) -> Self {
        self.described(|operation| operation.body = Some(Body::Json(schema_of::<T>)))
    }

    pub fn multipart<T: JsonSchema>(self) -> Self {
        self.described(|operation| operation.body = Some(Body::Multipart(schema_of::<T>)))
    }

    /// What a success answers with.
    pub fn gives<T: JsonSchema>(self, status: u16) -> Self {
        self.described(|operation| {
            operation.status = status;
            operation.answer = Answer::Json(schema_of::<T>);
        })
    }

    /// A success with bytes of these media types, in whole or in part.
    pub fn gives_file(self, media_types: &'static str) -> Self {
        self.described(|operation| operation.answer = Answer::File(media_types))
    }

    /// A success with an image of these media types.
    pub fn gives_image(self, media_types: &'static str) -> Self {
        self.described(|operation| operation.answer = Answer::Image(media_types))
    }

    /// A success without a body.
    pub fn gives_nothing(self, status: u16) -> Self {
        self.described(|operation| operation.status = status)
    }

    /// Understands `If-Match`, and answers with an `ETag` where it answers with anything.
    pub fn conditional(self) -> Self {
        self.described(|operation| operation.is_conditional = true).tagged()
    }

    /// Answers with the `ETag` that `If-Match` takes.
    pub fn tagged(self) -> Self {
        self.described(|operation| operation.is_tagged = true)
    }

    pub fn for_anybody(self) -> Self {
        self.described(|operation| operation.is_open = true)
    }

    fn described(mut self, describe: impl FnOnce(&mut Operation)) -> Self {
        if let Some(operation) = &mut self.operation {
            describe(operation);
        }
        self
    }
}

fn schema_of<T: JsonSchema>(generator: &mut SchemaGenerator) -> Schema {
    generator.subschema_for::<T>()
}

/// Mounts the endpoints, those of one path together, so that a wrong method is told so.
pub fn mount(config: &mut ServiceConfig, endpoints: &[Endpoint]) {
    let mut mounted: Vec<&str> = Vec::new();
    for path in endpoints.iter().map(|endpoint| endpoint.path) {
        if mounted.contains(&path) {
            continue;
        }
        mounted.push(path);
        let mut resource = web::resource(path).app_data(Pattern(path));
        let mut allowed: Vec<&str> = Vec::new();
        for endpoint in endpoints.iter().filter(|endpoint| endpoint.path == path) {
            resource = resource.route((endpoint.route)());
            allowed.push(endpoint.method.as_str());
            if endpoint.method == Method::GET {
                allowed.push("HEAD");
            }
        }
        let allowed = allowed.join(", ");
        config.service(resource.default_service(web::to(move || {
            let allowed = allowed.clone();
            async move {
                HttpResponse::MethodNotAllowed().insert_header((header::ALLOW, allowed)).finish()
            }
        })));
    }
}
