/* {{title}}: short texts, newest first. */
#include <caplet.h>

/* The database writes the rows as JSON; `:bool`, `:time` and `:key` say how. */
#define COLUMNS                                                                                   \
    "SELECT id, author, body, pinned AS \"pinned:bool\", created_ms AS \"created_at:time\","       \
    " id AS \"id:key\" FROM notes WHERE tenant = $tenant"

static caplet_answer load(caplet_text id, uint16_t status) {
    caplet_json_page found;
    caplet_error error;
    if (!caplet_sql_query_json(
            COLUMNS " AND id = $1", CAPLET_VALUES(caplet_string(id)), 1, &found, &error)) {
        return caplet_failed(&error);
    }
    if (found.count == 0) {
        return caplet_not_found("There is no such note.");
    }
    return caplet_answer_json(status, caplet_only_item(&found));
}

static caplet_text with_number(const char *before, int64_t number, const char *after) {
    caplet_writer text = {0};
    caplet_put_string(&text, before);
    caplet_put_integer(&text, number);
    caplet_put_string(&text, after);
    return caplet_written(&text);
}

static caplet_answer write_note(const caplet_request *request) {
    caplet_text id = caplet_random_id(), body = caplet_member_text(request->json, "body", id);
    int64_t max = caplet_member_integer(caplet_settings(), "body_characters_max", 500);
    if (caplet_text_characters(body) > (size_t)max) {
        return caplet_unprocessable("/body", with_number("has more than ", max, " characters"));
    }
    caplet_caller caller;
    if (!caplet_current_caller(&caller)) {
        return caplet_problem(401, "token-missing", "This needs a bearer token.");
    }
    uint64_t changed;
    caplet_error error;
    if (!caplet_sql_execute(
            "INSERT INTO notes (tenant, id, author, body, created_ms)"
            " VALUES ($tenant, $1, $2, $3, $4)",
            CAPLET_VALUES(
                caplet_string(id), caplet_string(caller.subject), caplet_string(body),
                caplet_integer(caplet_now_ms())),
            &changed,
            &error)) {
        return caplet_failed(&error);
    }
    const caplet_pair fields[] = {{caplet_text_of("id"), id}};
    caplet_log(CAPLET_INFO, caplet_text_of("a note was written"), (caplet_pairs){fields, 1});
    caplet_writer location = {0};
    caplet_put_string(&location, "/api/{{name}}/");
    caplet_put(&location, id);
    return caplet_with_header(load(id, 201), "location", caplet_written(&location));
}

static caplet_answer list_notes(const caplet_request *request) {
    caplet_json_page found;
    caplet_error error;
    caplet_value limit = caplet_integer(request->limit + 1);
    bool succeeded = request->after == NULL
        ? caplet_sql_query_json(
              COLUMNS " ORDER BY id DESC LIMIT $1",
              CAPLET_VALUES(limit),
              (uint32_t)request->limit,
              &found,
              &error)
        : caplet_sql_query_json(
              COLUMNS " AND id < $2 ORDER BY id DESC LIMIT $1",
              CAPLET_VALUES(limit, caplet_string(request->after->text)),
              (uint32_t)request->limit,
              &found,
              &error);
    return succeeded ? caplet_answer_page(&found, "new") : caplet_failed(&error);
}

static caplet_answer read_note(const caplet_request *request) {
    return load(caplet_path(request, "id"), 200);
}

static caplet_answer pin_note(const caplet_request *request) {
    uint64_t changed;
    caplet_error error;
    if (!caplet_sql_execute(
            "UPDATE notes SET pinned = 1 WHERE tenant = $tenant AND id = $1",
            CAPLET_VALUES(caplet_string(caplet_path(request, "id"))),
            &changed,
            &error)) {
        return caplet_failed(&error);
    }
    return changed == 0 ? caplet_not_found("There is no such note.") : caplet_answer_empty(204);
}

static const caplet_shape note_members[] = {
    {.name = "id", .type = CAPLET_TEXT},
    {.name = "author", .type = CAPLET_TEXT},
    {.name = "body", .type = CAPLET_TEXT},
    {.name = "pinned", .type = CAPLET_BOOL},
    {.name = "created_at", .type = CAPLET_TEXT},
    {0},
};
static const caplet_shape note = {.type = CAPLET_OBJECT, .members = note_members};

static const caplet_shape new_note_members[] = {
    {.name = "body", .type = CAPLET_TEXT, .description = "The text.",
     .length_min = 1, .length_max = 500},
    {0},
};
static const caplet_shape new_note = {.type = CAPLET_OBJECT, .members = new_note_members};

/* What an operator can set. */
static const caplet_shape settings[] = {
    {.name = "body_characters_max", .type = CAPLET_INTEGER, .optional = true,
     .description = "The most characters of a note.", .otherwise = "500", .min = 1, .max = 500},
    {0},
};

static const caplet_route routes[] = {
    {.operation = "write", .method = "POST", .pattern = "/", .handler = write_note,
     .summary = "Write a note", .body = &new_note, .answer = &note, .answer_status = 201},
    {.operation = "list", .method = "GET", .pattern = "/", .handler = list_notes,
     .summary = "List the notes", .access = CAPLET_PUBLIC, .pages = true, .order = "new",
     .answer = &note},
    {.operation = "read", .method = "GET", .pattern = "/{id}", .handler = read_note,
     .summary = "Read a note", .access = CAPLET_PUBLIC, .answer = &note},
    {.operation = "pin", .method = "PUT", .pattern = "/{id}/pin", .handler = pin_note,
     .summary = "Pin a note", .permission = "{{name}}.pin", .answer_status = 204},
};

static const char create_notes[] = {
#embed "../migrations/0001_create_notes.sql"
    , 0};

static const caplet_migration migrations[] = {
    {.number = 1, .name = "create notes", .sql = create_notes},
};

static const caplet_permission permissions[] = {{"{{name}}.pin", "Pin notes of anybody."}};

const caplet_plugin caplet_this_plugin = {
    .name = "{{name}}",
    .version = "0.1.0",
    .title = "{{title}}",
    .summary = "Short texts, newest first.",
    .routes = routes,
    .n_routes = sizeof routes / sizeof *routes,
    .migrations = migrations,
    .n_migrations = 1,
    .permissions = permissions,
    .n_permissions = 1,
    .settings = settings,
};
