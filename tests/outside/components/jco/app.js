// A server of HTTP in the way of service workers, for StarlingMonkey.

addEventListener("fetch", (event) => event.respondWith(serve(event.request)));

async function serve(request) {
  const { pathname, search } = new URL(request.url);
  switch (`${request.method} ${pathname}`) {
    case "GET /":
      return new Response("Hello from jco!\n");
    case "POST /echo":
      return new Response(request.body, {
        headers: { "content-type": request.headers.get("content-type") },
      });
    case "GET /words": {
      const word = request.headers.get("x-word");
      return new Response(`${word} ${search.slice(1)}`, { headers: { "x-word": word } });
    }
    default:
      return new Response("", { status: 404 });
  }
}
