package caplet

import (
	"bytes"
	"encoding/json"
	"errors"
	"io"
	"unicode/utf8"
)

// parseJSON reads one JSON value, with its numbers as they are written. Package encoding/json takes what is not
// UTF-8 and halves of characters for U+FFFD; here they are mistakes.
func parseJSON(text []byte) (any, error) {
	if !utf8.Valid(text) {
		return nil, errors.New("it is not UTF-8")
	}
	decoder := json.NewDecoder(bytes.NewReader(text))
	decoder.UseNumber()
	var value any
	if err := decoder.Decode(&value); err != nil {
		return nil, err
	}
	if _, err := decoder.Token(); err != io.EOF {
		return nil, errors.New("there is more behind it")
	}
	if hasLoneSurrogate(text) {
		return nil, errors.New("an escape is half of a character")
	}
	return value, nil
}

// hasLoneSurrogate looks through the escapes of valid JSON.
func hasLoneSurrogate(text []byte) bool {
	high := false
	for at := 0; at < len(text); at++ {
		unit := -1
		if text[at] == '\\' {
			if text[at+1] == 'u' {
				unit = hexadecimal(text[at+2 : at+6])
				at += 4
			}
			at++
		}
		isLow := unit >= 0xdc00 && unit < 0xe000
		if high != isLow {
			return true
		}
		high = unit >= 0xd800 && unit < 0xdc00
	}
	return high
}

func hexadecimal(digits []byte) (value int) {
	for _, digit := range digits {
		switch {
		case digit >= 'a':
			digit -= 'a' - 10
		case digit >= 'A':
			digit -= 'A' - 10
		default:
			digit -= '0'
		}
		value = value<<4 | int(digit)
	}
	return value
}
