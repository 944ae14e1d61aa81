package main

import (
	"caplet"
	"caplet/subjectdata"
)

// Traces of people: what is kept about them, exported and erased.
func init() {
	subjectdata.Serve(
		subjectdata.Holding{
			Name: "notes", Summary: "What the person wrote.",
			Purpose: "To show it.", Retention: "Until it is deleted.",
			Export: pages("notes"),
			Delete: func(person string) (uint64, error) {
				return caplet.Execute(`DELETE FROM traces WHERE tenant = $tenant AND id IN
					(SELECT id FROM traces WHERE tenant = $tenant AND person = $1
					 AND holding = 'notes' LIMIT 500)`, person)
			},
		},
		subjectdata.Holding{
			Name: "votes", Summary: "What the person voted for.",
			Purpose: "To count it.", Retention: "As long as the poll.",
			Export: pages("votes"),
			Anonymise: func(person string) (uint64, error) {
				return caplet.Execute(`UPDATE traces SET person = ''
					WHERE tenant = $tenant AND person = $1 AND holding = 'votes'`, person)
			},
		},
		subjectdata.Holding{
			Name: "bills", Summary: "What the person paid.",
			Purpose: "To account for it.", Retention: "Ten years.",
			Export: pages("bills"),
			Keep:   "The law asks for it.",
			Count: func(person string) (uint64, error) {
				row, err := caplet.QueryRow(`SELECT count(*) FROM traces
					WHERE tenant = $tenant AND person = $1 AND holding = 'bills'`, person)
				if err != nil {
					return 0, err
				}
				return uint64(row[0].(int64)), nil
			},
		},
	)
}

// pages reads a holding. The pages of one person fail, by a mistake of the author.
func pages(holding string) func(string, []any, int) (caplet.JSONPage, error) {
	return func(person string, after []any, limit int) (caplet.JSONPage, error) {
		table := "traces"
		if person == "broken" {
			table = "nobodys_traces"
		}
		if after == nil {
			after = []any{0}
		}
		return caplet.QueryJSON(limit, `SELECT word, id AS "id:key" FROM `+table+` WHERE tenant = $tenant
			AND person = $1 AND holding = $2 AND id > $3 ORDER BY id LIMIT $4`,
			person, holding, after[0], limit+1)
	}
}
