package abi

import (
	"math"
	"unsafe"
)

//go:wasmimport caplet:plugin/sql@0.1.0 query
func sqlQuery(text unsafe.Pointer, length uint32, values unsafe.Pointer, count uint32, result unsafe.Pointer)

//go:wasmimport caplet:plugin/sql@0.1.0 query-json
func sqlQueryJSON(text unsafe.Pointer, length uint32, values unsafe.Pointer, count uint32, limit uint32, result unsafe.Pointer)

//go:wasmimport caplet:plugin/sql@0.1.0 execute
func sqlExecute(text unsafe.Pointer, length uint32, values unsafe.Pointer, count uint32, result unsafe.Pointer)

//go:wasmimport caplet:plugin/identity@0.1.0 current
func identityCurrent(result unsafe.Pointer)

//go:wasmimport caplet:plugin/identity@0.1.0 tenant
func identityTenant(result unsafe.Pointer)

//go:wasmimport caplet:plugin/identity@0.1.0 permitted
func identityPermitted(text unsafe.Pointer, length uint32) uint32

//go:wasmimport caplet:plugin/settings@0.1.0 version
func settingsVersion() uint64

//go:wasmimport caplet:plugin/settings@0.1.0 json
func settingsJSON(result unsafe.Pointer)

//go:wasmimport caplet:plugin/log@0.1.0 write
func logWrite(level uint32, text unsafe.Pointer, length uint32, fields unsafe.Pointer, count uint32)

//go:wasmimport caplet:plugin/clock@0.1.0 now-ms
func clockNow() uint64

//go:wasmimport caplet:plugin/clock@0.1.0 elapsed-ms
func clockElapsed() uint64

//go:wasmimport caplet:plugin/clock@0.1.0 remaining-ms
func clockRemaining() uint64

//go:wasmimport caplet:plugin/random@0.1.0 bytes
func randomBytes(count uint32, result unsafe.Pointer)

//go:wasmimport caplet:plugin/random@0.1.0 number
func randomNumber() uint64

// Error is why a statement failed: the number of a case of the contract's variant, and its text.
type Error struct {
	Kind uint8
	Text string
}

// The cases that have no text.
const readOnly, timeout, diskFull = 6, 8, 9

func errorAt(at area) *Error {
	kind := at.u8(0)
	if kind == readOnly || kind == timeout || kind == diskFull {
		return &Error{Kind: kind}
	}
	return &Error{Kind: kind, Text: at.text(4)}
}

// The types that a value can have; see Query.
const (
	Null = iota
	Integer
	Real
	Text
	Blob
)

func lowerValues(values []any) area {
	list := newArea(uintptr(len(values))*16, 8)
	for at, value := range values {
		item := list.item(at, 16)
		switch value := value.(type) {
		case int64:
			item.setU8(0, Integer)
			item.setU64(8, uint64(value))
		case float64:
			item.setU8(0, Real)
			item.setU64(8, math.Float64bits(value))
		case string:
			item.setU8(0, Text)
			item.setText(8, value)
		case []byte:
			item.setU8(0, Blob)
			item.setBytes(8, value)
		default:
			item.setU8(0, Null)
		}
	}
	return list
}

func liftValues(at unsafe.Pointer, count uint32) []any {
	values := make([]any, count)
	for place := range values {
		item := area{at}.item(place, 16)
		switch item.u8(0) {
		case Integer:
			values[place] = int64(item.u64(8))
		case Real:
			values[place] = math.Float64frombits(item.u64(8))
		case Text:
			values[place] = item.text(8)
		case Blob:
			values[place] = item.bytes(8)
		}
	}
	return values
}

// lowerText is a text in memory of the invocation.
func lowerText(text string) (unsafe.Pointer, uint32) {
	place := newArea(8, 4)
	place.setText(0, text)
	return place.pointer(0), uint32(len(text))
}

// Query runs a statement. Values are nil, int64, float64, string and []byte; they come in the order of the
// rows.
func Query(statement string, parameters []any) (columns []string, values []any, failed *Error) {
	text, length := lowerText(statement)
	result := newArea(20, 4)
	sqlQuery(text, length, lowerValues(parameters).at, uint32(len(parameters)), result.at)
	if result.u8(0) != 0 {
		return nil, nil, errorAt(area{result.plus(4)})
	}
	return result.texts(4), liftValues(result.pointer(12), result.u32(16)), nil
}

// Page is a page of rows as JSON.
type Page struct {
	Items []byte
	Count uint32
	More  bool
	Last  []any
}

// QueryJSON runs a statement whose rows the host writes as JSON.
func QueryJSON(statement string, parameters []any, limit uint32) (Page, *Error) {
	text, length := lowerText(statement)
	result := newArea(28, 4)
	sqlQueryJSON(text, length, lowerValues(parameters).at, uint32(len(parameters)), limit, result.at)
	if result.u8(0) != 0 {
		return Page{}, errorAt(area{result.plus(4)})
	}
	last := liftValues(result.pointer(20), result.u32(24))
	return Page{result.bytes(4), result.u32(12), result.u8(16) != 0, last}, nil
}

// Execute runs a statement and returns how many rows it changed.
func Execute(statement string, parameters []any) (uint64, *Error) {
	text, length := lowerText(statement)
	result := newArea(24, 8)
	sqlExecute(text, length, lowerValues(parameters).at, uint32(len(parameters)), result.at)
	if result.u8(0) != 0 {
		return 0, errorAt(area{result.plus(8)})
	}
	return result.u64(8), nil
}

// Caller is who calls.
type Caller struct {
	Subject              string
	IsService            bool
	Roles, Teams, Scopes []string
}

// Current returns who calls; nil without a token.
func Current() *Caller {
	result := newArea(40, 4)
	identityCurrent(result.at)
	if result.u8(0) == 0 {
		return nil
	}
	return &Caller{result.text(4), result.u8(12) != 0, result.texts(16), result.texts(24), result.texts(32)}
}

// Tenant returns the tenant of the invocation.
func Tenant() string {
	result := newArea(8, 4)
	identityTenant(result.at)
	return result.text(0)
}

// Permitted tells whether the caller holds a permission.
func Permitted(permission string) bool {
	return identityPermitted(lowerText(permission)) != 0
}

// SettingsVersion returns a number that differs whenever the settings do.
func SettingsVersion() uint64 { return settingsVersion() }

// SettingsJSON returns the settings as a JSON object.
func SettingsJSON() string {
	result := newArea(8, 4)
	settingsJSON(result.at)
	return result.text(0)
}

// Log writes a line at a level from 0 (trace) to 4 (error).
func Log(level uint32, message string, fields [][2]string) {
	text, length := lowerText(message)
	place := newArea(8, 4)
	place.setPairs(0, fields)
	logWrite(level, text, length, place.pointer(0), uint32(len(fields)))
}

// NowMs, ElapsedMs and RemainingMs are the clock of the host.
func NowMs() uint64       { return clockNow() }
func ElapsedMs() uint64   { return clockElapsed() }
func RemainingMs() uint64 { return clockRemaining() }

// RandomBytes returns at most 65 536 random bytes.
func RandomBytes(count uint32) []byte {
	result := newArea(8, 4)
	randomBytes(count, result.at)
	return result.bytes(0)
}

// RandomNumber returns a random number.
func RandomNumber() uint64 { return randomNumber() }
