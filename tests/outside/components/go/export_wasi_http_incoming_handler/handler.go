// Package export_wasi_http_incoming_handler is a server of HTTP over the bindings of wit-bindgen's Go.
package export_wasi_http_incoming_handler

import (
	"bytes"
	"strings"

	. "go.bytecodealliance.org/pkg/wit/types"
	http "wit_component/wasi_http_types"
	streams "wit_component/wasi_io_streams"
)

// The most that one write may have.
const writeBytesMax = 4096

// Handle answers one request.
func Handle(request *http.IncomingRequest, out *http.ResponseOutparam) {
	path, query, _ := strings.Cut(request.PathWithQuery().SomeOr("/"), "?")
	headers := request.Headers()
	defer headers.Drop()
	switch method := request.Method().Tag(); {
	case method == http.MethodGet && path == "/":
		answer(out, 200, nil, func(body *streams.OutputStream) {
			write(body, []byte("Hello from go!\n"))
		})
	case method == http.MethodPost && path == "/echo":
		kind := map[string][][]byte{"content-type": headers.Get("content-type")}
		answer(out, 200, kind, func(body *streams.OutputStream) { echo(request, body) })
	case method == http.MethodGet && path == "/words":
		word := headers.Get("x-word")
		answer(out, 200, map[string][][]byte{"x-word": word}, func(body *streams.OutputStream) {
			write(body, append(bytes.Join(word, nil), " "+query...))
		})
	default:
		answer(out, 404, nil, func(*streams.OutputStream) {})
	}
}

// answer begins an answer, and ends it when its body was written.
func answer(
	out *http.ResponseOutparam, status uint16, values map[string][][]byte, content func(*streams.OutputStream),
) {
	headers := http.MakeFields()
	for name, of := range values {
		headers.Set(name, of).Ok()
	}
	response := http.MakeOutgoingResponse(headers)
	response.SetStatusCode(status).Ok()
	body := response.Body().Ok()
	http.ResponseOutparamSet(out, Ok[*http.OutgoingResponse, http.ErrorCode](response))
	stream := body.Write().Ok()
	content(stream)
	stream.Drop()
	http.OutgoingBodyFinish(body, None[*http.Fields]()).Ok()
}

func write(body *streams.OutputStream, content []byte) {
	for len(content) > 0 {
		n := min(len(content), writeBytesMax)
		body.BlockingWriteAndFlush(content[:n]).Ok()
		content = content[n:]
	}
}

func echo(request *http.IncomingRequest, to *streams.OutputStream) {
	body := request.Consume().Ok()
	from := body.Stream().Ok()
	for {
		part := from.BlockingRead(64 << 10)
		if part.IsErr() {
			break
		}
		write(to, part.Ok())
	}
	from.Drop()
	body.Drop()
}
