/* Write Caplet plugins in C, Zig and C++.
 *
 * A plugin is one `caplet_plugin`, a constant table that says what it is, and handlers: functions from
 * a request to an answer.
 *
 *     #include <caplet.h>
 *
 *     static caplet_answer greet(const caplet_request *request) {
 *         return caplet_answer_text(200, caplet_path(request, "name"));
 *     }
 *
 *     static const caplet_route routes[] = {{
 *         .operation = "greet", .method = "GET", .pattern = "/{name}",
 *         .access = CAPLET_PUBLIC, .handler = greet,
 *     }};
 *
 *     const caplet_plugin caplet_this_plugin = {
 *         .name = "hello", .version = "1.0.0", .routes = routes, .n_routes = 1,
 *     };
 *
 * Memory: whatever an invocation allocates, by `caplet_allocate` or inside of this library, lives until
 * the invocation ends and is never freed by hand. What must last belongs into the database. A plugin
 * must not keep a pointer to such memory in a variable that outlives the call.
 */
#ifndef CAPLET_H
#define CAPLET_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
#define CAPLET_NO_RETURN [[noreturn]]
extern "C" {
#else
#define CAPLET_NO_RETURN _Noreturn
#endif

/* ---- Texts and memory ---------------------------------------------------------------------- */

/* UTF-8 text or bytes, not ended by a NUL. */
typedef struct caplet_text {
    const char *data;
    size_t length_bytes;
} caplet_text;

/* A text from a C string, without a copy. */
caplet_text caplet_text_of(const char *string);
/* Whether two texts have the same bytes. */
bool caplet_text_equal(caplet_text one, caplet_text other);
/* How many characters (code points) a text has. */
size_t caplet_text_characters(caplet_text text);
/* Memory until the end of the invocation, aligned for any value. Never null: when there is none left,
 * the invocation ends. */
void *caplet_allocate(size_t size_bytes);

/* A text or a JSON document that is being written. Begins as `{0}`. */
typedef struct caplet_writer {
    char *data;
    size_t length_bytes;
    size_t capacity_bytes;
} caplet_writer;

/* What was written so far. */
caplet_text caplet_written(const caplet_writer *writer);
/* Writes text as it is. */
void caplet_put(caplet_writer *writer, caplet_text text);
void caplet_put_string(caplet_writer *writer, const char *string);
void caplet_put_integer(caplet_writer *writer, int64_t value);

/* JSON. Commas come by themselves; a member is `caplet_json_name` and then its value. */
void caplet_json_open(caplet_writer *writer, char bracket);
void caplet_json_close(caplet_writer *writer, char bracket);
void caplet_json_name(caplet_writer *writer, const char *name);
void caplet_json_text(caplet_writer *writer, caplet_text value);
void caplet_json_string(caplet_writer *writer, const char *value);
void caplet_json_integer(caplet_writer *writer, int64_t value);
void caplet_json_bool(caplet_writer *writer, bool value);
void caplet_json_null(caplet_writer *writer);
/* A value that is JSON already. */
void caplet_json_raw(caplet_writer *writer, caplet_text value);

/* ---- JSON that was read -------------------------------------------------------------------- */

typedef enum caplet_json_kind {
    CAPLET_JSON_NULL,
    CAPLET_JSON_BOOL,
    CAPLET_JSON_INTEGER, /* a number without fraction that fits 64 bits */
    CAPLET_JSON_REAL,
    CAPLET_JSON_TEXT,
    CAPLET_JSON_ARRAY,
    CAPLET_JSON_OBJECT,
} caplet_json_kind;

/* A JSON value; in an array or object, one of a chain of them. */
typedef struct caplet_json {
    caplet_json_kind kind;
    bool boolean;
    int64_t integer;
    double real;      /* also of an integer */
    caplet_text text;
    size_t count;     /* items or members */
    const struct caplet_json *first;
    const struct caplet_json *next;
    caplet_text name; /* of a member */
} caplet_json;

/* Reads JSON; null when it is none, and then `reason` says why. */
const caplet_json *caplet_json_read(caplet_text text, const char **reason);
/* A member of an object by its name; null when there is none, or `json` is null or no object. */
const caplet_json *caplet_json_member(const caplet_json *json, const char *name);
/* A member's value, or what is given when there is none of that kind. */
caplet_text caplet_member_text(const caplet_json *json, const char *name, caplet_text otherwise);
int64_t caplet_member_integer(const caplet_json *json, const char *name, int64_t otherwise);
bool caplet_member_bool(const caplet_json *json, const char *name, bool otherwise);

/* ---- Shapes of bodies, parameters and settings --------------------------------------------- */

typedef enum caplet_type {
    CAPLET_ANY,
    CAPLET_TEXT,
    CAPLET_INTEGER,
    CAPLET_REAL,
    CAPLET_BOOL,
    CAPLET_OBJECT,
    CAPLET_ARRAY,
} caplet_type;

/* A type, and what a value of it must keep to. In a list of members or parameters it has a name; such
 * a list ends with one that has none. */
typedef struct caplet_shape {
    const char *name;
    caplet_type type;
    bool optional;
    const char *description;          /* may be null */
    const char *otherwise;            /* the default, as JSON; may be null */
    int64_t min, max;                 /* of numbers, when one of them is not 0 */
    size_t length_min, length_max;    /* of texts in characters; no maximum when 0 */
    const struct caplet_shape *items; /* of an array: the one shape of its items */
    const struct caplet_shape *members; /* of an object: the list of its members */
} caplet_shape;

/* ---- Requests and answers ------------------------------------------------------------------ */

typedef struct caplet_pair {
    caplet_text name;
    caplet_text value;
} caplet_pair;

typedef struct caplet_pairs {
    const caplet_pair *data;
    size_t count;
} caplet_pairs;

/* A request that matched a route, passed its access rule and its limits, and fits the route's shapes. */
typedef struct caplet_request {
    caplet_text operation;
    caplet_text method;
    caplet_text path;
    caplet_pairs parameters; /* of the route's pattern, decoded */
    caplet_pairs query;      /* decoded, in the order sent */
    caplet_pairs headers;    /* those the route asked for; names in lower case */
    caplet_text body;
    const caplet_json *json; /* the body, when the route has a shape for it */
    int64_t limit;           /* of the page, when the route has pages */
    const caplet_json *after; /* keys of the last item of the page before; null on the first */
} caplet_request;

/* The first value of a name; empty, with null data, when there is none. */
caplet_text caplet_find(caplet_pairs pairs, const char *name);
caplet_text caplet_path(const caplet_request *request, const char *name);
caplet_text caplet_query_parameter(const caplet_request *request, const char *name);
caplet_text caplet_header(const caplet_request *request, const char *name);
/* A whole number that was checked by a shape. */
int64_t caplet_integer_of(caplet_text text);

typedef struct caplet_answer {
    uint16_t status; /* from 400 on, all that the invocation wrote is rolled back */
    caplet_pairs headers;
    caplet_text body;
} caplet_answer;

caplet_answer caplet_answer_empty(uint16_t status);
caplet_answer caplet_answer_text(uint16_t status, caplet_text body);
caplet_answer caplet_answer_json(uint16_t status, caplet_text body);
caplet_answer caplet_answer_bytes(uint16_t status, const char *media_type, caplet_text body);
/* The answer with one more header; `name` in lower case. */
caplet_answer caplet_with_header(caplet_answer answer, const char *name, caplet_text value);

/* A problem document (RFC 9457): `code` is stable and for programs, `detail` a sentence for people. */
caplet_answer caplet_problem(uint16_t status, const char *code, const char *detail);
/* One with further members: a JSON object's inside, such as `"by":"ada"`. */
caplet_answer caplet_problem_with(
    uint16_t status, const char *code, const char *detail, caplet_text members);
/* 422 at one place of the body: a JSON pointer such as `/parent`. */
caplet_answer caplet_unprocessable(const char *pointer, caplet_text detail);
caplet_answer caplet_not_found(const char *detail);

/* ---- Versions: entity tags and preconditions (RFC 9110, sections 8.8.3 and 13) --------------- */

/* A strong entity tag: it changes whenever the answer's bytes may change. It is a version, and a
 * variant where one version looks different to different callers. A caller may change what it has seen
 * in whatever variant, so that `If-Match` looks at the version only. */
typedef struct caplet_etag {
    caplet_text opaque; /* without its quotes */
    int64_t modified_s; /* of the last change, in Unix time; 0 when it is not known */
} caplet_etag;

/* A tag from a version, such as a row's. What cannot stand in a tag (controls, spaces, double quotes and
 * semicolons) is replaced by `_`. */
caplet_etag caplet_etag_of(caplet_text version);
caplet_etag caplet_etag_of_integer(int64_t version);
/* The tag of one of several looks of the same version, such as what a caller sees that others do not. */
caplet_etag caplet_etag_variant(caplet_etag etag, caplet_text variant);
/* With the time of the last change. `Last-Modified` counts whole seconds: a time within this second is
 * left out, because a second change in it could not be told from the first. */
caplet_etag caplet_etag_modified(caplet_etag etag, int64_t modified_ms);
/* The answer with the tag, which callers send back as `If-Match` and `If-None-Match`. */
caplet_answer caplet_with_etag(caplet_answer answer, caplet_etag etag);

/* These weigh the preconditions of a request to a route that is `conditional`; if one of them does not
 * hold, `answer` is the answer. Weigh them last, when nothing but them stands between the request and its
 * success: a request that would fail anyway is answered as if it had no conditions.
 *
 *     caplet_etag current = caplet_etag_of_integer(version);
 *     if (!caplet_may_read(request, current, &answer)) {
 *         return answer;
 *     }
 *     return caplet_with_etag(caplet_answer_json(200, note), current);
 */

/* For what is read: 304 when the caller has the current version, 412 when it asks for another one. */
bool caplet_may_read(const caplet_request *request, caplet_etag current, caplet_answer *answer);
/* For what is changed: 412 when it was changed since it was read, or is what it must not be. */
bool caplet_may_change(const caplet_request *request, caplet_etag current, caplet_answer *answer);
/* Also, for what must not be changed blindly: 428 when the request has no `If-Match`. */
bool caplet_may_change_knowingly(
    const caplet_request *request, caplet_etag current, caplet_answer *answer);

/* ---- The database -------------------------------------------------------------------------- */

typedef enum caplet_value_kind {
    CAPLET_VALUE_NULL,
    CAPLET_VALUE_INTEGER,
    CAPLET_VALUE_REAL,
    CAPLET_VALUE_TEXT,
    CAPLET_VALUE_BLOB,
} caplet_value_kind;

/* A value of a parameter or a column. */
typedef struct caplet_value {
    uint8_t kind; /* a caplet_value_kind */
    union {
        int64_t integer;
        double real;     /* finite */
        caplet_text text; /* without NUL; of a blob, any bytes */
    } as;
} caplet_value;

caplet_value caplet_null(void);
caplet_value caplet_integer(int64_t value);
caplet_value caplet_real(double value);
caplet_value caplet_string(caplet_text value);
caplet_value caplet_blob(caplet_text value);

typedef struct caplet_values {
    const caplet_value *data;
    size_t count;
} caplet_values;

/* The parameters of a statement: `CAPLET_VALUES(caplet_integer(5), caplet_string(name))`. */
#define CAPLET_VALUES(...)                                                                        \
    ((caplet_values){(const caplet_value[]){__VA_ARGS__},                                         \
                     sizeof((const caplet_value[]){__VA_ARGS__}) / sizeof(caplet_value)})
/* No parameters. */
#define CAPLET_NO_VALUES ((caplet_values){NULL, 0})

typedef enum caplet_error_kind {
    CAPLET_ERROR_DENIED,
    CAPLET_ERROR_INVALID,
    CAPLET_ERROR_UNIQUE,
    CAPLET_ERROR_FOREIGN_KEY,
    CAPLET_ERROR_CHECK,
    CAPLET_ERROR_NOT_NULL,
    CAPLET_ERROR_READ_ONLY,
    CAPLET_ERROR_TOO_LARGE,
    CAPLET_ERROR_TIMEOUT,
    CAPLET_ERROR_DISK_FULL,
    CAPLET_ERROR_UNAVAILABLE,
} caplet_error_kind;

/* Why a statement failed. The text is for authors and logs, never for callers. */
typedef struct caplet_error {
    uint8_t kind; /* a caplet_error_kind */
    caplet_text text;
} caplet_error;

/* The name of a kind, such as `foreign-key`. */
const char *caplet_error_name(const caplet_error *error);
/* What a failed statement means for the caller: 409, 503, 507 or 500. The text goes to the log. */
caplet_answer caplet_failed(const caplet_error *error);

/* Value `i` of row `r` is `values[r * n_columns + i]`. */
typedef struct caplet_rows {
    const caplet_text *columns;
    size_t n_columns;
    const caplet_value *values;
    size_t n_rows;
} caplet_rows;

typedef struct caplet_json_page {
    caplet_text items; /* a JSON array of objects */
    uint32_t count;
    bool more;
    caplet_values last; /* the `:key` columns of the last row */
} caplet_json_page;

/* Each runs one statement and says whether it succeeded; if not, `error` says why. Parameters are
 * written `$1`, `$2`, …; `$tenant` is bound by the host. */
bool caplet_sql_query(
    const char *statement, caplet_values parameters, caplet_rows *rows, caplet_error *error);
bool caplet_sql_execute(
    const char *statement, caplet_values parameters, uint64_t *changed, caplet_error *error);
/* The first `limit` rows as JSON: the fast way to a list. Names of columns may end in `:bool`,
 * `:time`, `:json` and `:key`. */
bool caplet_sql_query_json(
    const char *statement,
    caplet_values parameters,
    uint32_t limit,
    caplet_json_page *page,
    caplet_error *error);

/* A page of a list: `{"items":[…],"next_cursor":…}`, with the cursor of the next one. */
caplet_answer caplet_answer_page(const caplet_json_page *page, const char *order);
/* The only object in a page; null data when it is empty. */
caplet_text caplet_only_item(const caplet_json_page *page);

/* ---- What else the host gives -------------------------------------------------------------- */

typedef enum caplet_log_level {
    CAPLET_TRACE,
    CAPLET_DEBUG,
    CAPLET_INFO,
    CAPLET_WARN,
    CAPLET_ERROR,
} caplet_log_level;

/* Writes a line to the host's log, with named values. Never log what is private. */
void caplet_log(caplet_log_level level, caplet_text message, caplet_pairs fields);
/* Ends the invocation for a mistake of the plugin's own: the message goes to the log, the caller gets
 * a 502 without it. */
CAPLET_NO_RETURN void caplet_fail(const char *message);

typedef struct caplet_texts {
    const caplet_text *data;
    size_t count;
} caplet_texts;

typedef struct caplet_caller {
    caplet_text subject;
    bool is_service; /* a program, and no person */
    caplet_texts roles, teams, scopes;
} caplet_caller;

/* Who calls; false without a token. */
bool caplet_current_caller(caplet_caller *caller);
caplet_text caplet_tenant(void);
bool caplet_permitted(const char *permission);

/* The settings as a JSON object, and a number that differs whenever they do. */
const caplet_json *caplet_settings(void);
uint64_t caplet_settings_version(void);

int64_t caplet_now_ms(void);
uint64_t caplet_elapsed_ms(void);
uint64_t caplet_remaining_ms(void);

/* At most 65 536 random bytes. */
caplet_text caplet_random_bytes(uint32_t count);
uint64_t caplet_random_number(void);
/* A new UUID of version 7: 36 characters that sort by the time in which they were made. */
caplet_text caplet_random_id(void);

/* ---- The plugin ---------------------------------------------------------------------------- */

typedef enum caplet_access {
    CAPLET_SIGNED_IN, /* anybody with a valid token */
    CAPLET_PUBLIC,    /* anybody */
} caplet_access;

typedef enum caplet_transaction {
    CAPLET_BY_METHOD, /* reads for GET, writes for the others */
    CAPLET_READ,
    CAPLET_WRITE,
    CAPLET_NO_STORE,
} caplet_transaction;

typedef enum caplet_phase {
    CAPLET_EXPAND,   /* the version before can live with it */
    CAPLET_BACKFILL, /* one statement with a LIMIT, run until it changes no row */
    CAPLET_CONTRACT, /* runs when the version before is gone for good */
} caplet_phase;

typedef struct caplet_route {
    const char *operation;
    const char *method;
    const char *pattern;
    caplet_answer (*handler)(const caplet_request *request);
    caplet_access access;
    const char *permission; /* who must hold it; instead of `access` */
    caplet_transaction transaction;
    uint32_t body_max_bytes;    /* 64 KiB when 0 */
    const char *const *headers; /* asked for, in lower case; ends with a null */
    const char *summary;
    const caplet_shape *path;  /* types of the pattern's parameters that are no texts */
    const caplet_shape *query; /* the query's parameters; others are refused unless `any_query` */
    bool any_query;
    bool pages;              /* takes `limit` and `cursor` */
    bool conditional;        /* takes `If-Match`, `If-None-Match` and their siblings */
    const char *order;       /* the name of the list's order, for its cursors */
    const caplet_shape *body;   /* of a JSON body; null takes any body */
    const caplet_shape *answer; /* of the answer, or of the items of a page; for OpenAPI */
    uint16_t answer_status;     /* when it succeeds; for OpenAPI; 200 when 0 */
} caplet_route;

typedef struct caplet_migration {
    uint32_t number;
    const char *name;
    caplet_phase phase;
    const char *sql;
    const char *postgres; /* may be null */
} caplet_migration;

typedef struct caplet_permission {
    const char *name;
    const char *description;
} caplet_permission;

typedef struct caplet_asset {
    const char *path;
    const char *media_type;
    caplet_text content;
} caplet_asset;

typedef struct caplet_plugin {
    const char *name;
    const char *version;
    const char *title;
    const char *summary;
    const caplet_route *routes;
    size_t n_routes;
    const caplet_migration *migrations;
    size_t n_migrations;
    const caplet_permission *permissions;
    size_t n_permissions;
    const caplet_asset *assets;
    size_t n_assets;
    const caplet_shape *settings; /* the list of the settings' members; may be null */
    /* Whether the plugin can do its work: null, or the reason why not. May be null. */
    const char *(*health)(void);
} caplet_plugin;

/* Defined by the plugin. */
extern const caplet_plugin caplet_this_plugin;

/* ---- Personal data ------------------------------------------------------------------------- */

typedef enum caplet_erasure {
    CAPLET_ERASURE_DELETE,    /* records are deleted */
    CAPLET_ERASURE_ANONYMISE, /* they stay, without anything that tells whose they were */
    CAPLET_ERASURE_KEEP,      /* they stay, for a reason such as the law that asks for it */
} caplet_erasure;

/* One kind of personal data that the plugin keeps, and how it is exported and erased. */
typedef struct caplet_holding {
    const char *name;      /* 1 to 80 characters of `a-z`, `0-9` and `-`, unique in the plugin */
    const char *summary;   /* what is kept */
    const char *purpose;   /* what it is kept for */
    const char *retention; /* how long it is kept */
    caplet_erasure erasure;
    const char *reason; /* to keep it */
    /* A page of a person's records, at most `limit`, which come after the `:key` columns in `after`, a
     * chain of values that is null on the first page. As for a list, its statement asks for one row more
     * than the limit. Says whether it succeeded, like the statements. Null: there is nothing to export. */
    bool (*page)(
        caplet_text person,
        const caplet_json *after,
        uint32_t limit,
        caplet_json_page *page,
        caplet_error *error);
    /* Deletes some records of a person or makes them anonymous, as many as fit an invocation; `count` is
     * how many. It is called until that is 0. Of records that are kept, it only counts. Never null. */
    bool (*work)(caplet_text person, uint64_t *count, caplet_error *error);
} caplet_holding;

typedef struct caplet_holdings {
    const caplet_holding *data;
    size_t count;
} caplet_holdings;

/* Makes the plugin answer for the personal data that it keeps (`wit/subject-data.wit`): once, at the top
 * level of any of its files, with an array of holdings. They are exported and erased in its order; pages,
 * cursors and steps are done by this library.
 *
 *     static const caplet_holding holdings[] = {{
 *         .name = "notes", .summary = "The notes that the person wrote.",
 *         .purpose = "To show them to their author.", .retention = "Until the author deletes them.",
 *         .page = notes_of, .work = delete_notes_of,
 *     }};
 *
 *     CAPLET_SUBJECT_DATA(holdings)
 *
 * A plugin without it is named in the operator's report as one that has to be looked at by hand;
 * `CAPLET_NO_SUBJECT_DATA` says that the plugin keeps nothing about people. */
#define CAPLET_SUBJECT_DATA(holdings)                                                              \
    CAPLET_INTERNAL_SUBJECT_DATA(                                                                  \
        ((caplet_holdings){(holdings), sizeof(holdings) / sizeof *(holdings)}))
#define CAPLET_NO_SUBJECT_DATA CAPLET_INTERNAL_SUBJECT_DATA(((caplet_holdings){NULL, 0}))

/* The exports, which a component must not have when its plugin does not answer. */
#ifdef __cplusplus
#define CAPLET_INTERNAL_EXPORT(name)                                                               \
    extern "C" __attribute__((__export_name__("caplet:plugin/subject-data@0.1.0#" name)))
#define CAPLET_INTERNAL_END(name)                                                                  \
    extern "C" __attribute__((__export_name__("cabi_post_caplet:plugin/subject-data@0.1.0#" name)))
#else
#define CAPLET_INTERNAL_EXPORT(name)                                                               \
    __attribute__((__export_name__("caplet:plugin/subject-data@0.1.0#" name)))
#define CAPLET_INTERNAL_END(name)                                                                  \
    __attribute__((__export_name__("cabi_post_caplet:plugin/subject-data@0.1.0#" name)))
#endif
#define CAPLET_INTERNAL_SUBJECT_DATA(holdings)                                                     \
    CAPLET_INTERNAL_EXPORT("describe") void *caplet_exported_describe(void) {                      \
        return caplet_internal_describe_subject_data(holdings);                                    \
    }                                                                                              \
    CAPLET_INTERNAL_EXPORT("export")                                                               \
    void *caplet_exported_export(                                                                  \
        const char *person, size_t length, int has_cursor, const char *cursor, size_t cursor_length) { \
        caplet_text subject = {person, length}, from = {cursor, cursor_length};                    \
        return caplet_internal_export_subject(holdings, subject, has_cursor ? &from : NULL);       \
    }                                                                                              \
    CAPLET_INTERNAL_EXPORT("erase")                                                                \
    void *caplet_exported_erase(const char *person, size_t length) {                               \
        caplet_text subject = {person, length};                                                    \
        return caplet_internal_erase_subject(holdings, subject);                                   \
    }                                                                                              \
    CAPLET_INTERNAL_END("describe") void caplet_exported_describe_ends(void *result) {             \
        (void)result;                                                                              \
        caplet_internal_release();                                                                 \
    }                                                                                              \
    CAPLET_INTERNAL_END("export") void caplet_exported_export_ends(void *result) {                 \
        (void)result;                                                                              \
        caplet_internal_release();                                                                 \
    }                                                                                              \
    CAPLET_INTERNAL_END("erase") void caplet_exported_erase_ends(void *result) {                   \
        (void)result;                                                                              \
        caplet_internal_release();                                                                 \
    }

/* What those exports call; not for authors. */
void *caplet_internal_describe_subject_data(caplet_holdings holdings);
void *caplet_internal_export_subject(
    caplet_holdings holdings, caplet_text person, const caplet_text *cursor);
void *caplet_internal_erase_subject(caplet_holdings holdings, caplet_text person);
void caplet_internal_release(void);

#ifdef __cplusplus
}
#endif

#endif
