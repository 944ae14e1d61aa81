// Everything the contract has, for the script in tests/outside/languages: the same plugin in each language.
package main

import (
	"encoding/hex"
	"encoding/json"
	"errors"
	"math"
	"strconv"

	"caplet"
)

// Order is a statement, and what it is given: pairs of a type and a text.
type Order struct {
	SQL        string     `json:"sql"`
	Parameters [][]string `json:"parameters"`
	Execute    bool       `json:"execute,omitempty"`
	Status     *int       `json:"status,omitempty"`
	Limit      *int       `json:"limit,omitempty"`
}

// Tag is a part of what is checked.
type Tag struct {
	Weight int `json:"weight" max:"9"`
}

// Post is what is checked.
type Post struct {
	Title string `json:"title" min:"1" max:"5"`
	Tags  []Tag  `json:"tags"`
}

// Options are what the script sets.
type Options struct {
	Greeting string `json:"greeting"`
	Well     bool   `json:"well"`
	Largest  int64  `json:"largest"`
}

// Number is a query.
type Number struct {
	Count int64 `json:"count"`
	Exact bool  `json:"exact,omitempty"`
}

// Look is how a version looks, and when it was made.
type Look struct {
	Variant    *string `json:"variant,omitempty"`
	ModifiedMs *int64  `json:"modified_ms,omitempty"`
}

func tagOf(r *caplet.Request) caplet.ETag {
	look, etag := caplet.QueryOf[Look](r), caplet.StrongETag(r.Path("version"))
	if look.Variant != nil {
		etag = etag.Variant(*look.Variant)
	}
	if look.ModifiedMs != nil {
		etag = etag.Modified(*look.ModifiedMs)
	}
	return etag
}

func readVersion(r *caplet.Request) (any, error) {
	return r.Preconditions.Unless(tagOf(r), func() (any, error) { return "read", nil })
}

func changeVersion(r *caplet.Request) (any, error) {
	current := tagOf(r)
	return caplet.Tagged(current, "changed"), r.Preconditions.Check(current)
}

func removeVersion(r *caplet.Request) (any, error) {
	return nil, r.Preconditions.Require(caplet.StrongETag(r.Path("version")))
}

func decode(pair []string) any {
	switch pair[0] {
	case "integer":
		value, _ := strconv.ParseInt(pair[1], 10, 64)
		return value
	case "real":
		bits, _ := strconv.ParseUint(pair[1], 16, 64)
		return math.Float64frombits(bits)
	case "text":
		return pair[1]
	case "blob":
		value, _ := hex.DecodeString(pair[1])
		return value
	}
	return nil
}

func encode(value any) [2]string {
	switch value := value.(type) {
	case int64:
		return [2]string{"integer", strconv.FormatInt(value, 10)}
	case float64:
		bits := strconv.FormatUint(math.Float64bits(value), 16)
		return [2]string{"real", ("0000000000000000" + bits)[len(bits):]}
	case string:
		return [2]string{"text", value}
	case []byte:
		return [2]string{"blob", hex.EncodeToString(value)}
	}
	return [2]string{"null", ""}
}

func encodeAll(values []any) [][2]string {
	encoded := make([][2]string, len(values))
	for at, value := range values {
		encoded[at] = encode(value)
	}
	return encoded
}

func parameters(order Order) []any {
	values := make([]any, len(order.Parameters))
	for at, pair := range order.Parameters {
		values[at] = decode(pair)
	}
	return values
}

func answer(order Order, body any) (any, error) {
	text, err := json.Marshal(body)
	response := caplet.JSON(text)
	if order.Status != nil {
		response.Status = *order.Status
	}
	return response, err
}

func run(r *caplet.Request) (any, error) {
	order := caplet.BodyOf[Order](r)
	var failed *caplet.SQLError
	if order.Execute {
		changed, err := caplet.Execute(order.SQL, parameters(order)...)
		if errors.As(err, &failed) {
			return answer(order, map[string]any{"error": failed.Kind})
		}
		return answer(order, map[string]any{"changed": changed})
	}
	found, err := caplet.Query(order.SQL, parameters(order)...)
	if errors.As(err, &failed) {
		return answer(order, map[string]any{"error": failed.Kind})
	}
	rows := make([][][2]string, len(found.Values))
	for at, row := range found.Values {
		rows[at] = encodeAll(row)
	}
	return answer(order, map[string]any{"columns": found.Columns, "rows": rows})
}

func page(r *caplet.Request) (any, error) {
	order, limit := caplet.BodyOf[Order](r), 10
	if order.Limit != nil {
		limit = *order.Limit
	}
	found, err := caplet.QueryJSON(limit, order.SQL, parameters(order)...)
	if err != nil {
		return nil, err
	}
	return answer(order, map[string]any{
		"items": found.Items, "count": found.Count, "more": found.More, "last": encodeAll(found.Last),
	})
}

func uncaught(r *caplet.Request) (any, error) {
	_, err := caplet.Execute(caplet.BodyOf[Order](r).SQL)
	return nil, err
}

func echo(r *caplet.Request) (any, error) {
	return caplet.Bytes(r.Header("content-type"), r.Raw().Body), nil
}

func keep(r *caplet.Request) (any, error) {
	id, err := r.PathInteger("id")
	if err != nil {
		return nil, err
	}
	statement := "INSERT INTO things (id, name, content) VALUES ($1, $2, $3)"
	_, err = caplet.Execute(statement, id, r.Path("id"), r.Raw().Body)
	return nil, err
}

func content(r *caplet.Request) (any, error) {
	id, err := r.PathInteger("id")
	if err != nil {
		return nil, err
	}
	row, err := caplet.QueryRow("SELECT content FROM things WHERE id = $1", id)
	if err != nil {
		return nil, err
	}
	if row == nil {
		return nil, caplet.NotFound("There is no such content.")
	}
	return caplet.Bytes("application/octet-stream", row[0].([]byte)), nil
}

func words(r *caplet.Request) (any, error) {
	raw := r.Raw()
	text, err := json.Marshal(map[string]any{
		"method": raw.Method, "path": raw.Path, "parameters": raw.Parameters, "query": raw.Query,
		"headers": raw.Headers,
	})
	response := caplet.JSON(text)
	response.Headers = append(response.Headers, [2]string{"x-many", "one"}, [2]string{"x-many", "two"})
	return response, err
}

func who(*caplet.Request) (any, error) {
	seen := map[string]any{
		"tenant": caplet.Tenant(), "permitted": caplet.Permitted("conformance.try"), "caller": nil,
	}
	if caller := caplet.CurrentCaller(); caller != nil {
		kind := "user"
		if caller.IsService {
			kind = "service"
		}
		seen["caller"] = map[string]any{
			"subject": caller.Subject, "kind": kind, "roles": caller.Roles, "teams": caller.Teams,
			"scopes": caller.Scopes,
		}
	}
	return seen, nil
}

func nothing(*caplet.Request) (any, error) { return nil, nil }

func logLine(r *caplet.Request) (any, error) {
	levels := map[string]func(string, ...string){
		"trace": caplet.LogTrace, "debug": caplet.LogDebug, "info": caplet.LogInfo, "warn": caplet.LogWarn,
		"error": caplet.LogError,
	}
	levels[r.Path("level")](string(r.Raw().Body), "language", "Go", "word", "é🎉")
	return nil, nil
}

func times(*caplet.Request) (any, error) {
	return map[string]any{
		"now_ms": caplet.NowMs(), "elapsed_ms": caplet.ElapsedMs(), "remaining_ms": caplet.RemainingMs(),
	}, nil
}

func chance(*caplet.Request) (any, error) {
	return map[string]any{
		"bytes": hex.EncodeToString(caplet.RandomBytes(16)), "none": hex.EncodeToString(caplet.RandomBytes(0)),
		"number": strconv.FormatUint(caplet.RandomNumber(), 10), "id": caplet.RandomID(),
	}, nil
}

var calls int

func init() {
	plugin := caplet.New("conformance", "1.2.3")
	plugin.Title, plugin.Summary = "Conformance", "Does what it is told, in Go."
	plugin.Settings(Options{"hello", true, math.MaxInt64})
	plugin.Permission("conformance.try", "Try what needs a permission.")
	plugin.Migration(1, "create things", `CREATE TABLE things (
		id BIGINT NOT NULL PRIMARY KEY,
		name TEXT NOT NULL UNIQUE,
		size BIGINT CHECK (size > 0),
		parent BIGINT REFERENCES things (id),
		content BYTEA
	);`)
	plugin.Migration(2, "create traces", `CREATE TABLE traces (
		id BIGINT NOT NULL PRIMARY KEY,
		tenant TEXT NOT NULL,
		person TEXT NOT NULL,
		holding TEXT NOT NULL,
		word TEXT NOT NULL
	);`)
	plugin.Asset("hello.txt", "text/plain; charset=utf-8", []byte("hé🎉"))
	plugin.Post("/write", "write", run).Public().Body(Order{})
	plugin.Post("/read", "read", run).Public().Reads().Body(Order{})
	plugin.Post("/without", "without", run).Public().WithoutStore().Body(Order{})
	plugin.Post("/page", "page", page).Public().Reads().Body(Order{})
	plugin.Post("/uncaught", "uncaught", uncaught).Public().Body(Order{})
	plugin.Post("/echo", "echo", echo).Public().BodyMaxBytes(2097152).Headers("content-type")
	plugin.Put("/contents/{id}", "keep", keep).Public().BodyMaxBytes(2097152)
	plugin.Get("/contents/{id}", "content", content).Public()
	plugin.Get("/words/{word}/{*rest}", "words", words).Public().Headers("x-word").AnyQuery()
	plugin.Post("/checked", "checked", func(r *caplet.Request) (any, error) {
		return caplet.BodyOf[Post](r), nil
	}).Public().Body(Post{}).Answers(200, Post{})
	plugin.Get("/number", "number", func(r *caplet.Request) (any, error) {
		number := caplet.QueryOf[Number](r)
		return map[string]any{"count": number.Count, "exact": number.Exact}, nil
	}).Public().Query(Number{})
	versions := "/versions/{version}"
	plugin.Get(versions, "read-version", readVersion).Public().Conditional().Query(Look{})
	plugin.Put(versions, "change-version", changeVersion).Public().Conditional().Query(Look{})
	plugin.Delete(versions, "remove-version", removeVersion).Public().Conditional().Answers(204, nil)
	plugin.Get("/identity", "who", who).Public()
	plugin.Get("/signed-in", "signed-in", nothing)
	plugin.Get("/permitted", "permitted", nothing).Permission("conformance.try")
	plugin.Get("/settings", "set-values", func(*caplet.Request) (any, error) {
		options := caplet.CurrentSettings[Options]()
		largest := strconv.FormatInt(options.Largest, 10)
		return map[string]any{"greeting": options.Greeting, "largest": largest, "well": options.Well}, nil
	}).Public()
	plugin.Post("/log/{level}", "log-line", logLine).Public()
	plugin.Get("/fail", "fail", func(*caplet.Request) (any, error) {
		panic("it broke: secret-of-the-author")
	}).Public()
	plugin.Get("/problem", "problem", func(*caplet.Request) (any, error) {
		return nil, caplet.Conflict("It is taken.").WithCode("taken").WithMember("by", "é🎉")
	}).Public()
	plugin.Get("/clock", "times", times).Public()
	plugin.Get("/random", "chance", chance).Public()
	plugin.Get("/calls", "calls", func(*caplet.Request) (any, error) {
		calls++
		return map[string]any{"calls": calls}, nil
	}).Public()
	plugin.Health(func() error {
		if !caplet.CurrentSettings[Options]().Well {
			return caplet.Conflict("The script says so.").WithCode("set-unwell")
		}
		_, err := caplet.QueryRow("SELECT count(*) FROM things")
		return err
	})
	caplet.Serve(plugin)
}

func main() {}
