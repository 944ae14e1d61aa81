package caplet

import (
	"reflect"
	"strconv"
	"strings"
)

type object = map[string]any

func (p *Plugin) openAPI() object {
	paths := object{}
	for _, route := range p.routes {
		path := strings.ReplaceAll(route.route.Pattern, "{*", "{")
		if paths[path] == nil {
			paths[path] = object{}
		}
		method := strings.ToLower(route.route.Method)
		if method == "*" {
			method = "get"
		}
		paths[path].(object)[method] = route.operation()
	}
	info := object{"title": p.Title, "version": p.version}
	if p.Summary != "" {
		info["description"] = p.Summary
	}
	return object{
		"openapi": "3.1.0", "info": info, "servers": []object{{"url": "/api/" + p.name}}, "paths": paths,
		"components": object{
			"schemas":         object{"Problem": problemSchema()},
			"securitySchemes": object{"bearer": object{"type": "http", "scheme": "bearer"}},
		},
	}
}

func problemSchema() object {
	text := object{"type": "string"}
	place := object{
		"type": "object", "required": []string{"pointer", "detail"},
		"properties": object{"pointer": text, "detail": text},
	}
	return object{
		"type": "object", "description": "What went wrong (RFC 9457).",
		"required": []string{"type", "title", "status", "code"},
		"properties": object{
			"type": text, "title": text, "status": object{"type": "integer"}, "code": text, "detail": text,
			"errors": object{"type": "array", "items": place},
		},
	}
}

func (r *Route) operation() object {
	operation := object{
		"operationId": r.route.Operation, "parameters": r.parameters(), "responses": r.responses(),
		"security": []object{{"bearer": []string{}}},
	}
	if r.route.Access == 0 {
		operation["security"] = []object{{}, {"bearer": []string{}}}
	}
	if r.summary != "" {
		operation["summary"] = r.summary
	}
	if r.body != nil {
		operation["requestBody"] = object{"required": true, "content": content(schemaOf(r.body, nil))}
	}
	return operation
}

func content(schema object) object {
	return object{"application/json": object{"schema": schema}}
}

func (r *Route) parameters() []object {
	parameters := []object{}
	for _, name := range r.names() {
		schema := object{"type": "string"}
		parameters = append(parameters, object{"name": name, "in": "path", "required": true, "schema": schema})
	}
	if r.pages {
		limit := object{"type": "integer", "minimum": 1, "maximum": limitMax, "default": limitDefault}
		cursor := object{"type": "string", "maxLength": cursorMaxBytes}
		parameters = append(parameters, object{"name": "limit", "in": "query", "schema": limit})
		parameters = append(parameters, object{"name": "cursor", "in": "query", "schema": cursor})
	}
	if r.conditional {
		for _, condition := range conditions {
			parameters = append(parameters, object{
				"name": condition[0], "in": "header", "description": condition[1], "schema": object{"type": "string"},
			})
		}
	}
	if r.query != nil {
		for _, field := range fieldsOf(r.query) {
			schema := schemaOf(field.kind, nil)
			putBounds(schema, field.tag)
			parameter := object{"name": field.name, "in": "query", "required": !field.optional, "schema": schema}
			parameters = append(parameters, parameter)
		}
	}
	return parameters
}

func (r *Route) responses() object {
	responses := object{strconv.Itoa(r.status): r.success()}
	problem := func(status, description string) {
		schema := object{"schema": object{"$ref": "#/components/schemas/Problem"}}
		responses[status] = object{
			"description": description, "content": object{"application/problem+json": schema},
		}
	}
	if len(r.names()) > 0 || r.pages || r.conditional || r.query != nil || r.body != nil {
		problem("400", "The request is malformed.")
	}
	if len(r.names()) > 0 {
		problem("404", "There is no such thing.")
	}
	if r.conditional {
		problem("412", "It was changed since it was read.")
		r.describeTag(responses)
	}
	if r.route.Access != 0 {
		problem("401", "There is no valid token.")
	}
	if r.route.Access == 2 {
		problem("403", "The caller does not hold `"+r.route.Permission+"`.")
	}
	if r.body != nil {
		problem("415", "The body's media type is not JSON.")
		problem("422", "The body does not fit its schema; `errors` says where.")
	}
	return responses
}

// describeTag says that successes have a tag, and that one that the caller has is not sent again.
func (r *Route) describeTag(responses object) {
	etag := object{
		"description": "The version; send it back as `If-Match`.", "schema": object{"type": "string"},
	}
	responses[strconv.Itoa(r.status)].(object)["headers"] = object{"etag": etag}
	if method := r.route.Method; method == "GET" || method == "HEAD" || method == "*" {
		responses["304"] = object{"description": "The caller has it already."}
	}
}

func (r *Route) success() object {
	if r.answer == nil {
		return object{"description": "Done."}
	}
	if !r.pages {
		return object{"description": "Done.", "content": content(schemaOf(r.answer, nil))}
	}
	listing := object{
		"type": "object", "required": []string{"items", "next_cursor"},
		"properties": object{
			"items":       schemaOf(reflect.SliceOf(r.answer), nil),
			"next_cursor": object{"type": []string{"string", "null"}},
		},
	}
	return object{"description": "A page.", "content": content(listing)}
}
