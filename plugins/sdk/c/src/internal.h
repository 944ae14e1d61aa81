/* What the files of this library share and authors do not see. */
#ifndef CAPLET_INTERNAL_H
#define CAPLET_INTERNAL_H

#include <caplet.h>

#include "../generated/abi.h"

/* Places that do not fit, as JSON objects in the order found. */
typedef struct caplet_faults {
    struct caplet_fault {
        caplet_text pointer;
        caplet_text detail;
    } *data;
    size_t count, capacity;
} caplet_faults;

void caplet_internal_fault(caplet_faults *faults, caplet_text pointer, caplet_text detail);
/* Checks a value against a shape; what is wrong is added to `faults`. */
void caplet_internal_check(
    const caplet_shape *shape, const caplet_json *value, caplet_text pointer, caplet_faults *faults);
caplet_answer caplet_internal_faults(caplet_faults *faults);
/* Writes the JSON Schema of a shape. */
void caplet_internal_schema(caplet_writer *writer, const caplet_shape *shape);
void caplet_internal_members(caplet_writer *writer, const caplet_shape *members);

/* Reads the query, the path and the body of a request by its route. Whether they fit; if not, `answer`
 * is the problem. */
bool caplet_internal_read(
    const caplet_route *route, caplet_request *request, caplet_answer *answer);
/* The plugin's OpenAPI document. */
caplet_text caplet_internal_openapi(const caplet_plugin *plugin);
/* Whether a text is a name. */
bool caplet_internal_is(caplet_text text, const char *name);
/* The text before `…` and the one after it, in memory of the invocation. */
caplet_text caplet_internal_join(const char *before, caplet_text middle, const char *after);
/* Reads the keys out of a cursor; null when it is not one of this order. */
const caplet_json *caplet_internal_cursor(caplet_text cursor, const char *order);
/* Makes a cursor of the keys of a page's last item. */
caplet_text caplet_internal_cursor_of(caplet_values keys, const char *order);
bool caplet_internal_whole_number(caplet_text text, int64_t *value);

/* The headers that conditional routes ask for; ends with a null. */
extern const char *const caplet_internal_conditions[];
/* Whether the lists of entity tags are well formed; if not, `answer` is the problem. */
bool caplet_internal_read_conditions(const caplet_request *request, caplet_answer *answer);
/* Seconds of Unix time as HTTP writes a date. */
caplet_text caplet_internal_date(int64_t unix_s);
/* A date in any of HTTP's three forms; 0 when it is none, which a recipient ignores. */
int64_t caplet_internal_read_date(caplet_text text);

#endif
