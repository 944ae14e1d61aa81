/* Everything the contract has, for the script in `tests/outside/languages`: the same plugin in each
 * language. */
#include <caplet.h>
#include <string.h>

#define LENGTH(array) (sizeof(array) / sizeof *(array))

static caplet_text bytes_of(caplet_text hexadecimal) {
    char *bytes = caplet_allocate(hexadecimal.length_bytes / 2 + 1);
    for (size_t at = 0; at < hexadecimal.length_bytes; at++) {
        char digit = hexadecimal.data[at];
        int half = digit <= '9' ? digit - '0' : digit - 'a' + 10;
        bytes[at / 2] = (char)(at % 2 == 0 ? half << 4 : bytes[at / 2] | half);
    }
    return (caplet_text){bytes, hexadecimal.length_bytes / 2};
}

static caplet_text hexadecimal_of(caplet_text bytes) {
    static const char digits[] = "0123456789abcdef";
    char *text = caplet_allocate(bytes.length_bytes * 2 + 1);
    for (size_t at = 0; at < bytes.length_bytes; at++) {
        text[at * 2] = digits[(unsigned char)bytes.data[at] >> 4];
        text[at * 2 + 1] = digits[bytes.data[at] & 15];
    }
    return (caplet_text){text, bytes.length_bytes * 2};
}

/* A float and the eight bytes it has, the first one first. */
static double real_of(caplet_text bytes) {
    uint64_t bits = 0;
    double value;
    for (size_t at = 0; at < 8; at++) {
        bits = bits << 8 | (unsigned char)bytes.data[at];
    }
    memcpy(&value, &bits, sizeof value);
    return value;
}

static caplet_text bytes_of_real(double value) {
    uint64_t bits;
    char *bytes = caplet_allocate(8);
    memcpy(&bits, &value, sizeof bits);
    for (size_t at = 0; at < 8; at++) {
        bytes[at] = (char)(bits >> (56 - at * 8));
    }
    return (caplet_text){bytes, 8};
}

static bool is(caplet_text text, const char *word) {
    return caplet_text_equal(text, caplet_text_of(word));
}

static caplet_value decode(const caplet_json *pair) {
    caplet_text kind = pair->first->text, text = pair->first->next->text;
    if (is(kind, "integer")) {
        return caplet_integer(caplet_integer_of(text));
    }
    if (is(kind, "real")) {
        return caplet_real(real_of(bytes_of(text)));
    }
    if (is(kind, "text")) {
        return caplet_string(text);
    }
    return is(kind, "blob") ? caplet_blob(bytes_of(text)) : caplet_null();
}

static void encode(caplet_writer *json, const caplet_value *value) {
    static const char *const kinds[] = {"null", "integer", "real", "text", "blob"};
    caplet_writer text = {0};
    switch (value->kind) {
        case CAPLET_VALUE_INTEGER: caplet_put_integer(&text, value->as.integer); break;
        case CAPLET_VALUE_REAL:
            caplet_put(&text, hexadecimal_of(bytes_of_real(value->as.real)));
            break;
        case CAPLET_VALUE_TEXT: caplet_put(&text, value->as.text); break;
        case CAPLET_VALUE_BLOB: caplet_put(&text, hexadecimal_of(value->as.text)); break;
        default: break;
    }
    caplet_json_open(json, '[');
    caplet_json_string(json, kinds[value->kind]);
    caplet_json_text(json, caplet_written(&text));
    caplet_json_close(json, ']');
}

static const char *c_string(caplet_text text) {
    char *string = caplet_allocate(text.length_bytes + 1);
    memcpy(string, text.data, text.length_bytes);
    string[text.length_bytes] = 0;
    return string;
}

static caplet_values parameters_of(const caplet_json *order) {
    const caplet_json *pairs = caplet_json_member(order, "parameters");
    caplet_value *values = caplet_allocate(pairs->count * sizeof *values);
    size_t count = 0;
    for (const caplet_json *pair = pairs->first; pair != NULL; pair = pair->next) {
        values[count++] = decode(pair);
    }
    return (caplet_values){values, count};
}

static const char *statement_of(const caplet_json *order) {
    return c_string(caplet_member_text(order, "sql", caplet_text_of("")));
}

static caplet_answer answer(const caplet_json *order, const caplet_writer *json) {
    uint16_t status = (uint16_t)caplet_member_integer(order, "status", 200);
    return caplet_answer_json(status, caplet_written(json));
}

static void put_rows(caplet_writer *json, const caplet_rows *rows) {
    caplet_json_name(json, "columns");
    caplet_json_open(json, '[');
    for (size_t at = 0; at < rows->n_columns; at++) {
        caplet_json_text(json, rows->columns[at]);
    }
    caplet_json_close(json, ']');
    caplet_json_name(json, "rows");
    caplet_json_open(json, '[');
    for (size_t row = 0; row < rows->n_rows; row++) {
        caplet_json_open(json, '[');
        for (size_t at = 0; at < rows->n_columns; at++) {
            encode(json, &rows->values[row * rows->n_columns + at]);
        }
        caplet_json_close(json, ']');
    }
    caplet_json_close(json, ']');
}

static caplet_answer run(const caplet_request *request) {
    const caplet_json *order = request->json;
    caplet_values parameters = parameters_of(order);
    caplet_writer json = {0};
    caplet_error error;
    caplet_rows rows;
    uint64_t changed = 0;
    bool execute = caplet_member_bool(order, "execute", false);
    bool succeeded = execute
        ? caplet_sql_execute(statement_of(order), parameters, &changed, &error)
        : caplet_sql_query(statement_of(order), parameters, &rows, &error);
    caplet_json_open(&json, '{');
    if (!succeeded) {
        caplet_json_name(&json, "error");
        caplet_json_string(&json, caplet_error_name(&error));
    } else if (execute) {
        caplet_json_name(&json, "changed");
        caplet_json_integer(&json, (int64_t)changed);
    } else {
        put_rows(&json, &rows);
    }
    caplet_json_close(&json, '}');
    return answer(order, &json);
}

static caplet_answer page(const caplet_request *request) {
    const caplet_json *order = request->json;
    uint32_t limit = (uint32_t)caplet_member_integer(order, "limit", 10);
    caplet_json_page found;
    caplet_error error;
    if (!caplet_sql_query_json(statement_of(order), parameters_of(order), limit, &found, &error)) {
        return caplet_failed(&error);
    }
    caplet_writer json = {0};
    caplet_json_open(&json, '{');
    caplet_json_name(&json, "items");
    caplet_json_raw(&json, found.items);
    caplet_json_name(&json, "count");
    caplet_json_integer(&json, found.count);
    caplet_json_name(&json, "more");
    caplet_json_bool(&json, found.more);
    caplet_json_name(&json, "last");
    caplet_json_open(&json, '[');
    for (size_t at = 0; at < found.last.count; at++) {
        encode(&json, &found.last.data[at]);
    }
    caplet_json_close(&json, ']');
    caplet_json_close(&json, '}');
    return answer(order, &json);
}

static caplet_answer uncaught(const caplet_request *request) {
    uint64_t changed;
    caplet_error error;
    const char *statement = statement_of(request->json);
    if (!caplet_sql_execute(statement, CAPLET_NO_VALUES, &changed, &error)) {
        return caplet_failed(&error);
    }
    return caplet_answer_empty(204);
}

static caplet_answer echo(const caplet_request *request) {
    caplet_answer empty = {.status = 200, .body = request->body};
    return caplet_with_header(empty, "content-type", caplet_header(request, "content-type"));
}

static caplet_answer keep(const caplet_request *request) {
    caplet_text id = caplet_path(request, "id");
    uint64_t changed;
    caplet_error error;
    bool kept = caplet_sql_execute(
        "INSERT INTO things (id, name, content) VALUES ($1, $2, $3)",
        CAPLET_VALUES(
            caplet_integer(caplet_integer_of(id)), caplet_string(id), caplet_blob(request->body)),
        &changed,
        &error);
    return kept ? caplet_answer_empty(204) : caplet_failed(&error);
}

static caplet_answer content(const caplet_request *request) {
    caplet_rows rows;
    caplet_error error;
    caplet_value id = caplet_integer(caplet_integer_of(caplet_path(request, "id")));
    if (!caplet_sql_query(
            "SELECT content FROM things WHERE id = $1", CAPLET_VALUES(id), &rows, &error)) {
        return caplet_failed(&error);
    }
    if (rows.n_rows == 0) {
        return caplet_not_found("There is no such content.");
    }
    return caplet_answer_bytes(200, "application/octet-stream", rows.values[0].as.text);
}

static void put_pairs(caplet_writer *json, const char *name, caplet_pairs pairs) {
    caplet_json_name(json, name);
    caplet_json_open(json, '[');
    for (size_t at = 0; at < pairs.count; at++) {
        caplet_json_open(json, '[');
        caplet_json_text(json, pairs.data[at].name);
        caplet_json_text(json, pairs.data[at].value);
        caplet_json_close(json, ']');
    }
    caplet_json_close(json, ']');
}

static caplet_answer words(const caplet_request *request) {
    caplet_writer json = {0};
    caplet_json_open(&json, '{');
    caplet_json_name(&json, "method");
    caplet_json_text(&json, request->method);
    caplet_json_name(&json, "path");
    caplet_json_text(&json, request->path);
    put_pairs(&json, "parameters", request->parameters);
    put_pairs(&json, "query", request->query);
    put_pairs(&json, "headers", request->headers);
    caplet_json_close(&json, '}');
    caplet_answer all = caplet_answer_json(200, caplet_written(&json));
    all = caplet_with_header(all, "x-many", caplet_text_of("one"));
    return caplet_with_header(all, "x-many", caplet_text_of("two"));
}

static caplet_answer checked(const caplet_request *request) {
    const caplet_json *tags = caplet_json_member(request->json, "tags");
    caplet_writer json = {0};
    caplet_json_open(&json, '{');
    caplet_json_name(&json, "title");
    caplet_json_text(&json, caplet_member_text(request->json, "title", caplet_text_of("")));
    caplet_json_name(&json, "tags");
    caplet_json_open(&json, '[');
    for (const caplet_json *tag = tags->first; tag != NULL; tag = tag->next) {
        caplet_json_open(&json, '{');
        caplet_json_name(&json, "weight");
        caplet_json_integer(&json, caplet_member_integer(tag, "weight", 0));
        caplet_json_close(&json, '}');
    }
    caplet_json_close(&json, ']');
    caplet_json_close(&json, '}');
    return caplet_answer_json(200, caplet_written(&json));
}

static caplet_answer number(const caplet_request *request) {
    caplet_writer json = {0};
    caplet_json_open(&json, '{');
    caplet_json_name(&json, "count");
    caplet_json_integer(&json, caplet_integer_of(caplet_query_parameter(request, "count")));
    caplet_json_name(&json, "exact");
    caplet_json_bool(&json, is(caplet_query_parameter(request, "exact"), "true"));
    caplet_json_close(&json, '}');
    return caplet_answer_json(200, caplet_written(&json));
}

static void put_texts(caplet_writer *json, const char *name, caplet_texts texts) {
    caplet_json_name(json, name);
    caplet_json_open(json, '[');
    for (size_t at = 0; at < texts.count; at++) {
        caplet_json_text(json, texts.data[at]);
    }
    caplet_json_close(json, ']');
}

static caplet_answer who(const caplet_request *request) {
    (void)request;
    caplet_caller caller;
    caplet_writer json = {0};
    caplet_json_open(&json, '{');
    caplet_json_name(&json, "tenant");
    caplet_json_text(&json, caplet_tenant());
    caplet_json_name(&json, "permitted");
    caplet_json_bool(&json, caplet_permitted("conformance.try"));
    caplet_json_name(&json, "caller");
    if (caplet_current_caller(&caller)) {
        caplet_json_open(&json, '{');
        caplet_json_name(&json, "subject");
        caplet_json_text(&json, caller.subject);
        caplet_json_name(&json, "kind");
        caplet_json_string(&json, caller.is_service ? "service" : "user");
        put_texts(&json, "roles", caller.roles);
        put_texts(&json, "teams", caller.teams);
        put_texts(&json, "scopes", caller.scopes);
        caplet_json_close(&json, '}');
    } else {
        caplet_json_null(&json);
    }
    caplet_json_close(&json, '}');
    return caplet_answer_json(200, caplet_written(&json));
}

static caplet_answer nothing(const caplet_request *request) {
    (void)request;
    return caplet_answer_empty(204);
}

static caplet_answer set_values(const caplet_request *request) {
    (void)request;
    const caplet_json *settings = caplet_settings();
    caplet_writer json = {0}, largest = {0};
    caplet_put_integer(&largest, caplet_member_integer(settings, "largest", 0));
    caplet_json_open(&json, '{');
    caplet_json_name(&json, "greeting");
    caplet_json_text(&json, caplet_member_text(settings, "greeting", caplet_text_of("")));
    caplet_json_name(&json, "largest");
    caplet_json_text(&json, caplet_written(&largest));
    caplet_json_name(&json, "well");
    caplet_json_bool(&json, caplet_member_bool(settings, "well", false));
    caplet_json_close(&json, '}');
    return caplet_answer_json(200, caplet_written(&json));
}

static caplet_answer log_line(const caplet_request *request) {
    static const char *const levels[] = {"trace", "debug", "info", "warn", "error"};
    const caplet_pair fields[] = {
        {caplet_text_of("language"), caplet_text_of("C")},
        {caplet_text_of("word"), caplet_text_of("é🎉")},
    };
    for (size_t at = 0; at < LENGTH(levels); at++) {
        if (is(caplet_path(request, "level"), levels[at])) {
            caplet_log((caplet_log_level)at, request->body, (caplet_pairs){fields, LENGTH(fields)});
        }
    }
    return caplet_answer_empty(204);
}

static caplet_answer fail(const caplet_request *request) {
    (void)request;
    caplet_fail("it broke: secret-of-the-author");
}

static caplet_answer problem(const caplet_request *request) {
    (void)request;
    return caplet_problem_with(409, "taken", "It is taken.", caplet_text_of("\"by\":\"é🎉\""));
}

static caplet_answer times(const caplet_request *request) {
    (void)request;
    caplet_writer json = {0};
    caplet_json_open(&json, '{');
    caplet_json_name(&json, "now_ms");
    caplet_json_integer(&json, caplet_now_ms());
    caplet_json_name(&json, "elapsed_ms");
    caplet_json_integer(&json, (int64_t)caplet_elapsed_ms());
    caplet_json_name(&json, "remaining_ms");
    caplet_json_integer(&json, (int64_t)caplet_remaining_ms());
    caplet_json_close(&json, '}');
    return caplet_answer_json(200, caplet_written(&json));
}

static caplet_answer chance(const caplet_request *request) {
    (void)request;
    caplet_writer json = {0}, number = {0};
    caplet_put_integer(&number, (int64_t)(caplet_random_number() >> 1));
    caplet_json_open(&json, '{');
    caplet_json_name(&json, "bytes");
    caplet_json_text(&json, hexadecimal_of(caplet_random_bytes(16)));
    caplet_json_name(&json, "none");
    caplet_json_text(&json, hexadecimal_of(caplet_random_bytes(0)));
    caplet_json_name(&json, "number");
    caplet_json_text(&json, caplet_written(&number));
    caplet_json_name(&json, "id");
    caplet_json_text(&json, caplet_random_id());
    caplet_json_close(&json, '}');
    return caplet_answer_json(200, caplet_written(&json));
}

static caplet_etag tag_of(const caplet_request *request) {
    caplet_text variant = caplet_query_parameter(request, "variant");
    caplet_text modified_ms = caplet_query_parameter(request, "modified_ms");
    caplet_etag etag = caplet_etag_of(caplet_path(request, "version"));
    if (variant.data != NULL) {
        etag = caplet_etag_variant(etag, variant);
    }
    if (modified_ms.data != NULL) {
        etag = caplet_etag_modified(etag, caplet_integer_of(modified_ms));
    }
    return etag;
}

static caplet_answer read_version(const caplet_request *request) {
    caplet_etag current = tag_of(request);
    caplet_answer answer;
    if (!caplet_may_read(request, current, &answer)) {
        return answer;
    }
    return caplet_with_etag(caplet_answer_text(200, caplet_text_of("read")), current);
}

static caplet_answer change_version(const caplet_request *request) {
    caplet_etag current = tag_of(request);
    caplet_answer answer;
    if (!caplet_may_change(request, current, &answer)) {
        return answer;
    }
    return caplet_with_etag(caplet_answer_text(200, caplet_text_of("changed")), current);
}

static caplet_answer remove_version(const caplet_request *request) {
    caplet_answer answer;
    bool may = caplet_may_change_knowingly(request, tag_of(request), &answer);
    return may ? caplet_answer_empty(204) : answer;
}

static caplet_answer count_calls(const caplet_request *request) {
    static int64_t calls;
    (void)request;
    caplet_writer json = {0};
    caplet_json_open(&json, '{');
    caplet_json_name(&json, "calls");
    caplet_json_integer(&json, ++calls);
    caplet_json_close(&json, '}');
    return caplet_answer_json(200, caplet_written(&json));
}

static const char *health(void) {
    caplet_rows rows;
    caplet_error error;
    if (!caplet_member_bool(caplet_settings(), "well", true)) {
        return "set-unwell";
    }
    bool is_there =
        caplet_sql_query("SELECT count(*) FROM things", CAPLET_NO_VALUES, &rows, &error);
    return is_there ? NULL : "the table cannot be read";
}

static const caplet_shape text_shape = {.type = CAPLET_TEXT};
static const caplet_shape pair_shape = {.type = CAPLET_ARRAY, .items = &text_shape};
static const caplet_shape order_members[] = {
    {.name = "sql", .type = CAPLET_TEXT},
    {.name = "parameters", .type = CAPLET_ARRAY, .items = &pair_shape},
    {.name = "execute", .type = CAPLET_BOOL, .optional = true},
    {.name = "status", .type = CAPLET_INTEGER, .optional = true},
    {.name = "limit", .type = CAPLET_INTEGER, .optional = true},
    {0},
};
static const caplet_shape order_shape = {.type = CAPLET_OBJECT, .members = order_members};

static const caplet_shape tag_members[] = {
    {.name = "weight", .type = CAPLET_INTEGER, .min = INT64_MIN, .max = 9},
    {0},
};
static const caplet_shape tag_shape = {.type = CAPLET_OBJECT, .members = tag_members};
static const caplet_shape post_members[] = {
    {.name = "title", .type = CAPLET_TEXT, .length_min = 1, .length_max = 5},
    {.name = "tags", .type = CAPLET_ARRAY, .items = &tag_shape},
    {0},
};
static const caplet_shape post_shape = {.type = CAPLET_OBJECT, .members = post_members};

static const caplet_shape id_shape[] = {{.name = "id", .type = CAPLET_INTEGER}, {0}};
static const caplet_shape number_query[] = {
    {.name = "count", .type = CAPLET_INTEGER},
    {.name = "exact", .type = CAPLET_BOOL, .optional = true},
    {0},
};
static const caplet_shape look_query[] = {
    {.name = "variant", .type = CAPLET_TEXT, .optional = true},
    {.name = "modified_ms", .type = CAPLET_INTEGER, .optional = true},
    {0},
};
static const char *const content_type[] = {"content-type", NULL};
static const char *const word_header[] = {"x-word", NULL};

#define AT(verb, place, name, function)                                                           \
    .operation = name, .method = verb, .pattern = place, .handler = function
#define OPEN(verb, place, name, function)                                                         \
    AT(verb, place, name, function), .access = CAPLET_PUBLIC

static const caplet_route routes[] = {
    {OPEN("POST", "/write", "run", run), .body = &order_shape},
    {OPEN("POST", "/read", "read", run), .transaction = CAPLET_READ,
     .body = &order_shape},
    {OPEN("POST", "/without", "without", run), .transaction = CAPLET_NO_STORE,
     .body = &order_shape},
    {OPEN("POST", "/page", "page", page), .transaction = CAPLET_READ, .body = &order_shape},
    {OPEN("POST", "/uncaught", "uncaught", uncaught), .body = &order_shape},
    {OPEN("POST", "/echo", "echo", echo), .body_max_bytes = 2097152, .headers = content_type},
    {OPEN("PUT", "/contents/{id}", "keep", keep), .body_max_bytes = 2097152, .path = id_shape},
    {OPEN("GET", "/contents/{id}", "content", content), .path = id_shape},
    {OPEN("GET", "/words/{word}/{*rest}", "words", words), .headers = word_header, .any_query = true},
    {OPEN("POST", "/checked", "checked", checked), .body = &post_shape, .answer = &post_shape},
    {OPEN("GET", "/number", "number", number), .query = number_query},
    {OPEN("GET", "/versions/{version}", "read_version", read_version), .conditional = true,
     .query = look_query},
    {OPEN("PUT", "/versions/{version}", "change_version", change_version), .conditional = true,
     .query = look_query},
    {OPEN("DELETE", "/versions/{version}", "remove_version", remove_version), .conditional = true,
     .answer_status = 204},
    {OPEN("GET", "/identity", "who", who)},
    {AT("GET", "/signed-in", "signed-in", nothing), .answer_status = 204},
    {AT("GET", "/permitted", "permitted", nothing), .permission = "conformance.try",
     .answer_status = 204},
    {OPEN("GET", "/settings", "set_values", set_values)},
    {OPEN("POST", "/log/{level}", "log_line", log_line), .answer_status = 204},
    {OPEN("GET", "/fail", "fail", fail)},
    {OPEN("GET", "/problem", "problem", problem)},
    {OPEN("GET", "/clock", "times", times)},
    {OPEN("GET", "/random", "chance", chance)},
    {OPEN("GET", "/calls", "count_calls", count_calls)},
};

static const caplet_shape settings[] = {
    {.name = "greeting", .type = CAPLET_TEXT, .optional = true, .otherwise = "\"hello\""},
    {.name = "well", .type = CAPLET_BOOL, .optional = true, .otherwise = "true"},
    {.name = "largest", .type = CAPLET_INTEGER, .optional = true,
     .otherwise = "9223372036854775807"},
    {0},
};

static const caplet_migration migrations[] = {
    {
        .number = 1,
        .name = "create things",
        .sql = "CREATE TABLE things ("
               "    id BIGINT NOT NULL PRIMARY KEY,"
               "    name TEXT NOT NULL UNIQUE,"
               "    size BIGINT CHECK (size > 0),"
               "    parent BIGINT REFERENCES things (id),"
               "    content BYTEA"
               ");",
    },
    {
        .number = 2,
        .name = "create traces",
        .sql = "CREATE TABLE traces ("
               "    id BIGINT NOT NULL PRIMARY KEY,"
               "    tenant TEXT NOT NULL,"
               "    person TEXT NOT NULL,"
               "    holding TEXT NOT NULL,"
               "    word TEXT NOT NULL"
               ");",
    },
};

static const caplet_permission permissions[] = {
    {"conformance.try", "Try what needs a permission."},
};

static const caplet_asset assets[] = {
    {"hello.txt", "text/plain; charset=utf-8", {"hé🎉", sizeof "hé🎉" - 1}},
};

const caplet_plugin caplet_this_plugin = {
    .name = "conformance",
    .version = "1.2.3",
    .title = "Conformance",
    .summary = "Does what it is told, in C.",
    .routes = routes,
    .n_routes = LENGTH(routes),
    .migrations = migrations,
    .n_migrations = LENGTH(migrations),
    .permissions = permissions,
    .n_permissions = LENGTH(permissions),
    .assets = assets,
    .n_assets = LENGTH(assets),
    .settings = settings,
    .health = health,
};
