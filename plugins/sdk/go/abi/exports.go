package abi

import "unsafe"

// Route, Migration, Asset and Description are the records of the contract.
type Route struct {
	Operation, Method, Pattern string
	Access                     uint8
	Permission                 string
	Transaction                uint8
	BodyMaxBytes               uint32
	Headers                    []string
}

// Migration is one step of the schema's history.
type Migration struct {
	Number        uint32
	Name          string
	Phase         uint8
	SQL, Postgres string
}

// Asset is a file that the host serves.
type Asset struct {
	Path, MediaType string
	Content         []byte
}

// Description is how a plugin describes itself.
type Description struct {
	Name, Version, Title, Summary string
	Routes                        []Route
	OpenAPI                       string
	Migrations                    []Migration
	Permissions                   [][2]string
	SettingsSchema                string
	Assets                        []Asset
}

// Request is a request as the host gives it.
type Request struct {
	Operation, Method, Path    string
	Parameters, Query, Headers [][2]string
	Body                       []byte
}

// Response is an answer.
type Response struct {
	Status  uint16
	Headers [][2]string
	Body    []byte
}

// What the exports call. Package caplet sets them.
var (
	Describe func() Description
	Handle   func(*Request) Response
	// Check returns why the plugin is not well; empty when it is.
	Check func() string
)

func (r *Route) lower(to area) {
	to.setText(0, r.Operation)
	to.setText(8, r.Method)
	to.setText(16, r.Pattern)
	to.setU8(24, r.Access)
	to.setText(28, r.Permission)
	to.setU8(36, r.Transaction)
	to.setU8(40, 0)
	if r.BodyMaxBytes > 0 {
		to.setU8(40, 1)
		to.setU32(44, r.BodyMaxBytes)
	}
	to.setTexts(48, r.Headers)
}

func (m *Migration) lower(to area) {
	to.setU32(0, m.Number)
	to.setText(4, m.Name)
	to.setU8(12, m.Phase)
	to.setText(16, m.SQL)
	to.setU8(24, 0)
	if m.Postgres != "" {
		to.setU8(24, 1)
		to.setText(28, m.Postgres)
	}
}

func (d *Description) lower(to area) {
	to.setText(0, d.Name)
	to.setText(8, d.Version)
	to.setText(16, d.Title)
	to.setText(24, d.Summary)
	routes := to.list(32, len(d.Routes), 56, 4)
	for at := range d.Routes {
		d.Routes[at].lower(routes.item(at, 56))
	}
	to.setText(40, d.OpenAPI)
	migrations := to.list(48, len(d.Migrations), 36, 4)
	for at := range d.Migrations {
		d.Migrations[at].lower(migrations.item(at, 36))
	}
	to.setPairs(56, d.Permissions)
	to.setText(64, d.SettingsSchema)
	assets := to.list(72, len(d.Assets), 24, 4)
	for at, asset := range d.Assets {
		assets.item(at, 24).setText(0, asset.Path)
		assets.item(at, 24).setText(8, asset.MediaType)
		assets.item(at, 24).setBytes(16, asset.Content)
	}
}

//go:wasmexport caplet:plugin/guest@0.1.0#describe
func describe() unsafe.Pointer {
	begin()
	result, description := newArea(80, 4), Describe()
	description.lower(result)
	return result.at
}

//go:wasmexport cabi_post_caplet:plugin/guest@0.1.0#describe
func describeEnds(unsafe.Pointer) { release() }

//go:wasmexport caplet:plugin/http-handler@0.1.0#handle
func handle(
	operation unsafe.Pointer, operationLength uint32, method unsafe.Pointer, methodLength uint32,
	path unsafe.Pointer, pathLength uint32, parameters unsafe.Pointer, nParameters uint32,
	query unsafe.Pointer, nQuery uint32, headers unsafe.Pointer, nHeaders uint32,
	body unsafe.Pointer, bodyLength uint32,
) unsafe.Pointer {
	begin()
	response := Handle(&Request{
		Operation:  textOf(operation, operationLength),
		Method:     textOf(method, methodLength),
		Path:       textOf(path, pathLength),
		Parameters: pairsOf(parameters, nParameters),
		Query:      pairsOf(query, nQuery),
		Headers:    pairsOf(headers, nHeaders),
		Body:       copyOf(body, bodyLength),
	})
	result := newArea(20, 4)
	result.setU16(0, response.Status)
	result.setPairs(4, response.Headers)
	result.setBytes(12, response.Body)
	return result.at
}

//go:wasmexport cabi_post_caplet:plugin/http-handler@0.1.0#handle
func handleEnds(unsafe.Pointer) { release() }

//go:wasmexport caplet:plugin/health@0.1.0#check
func check() unsafe.Pointer {
	begin()
	result, reason := newArea(12, 4), Check()
	result.setU8(0, 0)
	if reason != "" {
		result.setU8(0, 1)
		result.setText(4, reason)
	}
	return result.at
}

//go:wasmexport cabi_post_caplet:plugin/health@0.1.0#check
func checkEnds(unsafe.Pointer) { release() }
