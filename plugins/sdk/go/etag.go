package caplet

import (
	"fmt"
	"strings"
	"time"
)

// ETag is a strong entity tag (RFC 9110, section 8.8.3): it changes whenever the answer's bytes may change. With
// it goes, where it is known, the time of the last change. StrongETag makes one.
//
// It is a version, and a variant where one version looks different to different callers. A caller may change what
// it has seen in whatever variant, so that If-Match looks at the version only.
type ETag struct {
	opaque    string
	modifiedS int64 // Unix time; 0 when it is not known
}

// variantMark is between the version and the variant in a tag.
const variantMark = ";"

// The three forms of HTTP's dates, the one that is written first.
var dateForms = [...]string{
	"Mon, 02 Jan 2006 15:04:05 GMT", "Monday, 02-Jan-06 15:04:05 GMT", "Mon Jan _2 15:04:05 2006",
}

// StrongETag makes a tag from a value, such as a row's version. What cannot stand in a tag (controls, spaces,
// double quotes and semicolons) is replaced by _.
func StrongETag(version any) ETag {
	return ETag{opaque: cleaned(version)}
}

// Variant returns the tag of one of several looks of the same version, such as what a caller sees that others do
// not.
func (t ETag) Variant(variant any) ETag {
	t.opaque = versionOf(t.opaque) + variantMark + cleaned(variant)
	return t
}

// Modified adds the time of the last change, in Unix milliseconds. Last-Modified counts whole seconds: a time
// within this second is left out, because a second change in it could not be told from the first.
func (t ETag) Modified(unixMs int64) ETag {
	t.modifiedS = 0
	if unixMs > 0 && NowMs()/1000 > unixMs/1000 {
		t.modifiedS = unixMs / 1000
	}
	return t
}

// String returns the tag as it is sent.
func (t ETag) String() string { return `"` + t.opaque + `"` }

func (t ETag) headers() [][2]string {
	headers := [][2]string{{"etag", t.String()}}
	if t.modifiedS > 0 {
		date := time.Unix(t.modifiedS, 0).UTC().Format(dateForms[0])
		headers = append(headers, [2]string{"last-modified", date})
	}
	return headers
}

func cleaned(value any) string {
	return strings.Map(func(character rune) rune {
		if character <= ' ' || character > '~' || character == '"' || character == ';' {
			return '_'
		}
		return character
	}, fmt.Sprint(value))
}

func versionOf(opaque string) string {
	version, _, _ := strings.Cut(opaque, variantMark)
	return version
}

// tags are what a header lists.
type tags struct {
	present, any bool
	list         []listedTag
}

type listedTag struct {
	weak   bool
	opaque string
}

// readTags reads the lines of a header; a Problem of status 400 when they are malformed.
func readTags(lines []string) (tags, error) {
	found := tags{present: len(lines) > 0}
	if len(lines) == 1 && strings.TrimSpace(lines[0]) == "*" {
		found.any = true
		return found, nil
	}
	for _, line := range lines {
		list, fits := readTagLine(line)
		if !fits {
			return found, BadRequest("A list of entity tags is malformed: tags are written `\"…\"`.")
		}
		found.list = append(found.list, list...)
	}
	return found, nil
}

// readTagLine reads "a", W/"b", with the empty elements that the standard tolerates.
func readTagLine(line string) (list []listedTag, fits bool) {
	rest := strings.TrimLeft(line, " \t,")
	for rest != "" {
		quoted, weak := strings.CutPrefix(rest, "W/")
		begun, opens := strings.CutPrefix(quoted, `"`)
		opaque, after, closes := strings.Cut(begun, `"`)
		after = strings.TrimLeft(after, " \t")
		if !opens || !closes || after != "" && after[0] != ',' {
			return nil, false
		}
		list = append(list, listedTag{weak, opaque})
		rest = strings.TrimLeft(after, " \t,")
	}
	return list, true
}

// matchesStrongly is the comparison of If-Match: a weak tag matches nothing.
func (t tags) matchesStrongly(current ETag) bool {
	for _, tag := range t.list {
		if !tag.weak && versionOf(tag.opaque) == versionOf(current.opaque) {
			return true
		}
	}
	return t.any
}

// matchesWeakly is the comparison of If-None-Match: weak or not does not matter.
func (t tags) matchesWeakly(current ETag) bool {
	for _, tag := range t.list {
		if tag.opaque == current.opaque {
			return true
		}
	}
	return t.any
}

// readDate reads a date in any of the three forms, in seconds of Unix time; 0 when it is no date, which a
// recipient ignores.
func readDate(text string) int64 {
	for _, form := range dateForms {
		if date, err := time.Parse(form, text); err == nil {
			return max(date.Unix(), 0)
		}
	}
	return 0
}
