/*
 * libspan: a general purpose allocator on top of mmap(2). The only public header.
 *
 * The functions are those of C11, POSIX and glibc under a prefix, and behave as those do: 16-byte
 * alignment, NULL and errno ENOMEM where there is no memory or the size overflows, errno kept by
 * free. All of them may be called from any thread. libspan.so exports them under their standard
 * names as well and can be preloaded into any program.
 *
 * Memory goes back to the system as it is freed. When a program of one thread has freed everything,
 * 40 MiB stay at the most: 32 MiB of empty regions, if it was seen to need them again, and what is
 * not worth a look.
 *
 * A program that breaks the heap (a double free, a pointer that is not ours, an overwritten
 * header) is ended by abort with one line on standard error.
 */
#ifndef LIBSPAN_H
#define LIBSPAN_H

#include <stddef.h>
#include <stdio.h> /* FILE */

#ifdef __cplusplus
extern "C" {
#endif

/* The version of this header; span_version() tells that of the library. */
#define LIBSPAN_VERSION_MAJOR 0
#define LIBSPAN_VERSION_MINOR 1
#define LIBSPAN_VERSION_PATCH 0

#ifdef __GNUC__ /* clang, too */
#define SPAN_API __attribute__((__visibility__("default"), __nothrow__))
#else
#define SPAN_API
#endif

/*
 * What compilers are told of a function that allocates. Its result must be used, and (gcc 11 and
 * later check) freed by span_free or span_realloc; where it is SPAN_NEW, nothing else points there.
 * LIBSPAN_UNTOLD is for who does on purpose what they warn of then.
 */
#if defined(__GNUC__) && !defined(LIBSPAN_UNTOLD)
#define SPAN_ATTRIBUTES(...) __attribute__((__VA_ARGS__))
#else
#define SPAN_ATTRIBUTES(...)
#endif
#define SPAN_RESULT(...) SPAN_ATTRIBUTES(__warn_unused_result__, __VA_ARGS__)
#define SPAN_NEW(...)    SPAN_RESULT(__malloc__, __VA_ARGS__) SPAN_FREED
#if !defined(__clang__) && defined(__GNUC__) && __GNUC__ >= 11
#define SPAN_FREED SPAN_ATTRIBUTES(__malloc__(span_free, 1), __malloc__(span_realloc, 1))
#else
#define SPAN_FREED
#endif

/* Frees; NULL is allowed. */
SPAN_API void span_free(void *p);
/*
 * C23: free, told the size (and the alignment) that were asked for. They are not looked at: the
 * block knows its own. A caller who tells another size breaks C's rules, but not the heap; libspan
 * with SPAN_OPTIONS=verify ends the program.
 */
SPAN_API void span_free_sized(void *p, size_t size);
SPAN_API void span_free_aligned_sized(void *p, size_t alignment, size_t size);

/* As malloc where p is NULL; frees and returns NULL where size is 0 and p is not. */
SPAN_API void *span_realloc(void *p, size_t size) SPAN_RESULT(__alloc_size__(2));
SPAN_API void *span_realloc(void *p, size_t size) SPAN_FREED; /* not before it has a name */
SPAN_API void *span_reallocarray(void *p, size_t count, size_t size)
    SPAN_RESULT(__alloc_size__(2, 3)) SPAN_FREED;

/* `size` bytes. A size of 0 gives a pointer of its own that must be freed like any other. */
SPAN_API void *span_malloc(size_t size) SPAN_NEW(__alloc_size__(1));
/* count * size zeroed bytes. */
SPAN_API void *span_calloc(size_t count, size_t size) SPAN_NEW(__alloc_size__(1, 2));

/* EINVAL (returned, errno untouched) unless alignment is a power of two and a multiple of
   sizeof(void *); ENOMEM; 0 and *memptr set. */
SPAN_API int span_posix_memalign(void **memptr, size_t alignment, size_t size)
    SPAN_ATTRIBUTES(__warn_unused_result__);
/* NULL and EINVAL unless alignment is a power of two. Size need not be a multiple of it. */
SPAN_API void *span_aligned_alloc(size_t alignment, size_t size)
    SPAN_NEW(__alloc_align__(1), __alloc_size__(2));
/* An alignment that is no power of two is rounded up to one. */
SPAN_API void *span_memalign(size_t alignment, size_t size)
    SPAN_NEW(__alloc_align__(1), __alloc_size__(2));
/* Page-aligned; pvalloc rounds the size up to whole pages, too. */
SPAN_API void *span_valloc(size_t size) SPAN_NEW(__alloc_size__(1));
SPAN_API void *span_pvalloc(size_t size) SPAN_RESULT(__malloc__) SPAN_FREED;

/* Bytes that the caller may use at p, at least what was requested; 0 for NULL. */
SPAN_API size_t span_malloc_usable_size(void *p);

/*
 * What programs know from glibc. Empty regions that are kept go back to the system at once, but for
 * `pad` bytes, and what the calling thread has cached: 1 if that was anything, else 0.
 */
SPAN_API int span_malloc_trim(size_t pad);

/*
 * glibc's struct mallinfo2, field by field. Live blocks have uordblks + hblkhd bytes, their headers
 * and the regions' included; whatever else is mapped is in fordblks.
 */
struct span_mallinfo2 {
    size_t arena;    /* bytes mapped, without those of hblkhd */
    size_t ordblks;  /* free blocks */
    size_t smblks;   /* freed blocks that are cached by a thread, or not merged yet */
    size_t hblks;    /* regions with one large block each */
    size_t hblkhd;   /* their bytes */
    size_t usmblks;  /* 0 */
    size_t fsmblks;  /* bytes of smblks */
    size_t uordblks; /* of arena: bytes in use */
    size_t fordblks; /* of arena: all others */
    size_t keepcost; /* of these: in empty regions, which malloc_trim gives back */
};
/* The same in ints, INT_MAX for what is more. */
struct span_mallinfo {
    int arena, ordblks, smblks, hblks, hblkhd, usmblks, fsmblks, uordblks, fordblks, keepcost;
};
/* Both count block by block. */
SPAN_API struct span_mallinfo2 span_mallinfo2(void);
SPAN_API struct span_mallinfo span_mallinfo(void);

/* The same by heap, as XML in glibc's form. 0; EINVAL unless `options` is 0. */
SPAN_API int span_malloc_info(int options, FILE *stream);
/* And as text on standard error. */
SPAN_API void span_malloc_stats(void);

/* 1 for the parameters that glibc knows, which have no effect here, else 0. */
SPAN_API int span_mallopt(int parameter, int value);
/* free, as it was called long ago. */
SPAN_API void span_cfree(void *p);

/* Verifies the whole heap, slowly. Returns the number of faults and prints the first one to
   standard error. */
SPAN_API unsigned span_check(void);

/* "span VERSION". */
SPAN_API const char *span_version(void);

#ifdef __cplusplus
}
#endif

#endif
