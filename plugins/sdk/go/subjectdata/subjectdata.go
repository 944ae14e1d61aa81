// Package subjectdata is for plugins that answer for the personal data they keep: what it is, for those who
// answer for it, and a copy or the erasure of it, for a person who asks. Paging, cursors and steps are done here.
//
// A plugin that imports this package exports the contract's interface subject-data, and so has to Serve its
// holdings, from an init function; one that does not is named in the operator's report as one that has to be
// looked at by hand. The full contract is wit/subject-data.wit.
//
//	func init() {
//		subjectdata.Serve(subjectdata.Holding{
//			Name: "notes", Summary: "The notes that the person wrote.",
//			Purpose: "To show them to their author.", Retention: "Until the author deletes them.",
//			Export: notesOf, Delete: deleteNotesOf,
//		})
//	}
//
//	func notesOf(person string, after []any, limit int) (caplet.JSONPage, error) {
//		if after == nil {
//			after = []any{""}
//		}
//		return caplet.QueryJSON(limit, `SELECT id, body, id AS "id:key" FROM notes
//			WHERE tenant = $tenant AND author = $1 AND id > $2 ORDER BY id LIMIT $3`,
//			person, after[0], limit+1)
//	}
//
//	func deleteNotesOf(person string) (uint64, error) {
//		return caplet.Execute(`DELETE FROM notes WHERE tenant = $tenant AND id IN
//			(SELECT id FROM notes WHERE tenant = $tenant AND author = $1 LIMIT 500)`, person)
//	}
package subjectdata

import (
	"errors"
	"fmt"
	"runtime/debug"
	"strings"

	"caplet"
	"caplet/abi"
)

const (
	pageRecordsMax = 500
	pageBytesMax   = 1 << 20
)

// Holding is one kind of personal data, and how it is exported and erased. It has exactly one of Delete,
// Anonymise and Keep.
type Holding struct {
	// Name is 1 to 80 characters of a-z, 0-9 and -, unique in the plugin.
	Name string
	// Summary says what is kept, Purpose what for, and Retention how long.
	Summary, Purpose, Retention string
	// Export returns a page of a person's records, at most limit, which come after those :key columns; nil on the
	// first page. As for a list, its statement asks for one row more than the limit.
	Export func(person string, after []any, limit int) (caplet.JSONPage, error)
	// Delete deletes some records of a person, as many as fit an invocation, and returns how many; it is called
	// until it returns 0.
	Delete func(person string) (uint64, error)
	// Anonymise takes away whatever tells whose some records were; it is called until it returns 0.
	Anonymise func(person string) (uint64, error)
	// Keep is why the records stay, such as the law that asks for it, and Count says how many they are.
	Keep  string
	Count func(person string) (uint64, error)
}

// Serve makes the holdings those of this component; without any, it says that it keeps nothing about people. They
// are exported and erased in their order. It is called once, from an init function.
func Serve(holdings ...Holding) {
	for _, holding := range holdings {
		if holding.erasures() != 1 {
			panic("the holding `" + holding.Name + "` needs exactly one of Delete, Anonymise and Keep")
		}
	}
	all := served(holdings)
	abi.Holdings = all.describe
	abi.ExportSubject = all.export
	abi.EraseSubject = all.erase
}

func (h Holding) erasures() (count int) {
	for _, has := range [...]bool{h.Delete != nil, h.Anonymise != nil, h.Keep != "" && h.Count != nil} {
		if has {
			count++
		}
	}
	return count
}

type served []Holding

func (s served) describe() []abi.Holding {
	described := make([]abi.Holding, len(s))
	for at, holding := range s {
		erasure := uint8(abi.Delete)
		if holding.Anonymise != nil {
			erasure = abi.Anonymise
		} else if holding.Keep != "" {
			erasure = abi.Keep
		}
		described[at] = abi.Holding{
			Name: holding.Name, Summary: holding.Summary, Purpose: holding.Purpose,
			Retention: holding.Retention, Erasure: erasure, Reason: holding.Keep,
		}
	}
	return described
}

func (s served) export(person, cursor string) (page abi.SubjectPage, failed *abi.Refusal) {
	defer recovered(&failed)
	place, after, fits := s.place(cursor)
	if !fits {
		return page, &abi.Refusal{IsCursor: true}
	}
	holding := s[place]
	found, err := holding.page(person, after)
	if err != nil {
		return page, told(err)
	}
	page = abi.SubjectPage{Holding: holding.Name, Items: found.Items}
	if found.More {
		page.Next = holding.Name + "/" + caplet.EncodeCursor(holding.Name, found.Last)
	} else if place+1 < len(s) {
		page.Next = s[place+1].Name + "/"
	}
	return page, nil
}

// place returns the holding that a cursor leads to, and the keys that it has.
func (s served) place(cursor string) (place int, after []any, fits bool) {
	if cursor == "" {
		return 0, nil, len(s) > 0
	}
	name, inner, _ := strings.Cut(cursor, "/")
	for at, holding := range s {
		if holding.Name == name && strings.Contains(cursor, "/") {
			if inner == "" {
				return at, nil, true
			}
			after, err := caplet.DecodeCursor(name, inner)
			return at, after, err == nil
		}
	}
	return 0, nil, false
}

// page reads fewer rows where they would be larger than a page together. One row is read whatever its size.
func (h Holding) page(person string, after []any) (caplet.JSONPage, error) {
	if h.Export == nil {
		return caplet.JSONPage{Items: []byte("[]")}, nil
	}
	for limit := pageRecordsMax; ; limit /= 2 {
		found, err := h.Export(person, after, limit)
		var statement *caplet.SQLError
		isTooLarge := errors.As(err, &statement) && statement.Kind == "too-large"
		if limit == 1 || err == nil && len(found.Items) <= pageBytesMax || err != nil && !isTooLarge {
			return found, err
		}
	}
}

// erase erases a part of what is kept about a person: of the first holding that has something left.
func (s served) erase(person string) (step abi.Step, failed *abi.Refusal) {
	defer recovered(&failed)
	for _, holding := range s {
		erased := abi.Erased{Holding: holding.Name}
		work, count := holding.Delete, &erased.Deleted
		if holding.Anonymise != nil {
			work, count = holding.Anonymise, &erased.Anonymised
		}
		if err := counted(work, person, count); err != nil {
			return step, told(err)
		}
		if *count > 0 {
			return abi.Step{Holdings: []abi.Erased{erased}, More: true}, nil
		}
	}
	for _, holding := range s {
		erased := abi.Erased{Holding: holding.Name}
		if err := counted(holding.Count, person, &erased.Kept); err != nil {
			return step, told(err)
		}
		step.Holdings = append(step.Holdings, erased)
	}
	return step, nil
}

func counted(work func(string) (uint64, error), person string, count *uint64) (err error) {
	if work != nil {
		*count, err = work(person)
	}
	return err
}

// told is what the host is told of an error. The log has more.
func told(err error) *abi.Refusal {
	problem := caplet.ProblemOf(err)
	caplet.LogWarn("the work for a data subject failed", "code", problem.Code)
	return &abi.Refusal{Reason: fmt.Sprintf("%s (%d)", problem.Code, problem.Status)}
}

func recovered(failed **abi.Refusal) {
	if panicked := recover(); panicked != nil {
		caplet.LogError(fmt.Sprint("panic: ", panicked), "stack", string(debug.Stack()))
		*failed = &abi.Refusal{Reason: "internal (500)"}
	}
}
