/* The imports, with this library's types. Their layouts are those of the generated ones. */
#include <string.h>

#include "internal.h"

_Static_assert(sizeof(caplet_value) == sizeof(caplet_plugin_sql_value_t), "values are alike");
_Static_assert(
    offsetof(caplet_value, as) == offsetof(caplet_plugin_sql_value_t, val), "values are alike");
_Static_assert(sizeof(caplet_error) == sizeof(caplet_plugin_sql_error_t), "errors are alike");
_Static_assert(sizeof(caplet_pair) == sizeof(abi_tuple2_string_string_t), "pairs are alike");
_Static_assert(sizeof(caplet_text) == sizeof(abi_string_t), "texts are alike");

static abi_string_t lower(caplet_text text) {
    return (abi_string_t){(uint8_t *)text.data, text.length_bytes};
}

static caplet_text lift(abi_string_t text) {
    return (caplet_text){(const char *)text.ptr, text.len};
}

static caplet_plugin_sql_list_value_t lower_values(caplet_values values) {
    return (caplet_plugin_sql_list_value_t){
        (caplet_plugin_sql_value_t *)values.data, values.count};
}

static caplet_values lift_values(caplet_plugin_sql_list_value_t values) {
    return (caplet_values){(const caplet_value *)values.ptr, values.len};
}

static void lift_error(const caplet_plugin_sql_error_t *from, caplet_error *to) {
    bool has_text = from->tag != CAPLET_PLUGIN_SQL_ERROR_READ_ONLY
        && from->tag != CAPLET_PLUGIN_SQL_ERROR_TIMEOUT
        && from->tag != CAPLET_PLUGIN_SQL_ERROR_DISK_FULL;
    *to = (caplet_error){from->tag, has_text ? lift(from->val.invalid) : (caplet_text){"", 0}};
}

caplet_value caplet_null(void) {
    return (caplet_value){.kind = CAPLET_VALUE_NULL};
}

caplet_value caplet_integer(int64_t value) {
    return (caplet_value){.kind = CAPLET_VALUE_INTEGER, .as.integer = value};
}

caplet_value caplet_real(double value) {
    return (caplet_value){.kind = CAPLET_VALUE_REAL, .as.real = value};
}

caplet_value caplet_string(caplet_text value) {
    return (caplet_value){.kind = CAPLET_VALUE_TEXT, .as.text = value};
}

caplet_value caplet_blob(caplet_text value) {
    return (caplet_value){.kind = CAPLET_VALUE_BLOB, .as.text = value};
}

bool caplet_sql_query(
    const char *statement, caplet_values parameters, caplet_rows *rows, caplet_error *error) {
    abi_string_t text = lower(caplet_text_of(statement));
    caplet_plugin_sql_list_value_t values = lower_values(parameters);
    caplet_plugin_sql_rows_t found;
    caplet_plugin_sql_error_t failed;
    if (!caplet_plugin_sql_query(&text, &values, &found, &failed)) {
        lift_error(&failed, error);
        return false;
    }
    rows->columns = (const caplet_text *)found.columns.ptr;
    rows->n_columns = found.columns.len;
    rows->values = (const caplet_value *)found.values.ptr;
    rows->n_rows = found.columns.len == 0 ? 0 : found.values.len / found.columns.len;
    return true;
}

bool caplet_sql_execute(
    const char *statement, caplet_values parameters, uint64_t *changed, caplet_error *error) {
    abi_string_t text = lower(caplet_text_of(statement));
    caplet_plugin_sql_list_value_t values = lower_values(parameters);
    caplet_plugin_sql_error_t failed;
    if (!caplet_plugin_sql_execute(&text, &values, changed, &failed)) {
        lift_error(&failed, error);
        return false;
    }
    return true;
}

bool caplet_sql_query_json(
    const char *statement,
    caplet_values parameters,
    uint32_t limit,
    caplet_json_page *page,
    caplet_error *error) {
    abi_string_t text = lower(caplet_text_of(statement));
    caplet_plugin_sql_list_value_t values = lower_values(parameters);
    caplet_plugin_sql_json_page_t found;
    caplet_plugin_sql_error_t failed;
    if (!caplet_plugin_sql_query_json(&text, &values, limit, &found, &failed)) {
        lift_error(&failed, error);
        return false;
    }
    page->items = (caplet_text){(const char *)found.items.ptr, found.items.len};
    page->count = found.count;
    page->more = found.more;
    page->last = lift_values(found.last);
    return true;
}

void caplet_log(caplet_log_level level, caplet_text message, caplet_pairs fields) {
    abi_string_t text = lower(message);
    abi_list_tuple2_string_string_t pairs = {
        (abi_tuple2_string_string_t *)fields.data, fields.count};
    caplet_plugin_log_write((caplet_plugin_log_level_t)level, &text, &pairs);
}

CAPLET_NO_RETURN void caplet_fail(const char *message) {
    caplet_log(CAPLET_ERROR, caplet_text_of(message), (caplet_pairs){NULL, 0});
    __builtin_trap();
}

static caplet_texts lift_texts(abi_list_string_t texts) {
    return (caplet_texts){(const caplet_text *)texts.ptr, texts.len};
}

bool caplet_current_caller(caplet_caller *caller) {
    caplet_plugin_identity_caller_t found;
    if (!caplet_plugin_identity_current(&found)) {
        return false;
    }
    caller->subject = lift(found.subject);
    caller->is_service = found.kind == CAPLET_PLUGIN_IDENTITY_KIND_SERVICE;
    caller->roles = lift_texts(found.roles);
    caller->teams = lift_texts(found.teams);
    caller->scopes = lift_texts(found.scopes);
    return true;
}

caplet_text caplet_tenant(void) {
    abi_string_t tenant;
    caplet_plugin_identity_tenant(&tenant);
    return lift(tenant);
}

bool caplet_permitted(const char *permission) {
    abi_string_t name = lower(caplet_text_of(permission));
    return caplet_plugin_identity_permitted(&name);
}

const caplet_json *caplet_settings(void) {
    abi_string_t json;
    const char *reason;
    caplet_plugin_settings_json(&json);
    return caplet_json_read(lift(json), &reason);
}

uint64_t caplet_settings_version(void) {
    return caplet_plugin_settings_version();
}

int64_t caplet_now_ms(void) {
    return (int64_t)caplet_plugin_clock_now_ms();
}

uint64_t caplet_elapsed_ms(void) {
    return caplet_plugin_clock_elapsed_ms();
}

uint64_t caplet_remaining_ms(void) {
    return caplet_plugin_clock_remaining_ms();
}

caplet_text caplet_random_bytes(uint32_t count) {
    abi_list_u8_t bytes;
    caplet_plugin_random_bytes(count, &bytes);
    return (caplet_text){(const char *)bytes.ptr, bytes.len};
}

uint64_t caplet_random_number(void) {
    return caplet_plugin_random_number();
}

caplet_text caplet_random_id(void) {
    static const char digits[] = "0123456789abcdef";
    uint64_t high = caplet_plugin_clock_now_ms() << 16;
    high |= 0x7000 | (caplet_random_number() & 0xfff);
    uint64_t low = (caplet_random_number() & (UINT64_MAX >> 2)) | (UINT64_C(1) << 63);
    char *text = caplet_allocate(36), *to = text;
    for (int nibble = 0; nibble < 32; nibble++) {
        if (nibble == 8 || nibble == 12 || nibble == 16 || nibble == 20) {
            *to++ = '-';
        }
        uint64_t half = nibble < 16 ? high : low;
        *to++ = digits[half >> (60 - nibble % 16 * 4) & 15];
    }
    return (caplet_text){text, 36};
}
