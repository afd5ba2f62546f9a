/*
 * What span.c and span_kept.c share, and nobody else sees: the list of all spans, and what is
 * learnt and returned when one is asked for.
 */
#ifndef ALLOCATOR_SPAN_PARTS_H
#define ALLOCATOR_SPAN_PARTS_H

#include "span.h"

/* span.c */

/* Put a span into the list of all and take it out; its size and kind are counted there. */
void span_link(struct spans *spans, struct span *span);
void span_unlink(struct spans *spans, struct span *span);

/* span_kept.c */

/* To be called when bytes of spans that are not kept have become more. */
void spans_note_used(struct spans *spans);

/* Learns from a span of `size` bytes that is asked for. */
void spans_learn_asked(struct spans *spans, size_t size);

/* Returns kept spans before `bytes` more are mapped, so that the heap grows beyond what it once was
   by no more than spares (SPAN_SPARE_SHARE). */
void spans_make_way(struct spans *spans, size_t bytes);

#endif
