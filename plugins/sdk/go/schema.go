package caplet

import (
	"encoding/json"
	"fmt"
	"reflect"
	"strconv"
	"strings"
	"unicode/utf8"
)

// A struct says what a body, a query or the settings are. Its fields have tags:
//
//	Body string `json:"body" min:"1" max:"500" doc:"The text."`
//
// json names the member, and says with omitempty that it may be left out, as a pointer may be. min and max
// bound numbers, the characters of texts and the items of lists; doc describes.

type field struct {
	index    int
	name     string
	optional bool
	kind     reflect.Type
	tag      reflect.StructTag
}

// known keeps the fields of a type: looking them up is slow.
var known = map[reflect.Type][]field{}

func fieldsOf(kind reflect.Type) []field {
	if fields, is := known[kind]; is {
		return fields
	}
	var fields []field
	for at := range kind.NumField() {
		part := kind.Field(at)
		name, rest, _ := strings.Cut(part.Tag.Get("json"), ",")
		if name == "" {
			name = part.Name
		}
		optional := rest == "omitempty" || part.Type.Kind() == reflect.Pointer
		fields = append(fields, field{at, name, optional, part.Type, part.Tag})
	}
	known[kind] = fields
	return fields
}

func hasField(kind reflect.Type, name string) bool {
	for _, field := range fieldsOf(kind) {
		if field.name == name {
			return true
		}
	}
	return false
}

func typeOf(value any) reflect.Type { return reflect.TypeOf(value) }

// readInto reads a JSON value into a variable; what does not fit is added to the faults.
func readInto(into reflect.Value, value any, pointer string, tag reflect.StructTag, faults []Fault) []Fault {
	misfit := func(expected string) []Fault {
		return append(faults, Fault{pointer, "invalid type: expected " + expected})
	}
	switch kind := into.Kind(); kind {
	case reflect.Pointer:
		if value == nil {
			return faults
		}
		into.Set(reflect.New(into.Type().Elem()))
		return readInto(into.Elem(), value, pointer, tag, faults)
	case reflect.String:
		text, is := value.(string)
		if !is {
			return misfit("a string")
		}
		into.SetString(text)
		return length(utf8.RuneCountInString(text), pointer, tag, faults)
	case reflect.Bool:
		truth, is := value.(bool)
		if !is {
			return misfit("a boolean")
		}
		into.SetBool(truth)
	case reflect.Int, reflect.Int32, reflect.Int64:
		number, _ := value.(json.Number)
		whole, err := strconv.ParseInt(string(number), 10, 64)
		if err != nil || into.OverflowInt(whole) {
			return misfit("an integer")
		}
		into.SetInt(whole)
		return bounds(float64(whole), pointer, tag, faults)
	case reflect.Float64:
		number, _ := value.(json.Number)
		real, err := number.Float64()
		if err != nil {
			return misfit("a number")
		}
		into.SetFloat(real)
		return bounds(real, pointer, tag, faults)
	case reflect.Slice:
		items, is := value.([]any)
		if !is {
			return misfit("an array")
		}
		return readItems(into, items, pointer, tag, faults)
	case reflect.Struct:
		members, is := value.(map[string]any)
		if !is {
			return misfit("an object")
		}
		return readMembers(into, members, pointer, faults)
	case reflect.Interface:
		if value != nil {
			into.Set(reflect.ValueOf(value))
		}
	default:
		panic("no JSON is read into a " + kind.String())
	}
	return faults
}

func readItems(into reflect.Value, items []any, pointer string, tag reflect.StructTag, faults []Fault) []Fault {
	faults = length(len(items), pointer, tag, faults)
	into.Set(reflect.MakeSlice(into.Type(), len(items), len(items)))
	for at, item := range items {
		faults = readInto(into.Index(at), item, pointer+"/"+strconv.Itoa(at), "", faults)
	}
	return faults
}

func readMembers(into reflect.Value, members map[string]any, pointer string, faults []Fault) []Fault {
	for name := range members {
		if !hasField(into.Type(), name) {
			faults = append(faults, Fault{pointer + token(name), "unknown field"})
		}
	}
	for _, field := range fieldsOf(into.Type()) {
		value, is := members[field.name]
		place := pointer + token(field.name)
		switch {
		case !is && !field.optional:
			faults = append(faults, Fault{place, "missing field"})
		case is && (value != nil || !field.optional):
			faults = readInto(into.Field(field.index), value, place, field.tag, faults)
		}
	}
	return faults
}

// token is a part of a JSON pointer (RFC 6901), with its slash.
func token(name string) string {
	return "/" + strings.ReplaceAll(strings.ReplaceAll(name, "~", "~0"), "/", "~1")
}

func bound(tag reflect.StructTag, name string) (float64, bool) {
	value, err := strconv.ParseFloat(tag.Get(name), 64)
	return value, err == nil
}

func length(count int, pointer string, tag reflect.StructTag, faults []Fault) []Fault {
	if least, is := bound(tag, "min"); is && float64(count) < least {
		faults = append(faults, Fault{pointer, fmt.Sprintf("length is lower than %v", least)})
	}
	if most, is := bound(tag, "max"); is && float64(count) > most {
		faults = append(faults, Fault{pointer, fmt.Sprintf("length is greater than %v", most)})
	}
	return faults
}

func bounds(number float64, pointer string, tag reflect.StructTag, faults []Fault) []Fault {
	if least, is := bound(tag, "min"); is && number < least {
		faults = append(faults, Fault{pointer, fmt.Sprintf("lower than %v", least)})
	}
	if most, is := bound(tag, "max"); is && number > most {
		faults = append(faults, Fault{pointer, fmt.Sprintf("greater than %v", most)})
	}
	return faults
}

// fromText is a text of a query as the JSON value that a field wants; whether it fits.
func fromText(text string, kind reflect.Type) (any, bool) {
	if kind.Kind() == reflect.Pointer {
		kind = kind.Elem()
	}
	switch kind.Kind() {
	case reflect.Int, reflect.Int32, reflect.Int64:
		_, err := strconv.ParseInt(text, 10, 64)
		return json.Number(text), err == nil && text[0] != '+'
	case reflect.Float64:
		return json.Number(text), json.Valid([]byte(text))
	case reflect.Bool:
		return text == "true", text == "true" || text == "false"
	}
	return text, true
}

// schemaOf is the JSON Schema of a type, with the values of defaults, which may be nil.
func schemaOf(kind reflect.Type, defaults any) map[string]any {
	switch kind.Kind() {
	case reflect.Pointer:
		return schemaOf(kind.Elem(), nil)
	case reflect.String:
		return map[string]any{"type": "string"}
	case reflect.Bool:
		return map[string]any{"type": "boolean"}
	case reflect.Int, reflect.Int32, reflect.Int64:
		return map[string]any{"type": "integer", "format": "int64"}
	case reflect.Float64:
		return map[string]any{"type": "number"}
	case reflect.Slice:
		return map[string]any{"type": "array", "items": schemaOf(kind.Elem(), nil)}
	case reflect.Struct:
		return objectSchema(kind, defaults)
	}
	return map[string]any{}
}

func objectSchema(kind reflect.Type, defaults any) map[string]any {
	properties, required := map[string]any{}, []string{}
	for _, field := range fieldsOf(kind) {
		schema := schemaOf(field.kind, nil)
		putBounds(schema, field.tag)
		if defaults != nil {
			schema["default"] = reflect.ValueOf(defaults).Field(field.index).Interface()
		} else if !field.optional {
			required = append(required, field.name)
		}
		properties[field.name] = schema
	}
	return map[string]any{
		"type": "object", "properties": properties, "required": required, "additionalProperties": false,
	}
}

func putBounds(schema map[string]any, tag reflect.StructTag) {
	if text := tag.Get("doc"); text != "" {
		schema["description"] = text
	}
	names := map[any][2]string{
		"string": {"minLength", "maxLength"}, "array": {"minItems", "maxItems"},
		"integer": {"minimum", "maximum"}, "number": {"minimum", "maximum"},
	}[schema["type"]]
	for at, tagged := range []string{"min", "max"} {
		if value, is := bound(tag, tagged); is && names[at] != "" {
			schema[names[at]] = value
		}
	}
}
