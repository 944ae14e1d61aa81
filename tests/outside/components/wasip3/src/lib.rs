//! A service of HTTP in the way of wasip3: WASI 0.3, with the types of the crate `http`.

use bytes::Bytes;
use http::{Method, Request, Response, StatusCode};
use http_body_util::{BodyExt, Full, combinators::UnsyncBoxBody};
use wasip3::exports::http::handler::Guest;
use wasip3::http::types::{self, ErrorCode};
use wasip3::http_compat::{IncomingRequestBody, http_from_wasi_request, http_into_wasi_response};

wasip3::http::service::export!(Greeter);

type Body = UnsyncBoxBody<Bytes, ErrorCode>;

struct Greeter;

impl Guest for Greeter {
    async fn handle(request: types::Request) -> Result<types::Response, ErrorCode> {
        http_into_wasi_response(serve(http_from_wasi_request(request)?))
    }
}

fn serve(request: Request<IncomingRequestBody>) -> Response<Body> {
    match (request.method(), request.uri().path()) {
        (&Method::GET, "/") => Response::new(text("Hello from wasip3!\n")),
        (&Method::POST, "/echo") => echo(request),
        (&Method::GET, "/words") => words(&request),
        _ => {
            let mut response = Response::new(text(""));
            *response.status_mut() = StatusCode::NOT_FOUND;
            response
        }
    }
}

fn text(text: impl Into<Bytes>) -> Body {
    Full::new(text.into()).map_err(|never| match never {}).boxed_unsync()
}

fn echo(request: Request<IncomingRequestBody>) -> Response<Body> {
    let (head, body) = request.into_parts();
    let mut response = Response::new(body.boxed_unsync());
    if let Some(kind) = head.headers.get("content-type") {
        response.headers_mut().insert("content-type", kind.clone());
    }
    response
}

fn words(request: &Request<IncomingRequestBody>) -> Response<Body> {
    let word = request.headers().get("x-word").cloned();
    let shown = word.as_ref().map_or("", |it| it.to_str().unwrap_or_default());
    let query = request.uri().query().unwrap_or_default();
    let mut response = Response::new(text(format!("{shown} {query}")));
    response.headers_mut().extend(word.map(|it| (http::HeaderName::from_static("x-word"), it)));
    response
}
