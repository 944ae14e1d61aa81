package caplet

// Preconditions are the headers If-Match, If-Unmodified-Since, If-None-Match and If-Modified-Since (RFC 9110,
// section 13) of a route that is Conditional: who has the current version need not read it again, and who has an
// old one cannot overwrite it.
//
// Weigh them last, when nothing but them stands between the request and its success: a request that would fail
// anyway is answered as if it had no conditions.
//
//	return r.Preconditions.Unless(caplet.StrongETag(note.Version), func() (any, error) { return note, nil })
type Preconditions struct {
	ifMatch, ifNoneMatch                 tags
	ifUnmodifiedSinceS, ifModifiedSinceS int64 // 0 when there is none
}

// conditions are the headers, and what each of them asks for.
var conditions = [...][2]string{
	{"if-match", "Go on only with the version of this `ETag`."},
	{"if-none-match", "Go on only with a version other than this."},
	{"if-unmodified-since", "Go on only if it is as old as this."},
	{"if-modified-since", "Read only what is newer than this."},
}

func readPreconditions(headers [][2]string) (found Preconditions, err error) {
	lines := map[string][]string{}
	for _, header := range headers {
		lines[header[0]] = append(lines[header[0]], header[1])
	}
	date := func(name string) int64 {
		first, _ := find(headers, name)
		return readDate(first)
	}
	found.ifUnmodifiedSinceS, found.ifModifiedSinceS = date("if-unmodified-since"), date("if-modified-since")
	if found.ifMatch, err = readTags(lines["if-match"]); err == nil {
		found.ifNoneMatch, err = readTags(lines["if-none-match"])
	}
	return found, err
}

// Unless is for what is read: it answers 304 when the caller has the current version, and otherwise what answer
// makes; both with the tag. The error is 412 when the caller asks for another version than the current one.
func (p Preconditions) Unless(current ETag, answer func() (any, error)) (any, error) {
	if err := p.checkMatch(current); err != nil {
		return nil, err
	}
	if p.has(current) {
		return Response{Status: 304, Headers: current.headers()}, nil
	}
	made, err := answer()
	if err != nil {
		return nil, err
	}
	return Tagged(current, made), nil
}

// Check is for what is changed: the error is 412 when it was changed since it was read, or when it is what it must
// not be.
func (p Preconditions) Check(current ETag) error {
	if err := p.checkMatch(current); err != nil {
		return err
	}
	if p.ifNoneMatch.matchesWeakly(current) {
		return PreconditionFailed("This exists in the version it must not have.")
	}
	return nil
}

// Require is like Check, for what must not be changed blindly: the error is 428 when the request has no If-Match.
func (p Preconditions) Require(current ETag) error {
	if !p.ifMatch.present {
		return NewProblem(428, "precondition-required", "Send `If-Match` with the current `ETag`.")
	}
	return p.Check(current)
}

func (p Preconditions) checkMatch(current ETag) error {
	isSame := p.ifUnmodifiedSinceS == 0 || current.modifiedS == 0 || current.modifiedS <= p.ifUnmodifiedSinceS
	if p.ifMatch.present {
		// A tag is more exact than a date.
		isSame = p.ifMatch.matchesStrongly(current)
	}
	if isSame {
		return nil
	}
	return PreconditionFailed("This was changed since it was read.")
}

// has tells whether the caller has the current version.
func (p Preconditions) has(current ETag) bool {
	if p.ifNoneMatch.present {
		return p.ifNoneMatch.matchesWeakly(current)
	}
	return current.modifiedS > 0 && current.modifiedS <= p.ifModifiedSinceS
}

// Tagged answers with an entity tag, which callers send back as If-Match and If-None-Match.
func Tagged(etag ETag, answer any) Response {
	inner := responseOf(answer)
	headers := inner.Headers
	if inner.Status < 400 {
		headers = append(headers, etag.headers()...)
	}
	return Response{int(inner.Status), headers, inner.Body}
}
