package caplet

import (
	"reflect"
	"strings"

	"caplet/abi"
)

// Route is a route of a plugin. Unless it says otherwise, anybody with a valid token may call it, with a body
// of up to 64 KiB; it reads from the store for GET and writes for the other methods.
type Route struct {
	route    abi.Route
	handler  Handler
	summary  string
	body     reflect.Type
	query    reflect.Type
	anyQuery bool
	pages    bool
	// conditional routes have preconditions.
	conditional bool
	answer      reflect.Type
	status      int
}

// Route adds a route of a method in capitals, * for any.
func (p *Plugin) Route(method, pattern, operation string, handler Handler) *Route {
	route := &Route{
		route:   abi.Route{Operation: operation, Method: method, Pattern: pattern, Access: 1},
		handler: handler, status: 200,
	}
	p.routes = append(p.routes, route)
	return route
}

// Get, Post, Put, Patch and Delete add a route of that method.
func (p *Plugin) Get(pattern, operation string, handler Handler) *Route {
	return p.Route("GET", pattern, operation, handler)
}

func (p *Plugin) Post(pattern, operation string, handler Handler) *Route {
	return p.Route("POST", pattern, operation, handler)
}

func (p *Plugin) Put(pattern, operation string, handler Handler) *Route {
	return p.Route("PUT", pattern, operation, handler)
}

func (p *Plugin) Patch(pattern, operation string, handler Handler) *Route {
	return p.Route("PATCH", pattern, operation, handler)
}

func (p *Plugin) Delete(pattern, operation string, handler Handler) *Route {
	return p.Route("DELETE", pattern, operation, handler)
}

// Public lets anybody call it, with or without a token.
func (r *Route) Public() *Route {
	r.route.Access = 0
	return r
}

// Permission lets only those call it who hold a permission of the plugin's.
func (r *Route) Permission(name string) *Route {
	r.route.Access, r.route.Permission = 2, name
	return r
}

// Reads runs it on a snapshot whatever the method, Writes as the writer, and WithoutStore without the store.
func (r *Route) Reads() *Route {
	r.route.Transaction = 1
	return r
}

func (r *Route) Writes() *Route {
	r.route.Transaction = 2
	return r
}

func (r *Route) WithoutStore() *Route {
	r.route.Transaction = 3
	return r
}

// BodyMaxBytes takes bodies up to this size; more is answered 413.
func (r *Route) BodyMaxBytes(bytes uint32) *Route {
	r.route.BodyMaxBytes = bytes
	return r
}

// Headers names the request headers that the handler reads, in lower case.
func (r *Route) Headers(names ...string) *Route {
	r.route.Headers = append(r.route.Headers, names...)
	return r
}

// Summary says what it does, in a few words.
func (r *Route) Summary(text string) *Route {
	r.summary = text
	return r
}

// Body says what its JSON body is read into: a struct. What does not fit is answered 422, with all places
// where. The handler has it from BodyOf.
func (r *Route) Body(prototype any) *Route {
	r.body = reflect.TypeOf(prototype)
	return r.Headers("content-type")
}

// Query says what its query's parameters are read into: a struct. The handler has it from QueryOf. Parameters
// that are in no struct are refused, unless AnyQuery takes them all.
func (r *Route) Query(prototype any) *Route {
	r.query = reflect.TypeOf(prototype)
	return r
}

func (r *Route) AnyQuery() *Route {
	r.anyQuery = true
	return r
}

// Pages takes the query parameters limit and cursor; the handler has them in Request.Page.
func (r *Route) Pages() *Route {
	r.pages = true
	return r
}

// Conditional takes If-Match, If-None-Match and their siblings, which the handler has in Request.Preconditions, and
// says that answers have an ETag.
func (r *Route) Conditional() *Route {
	r.conditional = true
	for _, condition := range conditions {
		r.Headers(condition[0])
	}
	return r
}

// Answers says of what shape its answer is, or the items of its page, and with which status; for OpenAPI.
func (r *Route) Answers(status int, prototype any) *Route {
	r.status, r.answer = status, reflect.TypeOf(prototype)
	return r
}

func (r *Route) call(raw *abi.Request) (any, error) {
	request := &Request{raw: raw}
	if err := request.read(r); err != nil {
		return nil, err
	}
	return r.handler(request)
}

// names returns the names of the pattern's parameters.
func (r *Route) names() (names []string) {
	for _, part := range strings.Split(r.route.Pattern, "/") {
		if strings.HasPrefix(part, "{") {
			names = append(names, strings.TrimPrefix(strings.Trim(part, "{}"), "*"))
		}
	}
	return names
}
