//! A service of HTTP in the way of Spin's SDK.

use http::response::Builder;
use spin_sdk::http::{
    BoxBody, EmptyBody, FullBody, IntoResponse, Method, Request, Response, StatusCode, box_body,
};
use spin_sdk::http_service;

#[http_service]
async fn serve(request: Request) -> anyhow::Result<impl IntoResponse> {
    match (request.method(), request.uri().path()) {
        (&Method::GET, "/") => Ok(Builder::new().body(text("Hello from spin!\n".to_owned()))?),
        (&Method::POST, "/echo") => echo(request),
        (&Method::GET, "/words") => words(&request),
        _ => Ok(Builder::new().status(StatusCode::NOT_FOUND).body(box_body(EmptyBody::new()))?),
    }
}

fn text(text: String) -> BoxBody {
    box_body(FullBody::new(text.into()))
}

fn echo(request: Request) -> anyhow::Result<Response<BoxBody>> {
    let (head, body) = request.into_parts();
    let kind = head.headers.get("content-type").cloned().into_iter();
    let builder = kind.fold(Builder::new(), |builder, it| builder.header("content-type", it));
    Ok(builder.body(box_body(body))?)
}

fn words(request: &Request) -> anyhow::Result<Response<BoxBody>> {
    let word = request.headers().get("x-word").map_or("", |it| it.to_str().unwrap_or_default());
    let query = request.uri().query().unwrap_or_default();
    Ok(Builder::new().header("x-word", word).body(text(format!("{word} {query}")))?)
}
