/* What is kept about people: exported and erased for a person who asks. */
#include <caplet.h>

static bool notes_of(
    caplet_text author, const caplet_json *after, uint32_t limit, caplet_json_page *page,
    caplet_error *error) {
    caplet_text id = after == NULL ? caplet_text_of("") : after->text;
    return caplet_sql_query_json(
        "SELECT id, body, pinned AS \"pinned:bool\", created_ms AS \"created_at:time\","
        " id AS \"id:key\" FROM notes WHERE tenant = $tenant AND author = $1 AND id > $2"
        " ORDER BY id LIMIT $3",
        CAPLET_VALUES(caplet_string(author), caplet_string(id), caplet_integer((int64_t)limit + 1)),
        limit,
        page,
        error);
}

/* Some of them: it is called until there are none left. */
static bool delete_notes_of(caplet_text author, uint64_t *count, caplet_error *error) {
    return caplet_sql_execute(
        "DELETE FROM notes WHERE tenant = $tenant AND id IN"
        " (SELECT id FROM notes WHERE tenant = $tenant AND author = $1 LIMIT 500)",
        CAPLET_VALUES(caplet_string(author)),
        count,
        error);
}

static const caplet_holding holdings[] = {{
    .name = "notes",
    .summary = "The notes that the person wrote.",
    .purpose = "To show them to their readers.",
    .retention = "Until their author is erased.",
    .erasure = CAPLET_ERASURE_DELETE,
    .page = notes_of,
    .work = delete_notes_of,
}};

CAPLET_SUBJECT_DATA(holdings)
