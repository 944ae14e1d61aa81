package caplet

import (
	"encoding/hex"
	"reflect"

	"caplet/abi"
)

// LogTrace, LogDebug, LogInfo, LogWarn and LogError write a line to the host's log, with names and values in
// turn: LogInfo("note written", "id", id). Lines are written at once, also when the invocation is rolled back.
// Never log what is private.
func LogTrace(message string, fields ...string) { write(0, message, fields) }
func LogDebug(message string, fields ...string) { write(1, message, fields) }
func LogInfo(message string, fields ...string)  { write(2, message, fields) }
func LogWarn(message string, fields ...string)  { write(3, message, fields) }
func LogError(message string, fields ...string) { write(4, message, fields) }

func write(level uint32, message string, fields []string) {
	var pairs [][2]string
	for at := 0; at+1 < len(fields); at += 2 {
		pairs = append(pairs, [2]string{fields[at], fields[at+1]})
	}
	abi.Log(level, message, pairs)
}

// Caller is a verified caller.
type Caller = abi.Caller

// CurrentCaller returns who calls; nil when the request had no token.
func CurrentCaller() *Caller { return abi.Current() }

// Tenant returns the tenant of the invocation: the token's, or default without one.
func Tenant() string { return abi.Tenant() }

// Permitted tells whether the caller holds a permission, by the operator's rules.
func Permitted(permission string) bool { return abi.Permitted(permission) }

var settings struct {
	version uint64
	kind    reflect.Type
	value   any
}

// CurrentSettings returns the settings, as the operator set them, with the defaults filled in. Read once for
// each version of them.
func CurrentSettings[T any]() T {
	kind := reflect.TypeFor[T]()
	version := abi.SettingsVersion()
	if settings.value == nil || settings.version != version || settings.kind != kind {
		value, err := parseJSON([]byte(abi.SettingsJSON()))
		into := reflect.New(kind).Elem()
		if err != nil || len(readInto(into, value, "", "", nil)) > 0 {
			panic("the settings do not fit " + kind.String())
		}
		settings.version, settings.kind, settings.value = version, kind, into.Interface()
	}
	return settings.value.(T)
}

// NowMs returns Unix time in milliseconds. May jump when the machine's clock is set.
func NowMs() int64 { return int64(abi.NowMs()) }

// ElapsedMs returns milliseconds since the invocation began.
func ElapsedMs() uint64 { return abi.ElapsedMs() }

// RemainingMs returns milliseconds left until the host ends the invocation.
func RemainingMs() uint64 { return abi.RemainingMs() }

// RandomBytes returns at most 65 536 bytes of the operating system's generator. Package math/rand is seeded
// by the host alike, and package crypto/rand works as well.
func RandomBytes(count uint32) []byte { return abi.RandomBytes(count) }

// RandomNumber returns a random number of 64 bits.
func RandomNumber() uint64 { return abi.RandomNumber() }

// RandomID returns a new UUID of version 7 (RFC 9562): 36 characters that sort by the millisecond in which they
// were made, and that cannot be guessed.
func RandomID() string {
	now, id := abi.NowMs(), abi.RandomBytes(16)
	for at := range 6 {
		id[at] = byte(now >> (40 - 8*at))
	}
	id[6] = 0x70 | id[6]&0x0f
	id[8] = 0x80 | id[8]&0x3f
	text := hex.EncodeToString(id)
	return text[:8] + "-" + text[8:12] + "-" + text[12:16] + "-" + text[16:20] + "-" + text[20:]
}
