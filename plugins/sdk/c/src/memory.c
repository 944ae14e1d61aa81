/* Memory that lives as long as an invocation. The host's arguments and results are in it too, so that
 * nothing is freed one by one: the end of an invocation gives all of it back at once. */
#include "internal.h"

#define PAGE_BYTES 65536u
#define ALIGNMENT 16u

extern unsigned char __heap_base;

static uintptr_t next;
static uintptr_t end;

static void *take(size_t size, size_t align) {
    if (next == 0) {
        next = (uintptr_t)&__heap_base;
        end = __builtin_wasm_memory_size(0) * (uintptr_t)PAGE_BYTES;
    }
    uintptr_t at = (next + align - 1) & ~(uintptr_t)(align - 1);
    if (at < next || size > UINTPTR_MAX - at) {
        __builtin_trap();
    }
    if (at + size > end) {
        size_t pages = (at + size - end + PAGE_BYTES - 1) / PAGE_BYTES;
        if (__builtin_wasm_memory_grow(0, pages) == SIZE_MAX) {
            __builtin_trap();
        }
        end += pages * PAGE_BYTES;
    }
    next = at + size;
    return (void *)at;
}

void *caplet_allocate(size_t size_bytes) {
    return take(size_bytes, ALIGNMENT);
}

void caplet_internal_release(void) {
    next = (uintptr_t)&__heap_base;
}

/* Replaces the weak function of the generated bindings. The last allocation grows in place. */
__attribute__((__export_name__("cabi_realloc"))) void *cabi_realloc(
    void *old, size_t old_size, size_t align, size_t new_size) {
    if (old != NULL && old_size > 0 && (uintptr_t)old + old_size == next && new_size > old_size) {
        take(new_size - old_size, 1);
        return old;
    }
    void *fresh = take(new_size, align);
    if (old_size > 0) {
        __builtin_memcpy(fresh, old, old_size < new_size ? old_size : new_size);
    }
    return fresh;
}

/* The bindings name these; nothing of theirs is used. */
void free(void *memory) {
    (void)memory;
}

void *malloc(size_t size) {
    return caplet_allocate(size);
}

void *realloc(void *old, size_t size) {
    (void)old;
    return caplet_allocate(size);
}
