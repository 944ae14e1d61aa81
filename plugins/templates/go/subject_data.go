package main

import (
	"caplet"
	"caplet/subjectdata"
)

// What is kept about people: exported and erased for a person who asks.
func init() {
	subjectdata.Serve(subjectdata.Holding{
		Name:      "notes",
		Summary:   "The notes that the person wrote.",
		Purpose:   "To show them to their readers.",
		Retention: "Until their author is erased.",
		Export:    notesOf,
		Delete:    deleteNotesOf,
	})
}

func notesOf(author string, after []any, limit int) (caplet.JSONPage, error) {
	place := ""
	if after != nil {
		place = " AND id > $3"
	}
	statement := `SELECT id, body, pinned AS "pinned:bool", created_ms AS "created_at:time", id AS "id:key"
		FROM notes WHERE tenant = $tenant AND author = $1` + place + " ORDER BY id LIMIT $2"
	return caplet.QueryJSON(limit, statement, append([]any{author, limit + 1}, after...)...)
}

// deleteNotesOf deletes some of them: it is called until there are none left.
func deleteNotesOf(author string) (uint64, error) {
	return caplet.Execute(`DELETE FROM notes WHERE tenant = $tenant AND id IN
		(SELECT id FROM notes WHERE tenant = $tenant AND author = $1 LIMIT 500)`, author)
}
