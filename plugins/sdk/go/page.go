package caplet

import (
	"encoding/base64"
	"encoding/json"
	"strconv"
)

const (
	limitDefault   = 25
	limitMax       = 100
	cursorMaxBytes = 1024
	// cursorVersion is raised when the form of a cursor changes, so that old ones are refused.
	cursorVersion = 1
)

// Page is which part of a list is asked for.
type Page struct {
	// Limit is how many items to answer at most, 1 to 100.
	Limit  int
	cursor string
}

func readPage(query [][2]string) (Page, error) {
	text, limits := find(query, "limit")
	cursor, cursors := find(query, "cursor")
	limit := limitDefault
	var err error
	if limits > 0 {
		limit, err = strconv.Atoi(text)
	}
	if err != nil || limit < 1 || limit > limitMax || limits > 1 || cursors > 1 {
		detail := "The query parameter `limit` must be a whole number from 1 to 100."
		return Page{}, BadRequest(detail).WithCode("bad-query")
	}
	return Page{limit, cursor}, nil
}

// After returns the keys of the last item of the page before; none for the first page. order names the list's
// order: a cursor made for another one is answered 400. Keys are int64, float64 and string.
func (p Page) After(order string) ([]any, error) {
	if p.cursor == "" {
		return nil, nil
	}
	return DecodeCursor(order, p.cursor)
}

// EncodeCursor makes a cursor from the :key columns of a page's last item; order names the list's order.
func EncodeCursor(order string, keys []any) string {
	return base64.RawURLEncoding.EncodeToString(mustJSON([]any{cursorVersion, order, keys}))
}

// DecodeCursor reads the keys back; a Problem of status 400 when it is not a cursor of this order.
func DecodeCursor(order, cursor string) ([]any, error) {
	if keys := decodeCursor(order, cursor); keys != nil {
		return keys, nil
	}
	return nil, BadRequest("The cursor was not made for this list.").WithCode("bad-cursor")
}

func decodeCursor(order, cursor string) []any {
	text, err := base64.RawURLEncoding.DecodeString(cursor)
	if err != nil || len(cursor) > cursorMaxBytes {
		return nil
	}
	value, err := parseJSON(text)
	parts, is := value.([]any)
	if err != nil || !is || len(parts) != 3 || parts[0] != json.Number("1") || parts[1] != order {
		return nil
	}
	keys, _ := parts[2].([]any)
	for at, key := range keys {
		if number, is := key.(json.Number); is {
			keys[at] = plain(number)
		}
	}
	return keys
}

func plain(number json.Number) any {
	if whole, err := number.Int64(); err == nil {
		return whole
	}
	real, _ := number.Float64()
	return real
}

// Listing answers a page of rows from QueryJSON: {"items": […], "next_cursor": …}. Their :key columns become
// the cursor; order is the name that Page.After will be asked with.
func Listing(order string, page JSONPage) Response {
	cursor := []byte("null")
	if page.More {
		cursor = mustJSON(EncodeCursor(order, page.Last))
	}
	body := append([]byte(`{"items":`), page.Items...)
	body = append(append(append(body, `,"next_cursor":`...), cursor...), '}')
	return JSON(body)
}
