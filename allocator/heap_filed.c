/* The files: lists of the spans that have something in a bin, see SPAN_FILED_FROM in span.h. */
#include "heap_parts.h"

static void heap_file_under(struct heap *heap, struct span *span, unsigned bin)
{
    unsigned file = span_file_of(bin);
    struct span *next = heap->filed[bin];
    span->filed[file] = (struct span_links){NULL, next};
    if (next)
        next->filed[file].prev = span;
    heap->filed[bin] = span;
    heap->filed_map |= UINT64_C(1) << bin;
}

static void heap_unfile_from(struct heap *heap, struct span *span, unsigned bin)
{
    unsigned file = span_file_of(bin);
    struct span_links links = span->filed[file];
    if (links.next)
        links.next->filed[file].prev = links.prev;
    if (links.prev)
        links.prev->filed[file].next = links.next;
    else
        heap->filed[bin] = links.next;
    if (!heap->filed[bin])
        heap->filed_map &= ~(UINT64_C(1) << bin);
}

/* What goes comes first: two bins below SPAN_FILED_FROM have the same links. */
void heap_refile(struct heap *heap, struct span *span, uint64_t map)
{
    for (uint64_t gone = span->filed_map & ~map; gone; gone &= gone - 1)
        heap_unfile_from(heap, span, (unsigned)__builtin_ctzl(gone));
    for (uint64_t new = map & ~span->filed_map; new; new &= new - 1)
        heap_file_under(heap, span, (unsigned)__builtin_ctzl(new));
    span->filed_map = map;
}
