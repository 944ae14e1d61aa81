package caplet

import (
	"reflect"
	"strconv"
	"strings"

	"caplet/abi"
)

// Request is a request that matched a route and fits what the route says.
type Request struct {
	// Page is what part of a list is asked for, when the route has pages.
	Page Page
	// Preconditions are what has to be true of the current version, when the route is conditional.
	Preconditions Preconditions

	raw   *abi.Request
	body  any
	query any
}

// Path returns a parameter of the route's pattern, decoded.
func (r *Request) Path(name string) string {
	value, _ := find(r.raw.Parameters, name)
	return value
}

// PathInteger returns a parameter of the route's pattern as a whole number; a Problem of status 400 when it is
// none.
func (r *Request) PathInteger(name string) (int64, error) {
	value, err := strconv.ParseInt(r.Path(name), 10, 64)
	if err != nil || r.Path(name)[0] == '+' {
		return 0, BadRequest("The path's parameter `" + name + "` is not a whole number.").WithCode("bad-path")
	}
	return value, nil
}

// Header returns the first value of a header that the route asked for; name in lower case.
func (r *Request) Header(name string) string {
	value, _ := find(r.raw.Headers, name)
	return value
}

// Raw returns the request as the host gave it.
func (r *Request) Raw() *abi.Request { return r.raw }

// BodyOf returns the JSON body of a route that has Body(T{}).
func BodyOf[T any](r *Request) T { return r.body.(T) }

// QueryOf returns the query of a route that has Query(T{}).
func QueryOf[T any](r *Request) T { return r.query.(T) }

func find(pairs [][2]string, name string) (value string, count int) {
	for _, pair := range pairs {
		if pair[0] == name {
			if count == 0 {
				value = pair[1]
			}
			count++
		}
	}
	return value, count
}

func (r *Request) read(route *Route) error {
	if route.pages {
		page, err := readPage(r.raw.Query)
		if err != nil {
			return err
		}
		r.Page = page
	}
	if route.conditional {
		preconditions, err := readPreconditions(r.raw.Headers)
		if err != nil {
			return err
		}
		r.Preconditions = preconditions
	}
	if route.query != nil {
		query, err := readQuery(route.query, r.raw.Query)
		if err != nil {
			return err
		}
		r.query = query
	}
	if err := r.refuseUnknown(route); err != nil {
		return err
	}
	if route.body == nil {
		return nil
	}
	body, err := readBody(route.body, r.Header("content-type"), r.raw.Body)
	r.body = body
	return err
}

func (r *Request) refuseUnknown(route *Route) error {
	for _, pair := range r.raw.Query {
		known := route.anyQuery || route.pages && (pair[0] == "limit" || pair[0] == "cursor")
		if !known && (route.query == nil || !hasField(route.query, pair[0])) {
			detail := "There is no query parameter `" + pair[0] + "` here."
			return BadRequest(detail).WithCode("unknown-parameter")
		}
	}
	return nil
}

func readBody(kind reflect.Type, contentType string, body []byte) (any, error) {
	essence := strings.ToLower(strings.TrimSpace(strings.SplitN(contentType, ";", 2)[0]))
	if essence != "application/json" && !strings.HasSuffix(essence, "+json") {
		return nil, NewProblem(415, "unsupported-media-type", "The body must be sent as `application/json`.")
	}
	value, err := parseJSON(body)
	if err != nil {
		return nil, BadRequest("The body is not JSON: " + err.Error() + ".").WithCode("malformed-json")
	}
	into := reflect.New(kind).Elem()
	if faults := readInto(into, value, "", "", nil); len(faults) > 0 {
		return nil, Unprocessable(faults...)
	}
	return into.Interface(), nil
}

// readQuery reads a struct's fields from texts: whole numbers, numbers, booleans and texts.
func readQuery(kind reflect.Type, query [][2]string) (any, error) {
	into := reflect.New(kind).Elem()
	for _, field := range fieldsOf(kind) {
		text, count := find(query, field.name)
		wrong := ""
		switch {
		case count > 1:
			wrong = "is given more than once"
		case count == 0 && !field.optional:
			wrong = "is missing"
		case count == 1:
			value, fits := fromText(text, field.kind)
			if faults := readInto(into.Field(field.index), value, "", field.tag, nil); !fits || len(faults) > 0 {
				wrong = "does not fit its type"
			}
		}
		if wrong != "" {
			return nil, BadRequest("The query parameter `" + field.name + "` " + wrong + ".").WithCode("bad-query")
		}
	}
	return into.Interface(), nil
}
