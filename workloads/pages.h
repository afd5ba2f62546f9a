/*
 * Memory straight from mmap, for code that runs inside a program whose malloc is being measured or
 * recorded and so must never call it. Growable arrays, zero-filled; and a count of what is mapped.
 */
#ifndef WORKLOADS_PAGES_H
#define WORKLOADS_PAGES_H

#include <stdbool.h>
#include <stddef.h>

/* Maps at least `bytes` zeroed bytes (rounded up to pages); NULL and errno on failure. */
void *pages_map(size_t bytes);
/* Enlarges a mapping made by pages_map, possibly moving it; NULL and errno on failure, and then
   the old one is untouched. The new part is zero. */
void *pages_grow(void *p, size_t old_bytes, size_t new_bytes);
void pages_unmap(void *p, size_t bytes);
/* Bytes mapped through these functions in this process now. */
size_t pages_mapped(void);

/* A map and unmap in the form that zstd wants of its memory functions: the size is kept in front of
   what is lent. `opaque` is not used. */
void *pages_lend(void *opaque, size_t bytes);
void pages_return(void *opaque, void *p);

/* What pages_reserve does where the array is too small. */
bool pages_reserve_more(void **p, size_t *capacity, size_t element, size_t wanted);

/* Makes sure that array *p of *capacity elements of `element` bytes has room for `wanted`
   elements, doubling; false and errno on failure (nothing changed then). */
static inline bool pages_reserve(void **p, size_t *capacity, size_t element, size_t wanted)
{
    return wanted <= *capacity || pages_reserve_more(p, capacity, element, wanted);
}

#endif
