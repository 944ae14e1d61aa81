// {{title}}: short texts, newest first.
package main

import (
	_ "embed"
	"fmt"
	"unicode/utf8"

	"caplet"
)

//go:embed migrations/0001_create_notes.sql
var createNotes string

// Note is a note, as callers see it: what the columns below are written as.
type Note struct {
	ID        string `json:"id"`
	Author    string `json:"author"`
	Body      string `json:"body"`
	Pinned    bool   `json:"pinned"`
	CreatedAt string `json:"created_at"`
}

// NewNote is a new note.
type NewNote struct {
	Body string `json:"body" min:"1" max:"500" doc:"The text."`
}

// Settings are what an operator can set.
type Settings struct {
	BodyCharactersMax int `json:"body_characters_max" min:"1" max:"500" doc:"The most characters of a note."`
}

// The database writes the rows as JSON; :bool, :time and :key say how.
const columns = `SELECT id, author, body, pinned AS "pinned:bool",
	created_ms AS "created_at:time", id AS "id:key" FROM notes WHERE tenant = $tenant`

func init() {
	plugin := caplet.New("{{name}}", "0.1.0")
	plugin.Title, plugin.Summary = "{{title}}", "Short texts, newest first."
	plugin.Settings(Settings{BodyCharactersMax: 500})
	plugin.Permission("{{name}}.pin", "Pin notes of anybody.")
	plugin.Migration(1, "create notes", createNotes)
	plugin.Post("/", "write", write).Summary("Write a note").Body(NewNote{}).Answers(201, Note{})
	plugin.Get("/", "list", list).Summary("List the notes").Public().Pages().Answers(200, Note{})
	plugin.Get("/{id}", "read", read).Summary("Read a note").Public().Answers(200, Note{})
	plugin.Put("/{id}/pin", "pin", pin).Summary("Pin a note").Permission("{{name}}.pin").Answers(204, nil)
	caplet.Serve(plugin)
}

func main() {}

func write(r *caplet.Request) (any, error) {
	caller, body := caplet.CurrentCaller(), caplet.BodyOf[NewNote](r).Body
	if caller == nil {
		return nil, caplet.Unauthorized()
	}
	most := caplet.CurrentSettings[Settings]().BodyCharactersMax
	if utf8.RuneCountInString(body) > most {
		detail := fmt.Sprintf("has more than %d characters", most)
		return nil, caplet.Unprocessable(caplet.Fault{Pointer: "/body", Detail: detail})
	}
	id := caplet.RandomID()
	_, err := caplet.Execute(`INSERT INTO notes (tenant, id, author, body, created_ms)
		VALUES ($tenant, $1, $2, $3, $4)`, id, caller.Subject, body, caplet.NowMs())
	if err != nil {
		return nil, err
	}
	caplet.LogInfo("a note was written", "id", id)
	note, err := load(id)
	return caplet.Created("/api/{{name}}/"+id, note), err
}

func list(r *caplet.Request) (any, error) {
	after, err := r.Page.After("new")
	if err != nil {
		return nil, err
	}
	place := ""
	if after != nil {
		place = " AND id < $2"
	}
	statement := columns + place + " ORDER BY id DESC LIMIT $1"
	parameters := append([]any{r.Page.Limit + 1}, after...)
	found, err := caplet.QueryJSON(r.Page.Limit, statement, parameters...)
	return caplet.Listing("new", found), err
}

func read(r *caplet.Request) (any, error) {
	return load(r.Path("id"))
}

func pin(r *caplet.Request) (any, error) {
	statement := "UPDATE notes SET pinned = 1 WHERE tenant = $tenant AND id = $1"
	changed, err := caplet.Execute(statement, r.Path("id"))
	if err == nil && changed == 0 {
		err = caplet.NotFound("There is no such note.")
	}
	return nil, err
}

func load(id string) (any, error) {
	note, err := caplet.QueryJSONRow(columns+" AND id = $1", id)
	if err == nil && note == nil {
		err = caplet.NotFound("There is no such note.")
	}
	return note, err
}
