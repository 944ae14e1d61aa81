// Package caplet is for plugins in Go, built by stock Go.
//
// A plugin is a package main that serves one Plugin from an init function:
//
//	func init() {
//		plugin := caplet.New("hello", "1.0.0")
//		plugin.Get("/{name}", "greet", greet).Public()
//		caplet.Serve(plugin)
//	}
//
//	func greet(r *caplet.Request) (any, error) {
//		return "Hello " + r.Path("name") + "!", nil
//	}
//
//	func main() {}
//
// What a handler returns is the answer: nil is 204, a string is text, a Response is sent as it is, and any
// other value is JSON. An error that is a *Problem is answered as it says; any other error, and a panic, goes
// to the log, and the caller gets a 500 without it.
package caplet

import (
	"encoding/json"
	"fmt"
	"runtime/debug"

	"caplet/abi"
)

// Handler answers a request.
type Handler func(*Request) (any, error)

// Plugin is what a plugin is and has.
type Plugin struct {
	// Title is a short name for people, and Summary says what it does.
	Title, Summary string

	name, version string
	routes        []*Route
	migrations    []abi.Migration
	permissions   [][2]string
	assets        []abi.Asset
	settings      any
	health        func() error
}

// New begins a plugin whose URLs begin with /api/<name>, of a semantic version.
func New(name, version string) *Plugin {
	return &Plugin{Title: name, name: name, version: version}
}

// Permission adds a permission, <plugin>.<verb or noun>, and what it allows, in one sentence.
func (p *Plugin) Permission(name, description string) {
	p.permissions = append(p.permissions, [2]string{name, description})
}

// Migration adds the next step of the schema's history, which the version before can live with. One that was
// released must never change.
func (p *Plugin) Migration(number uint32, name, sql string) {
	p.step(number, name, 0, sql)
}

// Backfill adds a step that fills what an earlier one made: one statement with a LIMIT, which the host runs
// until it changes no row.
func (p *Plugin) Backfill(number uint32, name, sql string) {
	p.step(number, name, 1, sql)
}

// Contract adds a step that the version before cannot live with: it runs when that one is gone.
func (p *Plugin) Contract(number uint32, name, sql string) {
	p.step(number, name, 2, sql)
}

func (p *Plugin) step(number uint32, name string, phase uint8, sql string) {
	p.migrations = append(p.migrations, abi.Migration{Number: number, Name: name, Phase: phase, SQL: sql})
}

// Asset adds a file that the host serves at /api/<name>/-/<path> without calling the plugin.
func (p *Plugin) Asset(path, mediaType string, content []byte) {
	p.assets = append(p.assets, abi.Asset{Path: path, MediaType: mediaType, Content: content})
}

// Settings declares the settings by a struct with their defaults; see CurrentSettings.
func (p *Plugin) Settings(defaults any) {
	p.settings = defaults
}

// Health says how it is found out whether the plugin is well, before a new version takes requests: an error
// is the reason why it never does. The check may read the store; there is no caller.
func (p *Plugin) Health(check func() error) {
	p.health = check
}

// Serve makes the plugin the one of this component. It is called once, from an init function.
func Serve(plugin *Plugin) {
	abi.Describe = plugin.describe
	abi.Handle = plugin.handle
	abi.Check = plugin.check
}

func (p *Plugin) describe() abi.Description {
	routes := make([]abi.Route, len(p.routes))
	for at, route := range p.routes {
		routes[at] = route.route
	}
	schema := ""
	if p.settings != nil {
		schema = string(mustJSON(schemaOf(typeOf(p.settings), p.settings)))
	}
	return abi.Description{
		Name: p.name, Version: p.version, Title: p.Title, Summary: p.Summary,
		Routes: routes, OpenAPI: string(mustJSON(p.openAPI())), Migrations: p.migrations,
		Permissions: p.permissions, SettingsSchema: schema, Assets: p.assets,
	}
}

func mustJSON(value any) []byte {
	text, err := json.Marshal(value)
	if err != nil {
		panic(err)
	}
	return text
}

func (p *Plugin) handle(raw *abi.Request) (response abi.Response) {
	defer func() {
		if panicked := recover(); panicked != nil {
			LogError(fmt.Sprint("panic: ", panicked), "stack", string(debug.Stack()))
			response = internal().response()
		}
	}()
	for _, route := range p.routes {
		if route.route.Operation == raw.Operation {
			answer, err := route.call(raw)
			if err != nil {
				return ProblemOf(err).response()
			}
			return responseOf(answer)
		}
	}
	LogError("the host asked for an operation that the plugin does not have")
	return internal().response()
}

func (p *Plugin) check() (reason string) {
	defer func() {
		if panicked := recover(); panicked != nil {
			LogError(fmt.Sprint("panic: ", panicked), "stack", string(debug.Stack()))
			reason = "the check of the plugin's health failed; the reason is in the log"
		}
	}()
	if p.health == nil {
		return ""
	}
	err := p.health()
	if err == nil {
		return ""
	}
	if problem, is := err.(*Problem); is {
		return fmt.Sprintf("%s (%d)", problem.Code, problem.Status)
	}
	LogError(err.Error())
	return "the check of the plugin's health failed; the reason is in the log"
}
