//! A server of HTTP in the way of wstd.

use wstd::http::{Body, Error, Method, Request, Response, StatusCode};

#[wstd::http_server]
async fn main(request: Request<Body>) -> Result<Response<Body>, Error> {
    match (request.method(), request.uri().path()) {
        (&Method::GET, "/") => Ok(Response::new("Hello from wstd!\n".into())),
        (&Method::POST, "/echo") => echo(request),
        (&Method::GET, "/words") => words(&request),
        _ => Ok(Response::builder().status(StatusCode::NOT_FOUND).body(Body::empty())?),
    }
}

fn echo(request: Request<Body>) -> Result<Response<Body>, Error> {
    let (head, body) = request.into_parts();
    let mut response = Response::new(body);
    if let Some(kind) = head.headers.get("content-type") {
        response.headers_mut().insert("content-type", kind.clone());
    }
    Ok(response)
}

fn words(request: &Request<Body>) -> Result<Response<Body>, Error> {
    let word = request.headers().get("x-word").map_or("", |it| it.to_str().unwrap_or_default());
    let query = request.uri().query().unwrap_or_default();
    Ok(Response::builder().header("x-word", word).body(format!("{word} {query}").into())?)
}
