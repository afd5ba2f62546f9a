/*
 * An allocator that breaks one promise now and then. Blocks are cut from one large mapping and
 * never used again, so that nothing but the fault is wrong. BROKEN says which:
 *
 *   overlap      a block begins in the middle of another
 *   misaligned   a block begins 8 bytes late
 *   dirty        calloc leaves a byte that is not zero
 *   forgetful    realloc does not copy the last byte
 *   boastful     malloc_usable_size counts bytes that are the next block's
 *   scarce       malloc_usable_size says less than was asked for
 *   noisy        free sets errno
 *   scribbling   the allocator writes into a block that lives
 *   racing       a thread gets the block that another one has just got
 *   stealing     a block that another thread than its maker frees is handed out twice
 *
 * The last two need threads. Anything else, and it is sound.
 */
#include <errno.h>
#include <malloc.h>
#include <pthread.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#define EXPORT __attribute__((visibility("default")))

enum { EVERY = 200, ALIGNMENT = 16, STOLEN_MOST = 2 };

static const size_t all_bytes = (size_t)64 << 30; /* of address space */

/* In front of each block. */
struct head {
    size_t usable;
    pthread_t maker;
};
_Static_assert(sizeof(struct head) == ALIGNMENT, "blocks are aligned");

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static char *next_block; /* of the mapping */
static char *last;       /* made last */
static char *stolen[STOLEN_MOST];
static unsigned stolen_count;
static unsigned calls;

static bool breaks(const char *what)
{
    const char *how = getenv("BROKEN");
    return how != NULL && strcmp(how, what) == 0;
}

static bool is_due(void)
{
    return ++calls % EVERY == 0;
}

static struct head *head_of(void *p)
{
    return (struct head *)p - 1;
}

static char *block_cut(size_t size, size_t alignment)
{
    size_t usable = (size + ALIGNMENT - 1) & ~(size_t)(ALIGNMENT - 1);
    if (next_block == NULL)
        next_block = mmap(NULL, all_bytes, PROT_READ | PROT_WRITE,
                          MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    if (size > all_bytes / 2) {
        errno = ENOMEM;
        return NULL;
    }
    uintptr_t at = (uintptr_t)next_block + sizeof(struct head) + alignment - 1;
    char *p = (char *)(at & ~(uintptr_t)(alignment - 1));
    next_block = p + usable;
    *head_of(p) = (struct head){usable, pthread_self()};
    return p;
}

/* A block that is another's as well; NULL: none is to be had. */
static char *block_share(size_t size)
{
    if (breaks("stealing") && stolen_count > 0 && head_of(stolen[stolen_count - 1])->usable >= size)
        return stolen[--stolen_count];
    if (breaks("racing") && last != NULL && head_of(last)->usable >= size &&
        !pthread_equal(head_of(last)->maker, pthread_self()))
        return last;
    return NULL;
}

static char *block_make(size_t size)
{
    char *p = block_share(size);
    if (p != NULL)
        return p;
    p = block_cut(size, ALIGNMENT);
    if (size < 4 * ALIGNMENT || size > 4096)
        return p;
    if (breaks("overlap") && is_due()) {
        p += ALIGNMENT;
        *head_of(p) = (struct head){head_of(p - ALIGNMENT)->usable, pthread_self()};
        next_block -= ALIGNMENT;
    }
    if (breaks("misaligned") && is_due()) {
        p += ALIGNMENT / 2;
        *head_of(p) = (struct head){size, pthread_self()};
    }
    if (breaks("scribbling") && last != NULL && is_due())
        last[3] ^= 1;
    last = p;
    return p;
}

EXPORT void *malloc(size_t size)
{
    pthread_mutex_lock(&lock);
    char *p = block_make(size);
    pthread_mutex_unlock(&lock);
    return p;
}

EXPORT void free(void *p)
{
    pthread_mutex_lock(&lock);
    bool is_stolen = p != NULL && !pthread_equal(head_of(p)->maker, pthread_self());
    if (is_stolen && stolen_count == 0 && breaks("stealing")) {
        stolen[stolen_count++] = p;
        stolen[stolen_count++] = p;
    }
    if (p == last)
        last = NULL;
    if (breaks("noisy") && is_due())
        errno = EINVAL;
    pthread_mutex_unlock(&lock);
}

EXPORT void *calloc(size_t count, size_t size)
{
    size_t bytes = count * size;
    char *p = memalign(ALIGNMENT, bytes); /* never another's: the loader lives in some of these */
    if (p == NULL)
        return NULL;
    memset(p, 0, bytes);
    if (breaks("dirty") && bytes > 0)
        p[bytes / 2] = 7;
    return p;
}

EXPORT void *realloc(void *p, size_t size)
{
    char *moved = malloc(size);
    if (p == NULL || moved == NULL)
        return moved;
    size_t kept = head_of(p)->usable < size ? head_of(p)->usable : size;
    memcpy(moved, p, breaks("forgetful") && kept > 0 ? kept - 1 : kept);
    free(p);
    return moved;
}

EXPORT void *memalign(size_t alignment, size_t size)
{
    pthread_mutex_lock(&lock);
    char *p = block_cut(size, alignment < ALIGNMENT ? ALIGNMENT : alignment);
    pthread_mutex_unlock(&lock);
    return p;
}

EXPORT void *aligned_alloc(size_t alignment, size_t size)
{
    return memalign(alignment, size);
}

EXPORT int posix_memalign(void **p, size_t alignment, size_t size)
{
    *p = memalign(alignment, size);
    return *p ? 0 : ENOMEM;
}

EXPORT size_t malloc_usable_size(void *p)
{
    size_t usable = p ? head_of(p)->usable : 0;
    if (breaks("boastful"))
        return usable + 2 * ALIGNMENT;
    return breaks("scarce") && usable > 0 ? usable - ALIGNMENT : usable;
}
