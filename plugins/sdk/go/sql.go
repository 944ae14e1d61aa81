package caplet

import (
	"encoding/json"
	"fmt"

	"caplet/abi"
)

// SQLError is why a statement failed. Its text is for authors and logs. A handler that returns it answers 409
// for "unique" and "foreign-key", 503 for "timeout" and "unavailable", 507 for "disk-full" and 500 for the
// rest.
type SQLError struct {
	// Kind is "denied", "invalid", "unique", "foreign-key", "check", "not-null", "read-only", "too-large",
	// "timeout", "disk-full" or "unavailable".
	Kind string
	text string
}

func (e *SQLError) Error() string { return e.Kind + ": " + e.text }

var kinds = [...]string{
	"denied", "invalid", "unique", "foreign-key", "check", "not-null", "read-only", "too-large", "timeout",
	"disk-full", "unavailable",
}

func failed(err *abi.Error) error {
	if err == nil {
		return nil
	}
	return &SQLError{kinds[err.Kind], err.Text}
}

// Rows are what a statement returned. Values are nil, int64, float64, string and []byte.
type Rows struct {
	Columns []string
	Values  [][]any
}

// Query runs one statement and returns its rows, at most 1 000. Parameters are written $1, $2, … and bound by
// number; $tenant is bound by the host. They are nil, bool (written as 1 and 0), integers, float64, string and
// []byte.
func Query(statement string, parameters ...any) (Rows, error) {
	columns, values, err := abi.Query(statement, lower(parameters))
	rows := Rows{Columns: columns}
	for at := 0; at < len(values); at += len(columns) {
		rows.Values = append(rows.Values, values[at:at+len(columns)])
	}
	return rows, failed(err)
}

// QueryRow runs a statement that returns at most one row; nil when there is none.
func QueryRow(statement string, parameters ...any) ([]any, error) {
	rows, err := Query(statement, parameters...)
	if err != nil || len(rows.Values) == 0 {
		return nil, err
	}
	if len(rows.Values) > 1 {
		return nil, &SQLError{"invalid", "more than one row where at most one was expected"}
	}
	return rows.Values[0], nil
}

// JSONPage is a page of rows as JSON.
type JSONPage struct {
	// Items is a JSON array of objects.
	Items json.RawMessage
	Count int
	// More tells whether there were rows beyond the limit.
	More bool
	// Last has the :key columns of the last row.
	Last []any
}

// QueryJSON runs a SELECT and returns the first limit rows as JSON, without passing single values to Go: the
// fast way to a Listing. Names of columns may end in :bool, :time, :json and :key.
func QueryJSON(limit int, statement string, parameters ...any) (JSONPage, error) {
	page, err := abi.QueryJSON(statement, lower(parameters), uint32(limit))
	return JSONPage{page.Items, int(page.Count), page.More, page.Last}, failed(err)
}

// QueryJSONRow runs a SELECT of at most one row and returns it as a JSON object; nil when there is none.
func QueryJSONRow(statement string, parameters ...any) (json.RawMessage, error) {
	page, err := QueryJSON(1, statement, parameters...)
	if err != nil || page.Count != 1 {
		return nil, err
	}
	return page.Items[1 : len(page.Items)-1], nil
}

// Execute runs a statement and returns how many rows it inserted, changed or deleted.
func Execute(statement string, parameters ...any) (uint64, error) {
	changed, err := abi.Execute(statement, lower(parameters))
	return changed, failed(err)
}

func lower(parameters []any) []any {
	values := make([]any, len(parameters))
	for at, parameter := range parameters {
		switch value := parameter.(type) {
		case nil, int64, float64, string, []byte:
			values[at] = value
		case bool:
			values[at] = int64(0)
			if value {
				values[at] = int64(1)
			}
		case int:
			values[at] = int64(value)
		case int32:
			values[at] = int64(value)
		case uint32:
			values[at] = int64(value)
		default:
			panic(fmt.Sprintf("a parameter of SQL cannot be of type %T", parameter))
		}
	}
	return values
}
