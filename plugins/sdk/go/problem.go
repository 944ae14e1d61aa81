package caplet

import (
	"encoding/json"
	"errors"
	"sort"

	"caplet/abi"
)

// Problem is an answer that says what went wrong, as an RFC 9457 document. It is for the caller: it never
// holds a statement, a stack or anything else from inside.
type Problem struct {
	// Status is the HTTP status; from 400 on, all that the invocation wrote is rolled back.
	Status int
	// Code is stable and in kebab case, for programs.
	Code string
	// Detail is a sentence for people.
	Detail  string
	faults  []Fault
	members map[string]any
	headers [][2]string
}

// Fault is a place of a body, as a JSON pointer, and what is wrong there.
type Fault struct {
	Pointer string `json:"pointer"`
	Detail  string `json:"detail"`
}

func (p *Problem) Error() string { return p.Code + ": " + p.Detail }

// NewProblem makes a problem of any kind.
func NewProblem(status int, code, detail string) *Problem {
	return &Problem{Status: status, Code: code, Detail: detail}
}

// BadRequest is 400: the request cannot be read.
func BadRequest(detail string) *Problem { return NewProblem(400, "bad-request", detail) }

// Unauthorized is 401: there is no token.
func Unauthorized() *Problem {
	return NewProblem(401, "token-missing", "This needs a bearer token.").WithHeader("www-authenticate", "Bearer")
}

// Forbidden is 403: the caller is known and may not do this.
func Forbidden(detail string) *Problem { return NewProblem(403, "forbidden", detail) }

// NotFound is 404: there is no such thing, or it is not visible to the caller.
func NotFound(detail string) *Problem { return NewProblem(404, "not-found", detail) }

// Conflict is 409: the state of things does not allow it.
func Conflict(detail string) *Problem { return NewProblem(409, "conflict", detail) }

// PreconditionFailed is 412: it is not what the caller believes it to be.
func PreconditionFailed(detail string) *Problem {
	return NewProblem(412, "precondition-failed", detail)
}

// Unprocessable is 422: the body does not fit, at these places.
func Unprocessable(faults ...Fault) *Problem {
	problem := NewProblem(422, "unprocessable", "The body does not fit; see `errors`.")
	sort.SliceStable(faults, func(one, other int) bool { return faults[one].Pointer < faults[other].Pointer })
	problem.faults = faults
	return problem
}

func internal() *Problem {
	return NewProblem(500, "internal", "The plugin failed. The reason is in the host's log.")
}

// WithCode tells this problem apart from others of its status.
func (p *Problem) WithCode(code string) *Problem {
	p.Code = code
	return p
}

// WithMember adds a member to the document.
func (p *Problem) WithMember(name string, value any) *Problem {
	if p.members == nil {
		p.members = map[string]any{}
	}
	p.members[name] = value
	return p
}

// WithHeader adds a header; name in lower case.
func (p *Problem) WithHeader(name, value string) *Problem {
	p.headers = append(p.headers, [2]string{name, value})
	return p
}

func (p *Problem) response() abi.Response {
	document := map[string]any{
		"type": "about:blank", "title": words(p.Status), "status": p.Status,
		"code": p.Code, "detail": p.Detail,
	}
	if len(p.faults) > 0 {
		document["errors"] = p.faults
	}
	for name, value := range p.members {
		document[name] = value
	}
	headers := append([][2]string{{"content-type", "application/problem+json"}}, p.headers...)
	return abi.Response{Status: uint16(p.Status), Headers: headers, Body: mustJSON(document)}
}

// ProblemOf returns what an error means for the caller. What is inside of it goes to the log, never out.
func ProblemOf(err error) *Problem {
	var problem *Problem
	var statement *SQLError
	if errors.As(err, &problem) {
		return problem
	}
	if !errors.As(err, &statement) {
		LogError(err.Error())
		return internal()
	}
	switch statement.Kind {
	case "unique":
		return Conflict("There is such a thing already.")
	case "foreign-key":
		return Conflict("It refers to something that does not exist.")
	case "timeout", "unavailable":
		LogWarn("the store did not answer", "error", err.Error())
		return NewProblem(503, "unavailable", "The store is busy. Try again.").WithHeader("retry-after", "1")
	case "disk-full":
		LogError("the store is full")
		return NewProblem(507, "disk-full", "There is no room left.")
	}
	LogError("a statement failed", "error", err.Error())
	return internal()
}

// Response is an answer that is sent as it is.
type Response struct {
	Status int
	// Headers have names in lower case; a name with several values stands several times.
	Headers [][2]string
	Body    []byte
}

// Created answers 201: something was made, and this is where it is, such as /api/notes/42.
func Created(location string, body any) Response {
	inner := responseOf(body)
	headers := append(inner.Headers, [2]string{"location", location})
	return Response{201, headers, inner.Body}
}

// Bytes answers bytes of a media type.
func Bytes(mediaType string, body []byte) Response {
	return Response{200, [][2]string{{"content-type", mediaType}}, body}
}

// JSON answers what is JSON already.
func JSON(body []byte) Response { return Bytes("application/json", body) }

func responseOf(answer any) abi.Response {
	switch answer := answer.(type) {
	case nil:
		return abi.Response{Status: 204}
	case Response:
		return abi.Response{Status: uint16(answer.Status), Headers: answer.Headers, Body: answer.Body}
	case json.RawMessage:
		return responseOf(JSON(answer))
	case string:
		return responseOf(Bytes("text/plain; charset=utf-8", []byte(answer)))
	}
	return responseOf(JSON(mustJSON(answer)))
}

// words says a status in words. The package net/http would make the component two megabytes larger.
func words(status int) string {
	known := map[int]string{
		400: "Bad Request", 401: "Unauthorized", 403: "Forbidden", 404: "Not Found", 409: "Conflict",
		412: "Precondition Failed", 413: "Payload Too Large", 415: "Unsupported Media Type",
		422: "Unprocessable Entity", 428: "Precondition Required", 429: "Too Many Requests",
		500: "Internal Server Error", 503: "Service Unavailable", 507: "Insufficient Storage",
	}
	if text, is := known[status]; is {
		return text
	}
	return "Problem"
}
