/* What a plugin keeps about people: pages, cursors and steps over its table of holdings, in the layouts
 * of the contract's interface `subject-data`. The exports themselves are in the plugin, which has them
 * by `CAPLET_SUBJECT_DATA`. */
#include <string.h>

#include "internal.h"

/* Records and bytes of one page. */
#define PAGE_RECORDS_MAX 500
#define PAGE_BYTES_MAX (1u << 20)

typedef struct holding_record {
    caplet_text name, summary, purpose, retention;
    uint8_t erasure;
    caplet_text reason;
} holding_record;

typedef struct described {
    holding_record *data;
    size_t count;
} described;

typedef struct refusal {
    uint8_t kind; /* 0: the cursor is none of ours; 1: `reason` */
    caplet_text reason;
} refusal;

typedef struct exported {
    uint8_t is_refused;
    union {
        refusal refusal;
        struct {
            caplet_text holding, items;
            uint8_t has_next;
            caplet_text next;
        } page;
    } as;
} exported;

typedef struct erased_record {
    caplet_text holding;
    uint64_t deleted, anonymised, kept;
} erased_record;

typedef struct erased {
    uint8_t is_refused;
    union {
        refusal refusal;
        struct {
            erased_record *data;
            size_t count;
            uint8_t more;
        } step;
    } as;
} erased;

_Static_assert(sizeof(holding_record) == 44, "as the contract lays it out");
_Static_assert(sizeof(exported) == 32 && sizeof(erased) == 16, "as the contract lays them out");
_Static_assert(sizeof(erased_record) == 32, "as the contract lays it out");

void *caplet_internal_describe_subject_data(caplet_holdings holdings) {
    described *result = caplet_allocate(sizeof *result);
    *result = (described){caplet_allocate(holdings.count * sizeof *result->data), holdings.count};
    for (size_t at = 0; at < holdings.count; at++) {
        const caplet_holding *holding = &holdings.data[at];
        if (holding->work == NULL) {
            /* A person must not be told that something was erased that was not. */
            caplet_fail("a holding has no `work`");
        }
        result->data[at] = (holding_record){
            .name = caplet_text_of(holding->name),
            .summary = caplet_text_of(holding->summary),
            .purpose = caplet_text_of(holding->purpose),
            .retention = caplet_text_of(holding->retention),
            .erasure = (uint8_t)holding->erasure,
            .reason = caplet_text_of(holding->reason),
        };
    }
    return result;
}

/* What the host is told of a statement that failed: what a caller would be, in short. */
static refusal refusal_of(const caplet_error *error) {
    caplet_answer answer = caplet_failed(error);
    const char *reason;
    const caplet_json *problem = caplet_json_read(answer.body, &reason);
    caplet_writer text = {0};
    caplet_put(&text, caplet_member_text(problem, "code", caplet_text_of("")));
    caplet_put_string(&text, " (");
    caplet_put_integer(&text, answer.status);
    caplet_put_string(&text, ")");
    return (refusal){1, caplet_written(&text)};
}

/* The holding that a cursor leads to, and the keys that it has. */
static bool find_place(
    caplet_holdings holdings, caplet_text cursor, size_t *place, const caplet_json **after) {
    const char *slash = cursor.length_bytes == 0 ? NULL : memchr(cursor.data, '/', cursor.length_bytes);
    if (slash == NULL) {
        return false;
    }
    caplet_text name = {cursor.data, (size_t)(slash - cursor.data)};
    caplet_text inner = {slash + 1, cursor.length_bytes - name.length_bytes - 1};
    for (*place = 0; *place < holdings.count; ++*place) {
        if (caplet_internal_is(name, holdings.data[*place].name)) {
            bool has_keys = inner.length_bytes > 0;
            *after = has_keys ? caplet_internal_cursor(inner, holdings.data[*place].name) : NULL;
            return !has_keys || *after != NULL;
        }
    }
    return false;
}

/* Reads fewer rows where they would be larger than a page together. One row is read whatever its size. */
static bool read_page(
    const caplet_holding *holding, caplet_text person, const caplet_json *after,
    caplet_json_page *page, caplet_error *error) {
    *page = (caplet_json_page){.items = caplet_text_of("[]")};
    if (holding->page == NULL) {
        return true;
    }
    for (uint32_t limit = PAGE_RECORDS_MAX;; limit /= 2) {
        bool is_read = holding->page(person, after, limit, page, error);
        bool is_too_large = is_read ? page->items.length_bytes > PAGE_BYTES_MAX
                                    : error->kind == CAPLET_ERROR_TOO_LARGE;
        if (!is_too_large || limit == 1) {
            return is_read;
        }
    }
}

void *caplet_internal_export_subject(
    caplet_holdings holdings, caplet_text person, const caplet_text *cursor) {
    exported *result = caplet_allocate(sizeof *result);
    memset(result, 0, sizeof *result);
    const caplet_json *after = NULL;
    caplet_json_page page;
    caplet_error error;
    size_t place = 0;
    bool fits = cursor == NULL ? holdings.count > 0 : find_place(holdings, *cursor, &place, &after);
    if (!fits) {
        result->is_refused = 1;
        return result;
    }
    const caplet_holding *holding = &holdings.data[place];
    if (!read_page(holding, person, after, &page, &error)) {
        result->is_refused = 1;
        result->as.refusal = refusal_of(&error);
        return result;
    }
    result->as.page.holding = caplet_text_of(holding->name);
    result->as.page.items = page.items;
    result->as.page.has_next = page.more || place + 1 < holdings.count;
    if (page.more) {
        caplet_text keys = caplet_internal_cursor_of(page.last, holding->name);
        caplet_text begin = caplet_internal_join(holding->name, caplet_text_of("/"), "");
        caplet_writer next = {0};
        caplet_put(&next, begin);
        caplet_put(&next, keys);
        result->as.page.next = caplet_written(&next);
    } else if (place + 1 < holdings.count) {
        result->as.page.next =
            caplet_internal_join(holdings.data[place + 1].name, caplet_text_of("/"), "");
    }
    return result;
}

/* Does the work of a holding, and notes what came of it. */
static bool work(
    const caplet_holding *holding, caplet_text person, erased_record *record, caplet_error *error) {
    uint64_t count = 0;
    *record = (erased_record){.holding = caplet_text_of(holding->name)};
    if (!holding->work(person, &count, error)) {
        return false;
    }
    switch (holding->erasure) {
        case CAPLET_ERASURE_DELETE: record->deleted = count; break;
        case CAPLET_ERASURE_ANONYMISE: record->anonymised = count; break;
        case CAPLET_ERASURE_KEEP: record->kept = count; break;
    }
    return true;
}

/* Erases a part of what is kept about a person: of the first holding that has something left. */
void *caplet_internal_erase_subject(caplet_holdings holdings, caplet_text person) {
    erased *result = caplet_allocate(sizeof *result);
    erased_record *records = caplet_allocate(holdings.count * sizeof *records);
    caplet_error error;
    memset(result, 0, sizeof *result);
    result->as.step.data = records;
    result->as.step.count = holdings.count;
    for (size_t at = 0; at < holdings.count; at++) {
        if (!work(&holdings.data[at], person, &records[at], &error)) {
            result->is_refused = 1;
            result->as.refusal = refusal_of(&error);
            return result;
        }
        if (records[at].deleted > 0 || records[at].anonymised > 0) {
            result->as.step.data = &records[at];
            result->as.step.count = 1;
            result->as.step.more = 1;
            return result;
        }
    }
    return result;
}
