/*
 * What the files of the check share, and nobody else sees. What is checked of one build alone is a
 * file of its own.
 */
#ifndef ALLOCATOR_CHECK_INNER_H
#define ALLOCATOR_CHECK_INNER_H

#include "check.h"
#include "heap_inner.h"

struct check {
    const struct heap *heap;
    char *report;
    unsigned faults;
};

/* Notes a fault unless it holds; whether it does. */
bool expect(struct check *check, bool holds, const void *where, const char *what);

/* Whether the span is in the heap's list of all. */
bool check_is_listed(const struct check *check, const struct span *wanted);

/* Whether a block's header can be read, and its size believed. */
bool check_block_shape(struct check *check, struct span *span, struct block *block);

/* Whether a block that something in the span points to can be one, and its size be believed. */
bool check_linked_block(struct check *check, struct span *span, struct block *block);

#if SPAN_FAST
#define check_shared_span(check, span) ((void)0)
#define check_contents(check, block)   ((void)0)

/* How many blocks of the span are deferred. */
#define span_deferred(span) ((span)->deferred_count)
/* The span's list of deferred blocks; their marks, in a span that blocks tile; and the list of
   spans that have some. */
void check_deferred_blocks(struct check *check, struct span *span);
void check_deferred_tiles(struct check *check, struct span *span);
void check_deferred_spans(struct check *check);
#else
/* Whether the heap knows the shared spans. */
void check_shared_span(struct check *check, const struct span *span);
/* What a block that was verified holds beside what is the program's: see verified.h. */
void check_contents(struct check *check, const struct block *block);

#define span_deferred(span)                ((size_t)0)
#define check_deferred_blocks(check, span) ((void)0)
#define check_deferred_tiles(check, span)  ((void)0)
#define check_deferred_spans(check)        ((void)0)
#endif

#endif
