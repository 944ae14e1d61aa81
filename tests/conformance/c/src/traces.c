/* Traces of people: what is kept about them, exported and erased. */
#include <caplet.h>

#define COLUMNS "SELECT word, id AS \"id:key\" FROM "
#define OF_PERSON                                                                                  \
    " WHERE tenant = $tenant AND person = $1 AND holding = $2 AND id > $3 ORDER BY id LIMIT $4"

/* A page of a holding. That of one person fails, by a mistake of the author. */
static bool read_page(
    const char *holding, caplet_text person, const caplet_json *after, uint32_t limit,
    caplet_json_page *page, caplet_error *error) {
    bool is_broken = caplet_text_equal(person, caplet_text_of("broken"));
    return caplet_sql_query_json(
        is_broken ? COLUMNS "nobodys_traces" OF_PERSON : COLUMNS "traces" OF_PERSON,
        CAPLET_VALUES(
            caplet_string(person), caplet_string(caplet_text_of(holding)),
            caplet_integer(after == NULL ? 0 : after->integer), caplet_integer(limit + 1)),
        limit,
        page,
        error);
}

#define PAGES(function, holding)                                                                   \
    static bool function(                                                                          \
        caplet_text person, const caplet_json *after, uint32_t limit, caplet_json_page *page,      \
        caplet_error *error) {                                                                     \
        return read_page(holding, person, after, limit, page, error);                              \
    }

PAGES(notes_of, "notes")
PAGES(votes_of, "votes")
PAGES(bills_of, "bills")

static bool delete_notes_of(caplet_text person, uint64_t *count, caplet_error *error) {
    return caplet_sql_execute(
        "DELETE FROM traces WHERE tenant = $tenant AND id IN"
        " (SELECT id FROM traces WHERE tenant = $tenant AND person = $1"
        "  AND holding = 'notes' LIMIT 500)",
        CAPLET_VALUES(caplet_string(person)),
        count,
        error);
}

static bool forget_voter(caplet_text person, uint64_t *count, caplet_error *error) {
    return caplet_sql_execute(
        "UPDATE traces SET person = '' WHERE tenant = $tenant AND person = $1 AND holding = 'votes'",
        CAPLET_VALUES(caplet_string(person)),
        count,
        error);
}

static bool count_bills_of(caplet_text person, uint64_t *count, caplet_error *error) {
    caplet_rows rows;
    bool is_read = caplet_sql_query(
        "SELECT count(*) FROM traces WHERE tenant = $tenant AND person = $1 AND holding = 'bills'",
        CAPLET_VALUES(caplet_string(person)),
        &rows,
        error);
    *count = is_read ? (uint64_t)rows.values[0].as.integer : 0;
    return is_read;
}

static const caplet_holding holdings[] = {
    {.name = "notes", .summary = "What the person wrote.", .purpose = "To show it.",
     .retention = "Until it is deleted.", .page = notes_of, .work = delete_notes_of},
    {.name = "votes", .summary = "What the person voted for.", .purpose = "To count it.",
     .retention = "As long as the poll.", .erasure = CAPLET_ERASURE_ANONYMISE, .page = votes_of,
     .work = forget_voter},
    {.name = "bills", .summary = "What the person paid.", .purpose = "To account for it.",
     .retention = "Ten years.", .erasure = CAPLET_ERASURE_KEEP, .reason = "The law asks for it.",
     .page = bills_of, .work = count_bills_of},
};

CAPLET_SUBJECT_DATA(holdings)
