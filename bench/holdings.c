/*
 * mallinfo2 returns a struct in memory of the caller and calls nothing that allocates.
 */
#include "holdings.h"

#include <malloc.h>

#ifdef __GLIBC__
#define HAS_MALLINFO2 __GLIBC_PREREQ(2, 33)
#else
#define HAS_MALLINFO2 0
#endif

/* Of the resident bytes: by how much they must have grown before the allocator is asked again.
   Arbitrary; 500 samples of a growing heap are some hundred questions. */
enum { GROWTH_SHARE = 32 };

#if HAS_MALLINFO2
/* Volatile, as in identity.c. */
static struct mallinfo2 (*volatile ask)(void) = mallinfo2;

bool holdings_can(const struct identity *allocator)
{
    static char error[IDENTITY_ERROR_MAX];
    return identity_prove_function(allocator, "mallinfo2", (const void *)ask, error);
}

static struct holdings held(int64_t rss, int64_t live)
{
    struct mallinfo2 info = ask();
    return (struct holdings){
        .known = true,
        .rss = rss,
        .live = live,
        .used = (int64_t)(info.uordblks + info.hblkhd),
        .cached = (int64_t)info.fsmblks,
        .free = (int64_t)(info.fordblks - info.fsmblks - info.keepcost),
        .empty = (int64_t)info.keepcost,
    };
}
#else
bool holdings_can(const struct identity *allocator)
{
    (void)allocator;
    return false;
}

static struct holdings held(int64_t rss, int64_t live)
{
    (void)rss;
    (void)live;
    return (struct holdings){0};
}
#endif

void holdings_note(struct holdings *holdings, bool can, int64_t rss, int64_t live)
{
    if (can && rss > holdings->rss + holdings->rss / GROWTH_SHARE)
        *holdings = held(rss, live);
}

void holdings_print(const struct holdings *holdings, struct json_text *text)
{
    const struct holdings *h = holdings;
    if (!h->known)
        return;
    json_text_add(text,
                  ", \"held\": {\"rss\": %lld, \"live\": %lld, \"used\": %lld, \"cached\": %lld, "
                  "\"free\": %lld, \"empty\": %lld}",
                  (long long)h->rss, (long long)h->live, (long long)h->used, (long long)h->cached,
                  (long long)h->free, (long long)h->empty);
}
