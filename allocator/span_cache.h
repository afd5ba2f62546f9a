/*
 * The span cache: which empty spans a heap keeps, which of them serves a request, how it is cut,
 * merged or enlarged for that, and which go back to the system. New spans are mapped through here
 * as well, since that is when the cache learns and makes way.
 *
 * How much is cached is learnt: a span that was returned and then asked for again should have been
 * kept, so that programs which allocate and free large blocks in turn do not fault them in each
 * time.
 */
#ifndef ALLOCATOR_SPAN_CACHE_H
#define ALLOCATOR_SPAN_CACHE_H

#include "span.h"

enum {
    /*
     * Bytes of empty spans that are cached at first. Arbitrary within wide limits: 1 MiB costs a
     * program little, and faulting its 256 pages in again would cost some 300 us.
     */
    SPAN_CACHE_FIRST = 1024 * 1024,
    /* Where that limit ends when it grows with the spans that were returned too early. The largest
       mmap threshold of glibc, so that both keep the same blocks in reach. */
    SPAN_CACHE_LAST = 32 * 1024 * 1024,
    /* And how many of the spans that were returned too early it may come to. */
    SPAN_CACHE_FEW = 8,
    /* Small ones may be more, as long as they come to no more than half of that end. */
    SPAN_CACHE_MANY = 32,
    /*
     * Where BUILD_CUTS_CACHED, as many bytes of empty spans may be cached as dedicated spans have,
     * times this: a program whose large blocks come and go will need them again. With 3
     * large-traffic has 1.4 times the page faults, with 1 over four times.
     */
    SPAN_CACHE_TIMES = 4,
    /*
     * But before the heap grows beyond what it once was, empty spans go back, down to this share of
     * the spans that are in use (or the limit above): those that suit no request are worth this
     * much. A quarter saves a third of replace-large's page faults and takes 5 % more memory.
     */
    SPAN_SPARE_SHARE = 8,
    /* The part by which the memory of that fades with each span that becomes empty; arbitrary. */
    SPAN_FADE_SHARE = 1024,
    /* Less is not cut off an empty span for a large block: it would serve none. BIN_LARGE. */
    SPAN_CUT_LEAST = 128 * 1024,
};

/* As span_map, span_map_aligned and span_remap; cached spans go back first where the heap would
   grow beyond what it once was. asked: the bytes of a span that would have served instead. */
struct span *span_cache_map(struct spans *spans, size_t size);
struct span *span_cache_map_aligned(struct spans *spans, size_t align, size_t gross,
                                    struct block **block);
struct span *span_cache_remap(struct spans *spans, struct span *span, size_t size, size_t asked);
/* As prefault_map_huge, likewise. */
struct span *span_cache_map_huge(struct spans *spans);

/* Whether a span that becomes empty now is to be cached: if it is not too large, and, where only
   one is, larger than that one. */
bool span_cache_wants(struct spans *spans, const struct span *span);

/* Whether another span must go before one of `size` bytes is cached. */
bool span_cache_is_full(const struct spans *spans, size_t size);

/* At least so many bytes may be cached from now on, as far as anything that is learnt may. */
void span_cache_allow(struct spans *spans, size_t bytes);

/* Puts a span that is in no index into the cache's list, as the one emptied last. */
void span_cache_put(struct spans *spans, struct span *span);

/* An empty span, filled, with all cached ones that touch it: the lowest of them, not cached. */
struct span *span_cache_merge(struct spans *spans, struct span *span);

/* Caches an empty span, all of it one free block in its bin, that is in no index; others go back to
   the system if they are too many then. */
void span_cache_keep(struct spans *spans, struct span *span);

/* Returns the cached span that was emptied first to the system, in favour of one of `size` bytes;
   or, where BUILD_CUTS_CACHED, as much of it as is too much. False if the system refused, and all
   of the span is cached still. */
bool span_cache_evict(struct spans *spans, size_t size);

/* Returns to the system what is cached beyond the limit, which falls as dedicated spans go. */
void span_cache_return_excess(struct spans *spans);

/* Takes a span out of the cache, as a span of another kind. */
void span_cache_take(struct spans *spans, struct span *span, enum span_kind kind);

/* Returns a cached span to the system; false if that was refused, and nothing changed. */
bool span_cache_unmap(struct spans *spans, struct span *span);

/* span_fit.c */

/* Makes what an empty span has beyond `size` bytes (whole pages, with SPAN_MIN at least behind
   them) another span, which is cached. The first one, filled, is not. */
void span_cache_split(struct spans *spans, struct span *span, size_t size);

/* The free block of the smallest cached span that has `gross` bytes; NULL if none has. The span
   stays cached. */
struct block *span_cache_find(const struct spans *spans, size_t gross);

/* Takes a span out of the cache as an ordinary one, without what it has beyond `size` bytes if that
   is most of it, which is returned or cached: a few small blocks must not hold what a large one
   left. */
void span_cache_use(struct spans *spans, struct span *span, size_t size);

/* Makes a cached span of less than `size` bytes, but no less than half of them, as large as that:
   what it has need not be faulted in again. All of it as one free block, the span now of that kind;
   NULL if there is none or the system has no room, errno is kept then. */
struct block *span_cache_stretch(struct spans *spans, size_t size, enum span_kind kind);

/* As span_cache_find for a block that uses most of the span, or for which it is cut or was
   stretched, and which the caller must take: the span is dedicated to it then. */
struct block *span_cache_dedicate(struct spans *spans, size_t gross);

#endif
