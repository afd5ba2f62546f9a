/* Makes each kind of call, the odd ones included, between two mallocs of MARK bytes. One thread. */
#include <malloc.h>
#include <stdint.h>
#include <stdlib.h>

enum { MARK = 777777 };

static void calls(void)
{
    volatile size_t most = SIZE_MAX; /* the compiler need not know */
    void *p = malloc(100);
    p = realloc(p, 200000);
    free(p);
    p = calloc(7, 11);
    p = reallocarray(p, 5, 20);
    free(reallocarray(p, most, 2) != NULL ? NULL : p);
    free(NULL);
    free(realloc(NULL, 65535));
    free(malloc(65534));
    free(aligned_alloc(64, 640));
    free(memalign(128, 1000));
    if (posix_memalign(&p, 256, 70000) == 0)
        free(p);
    free(posix_memalign(&p, 3, 10) == 0 ? p : NULL);
    free(valloc(10));
    free(pvalloc(20));
    free(malloc(most / 2));
    free(malloc(0));
}

int main(void)
{
    void *first = malloc(MARK);
    calls();
    void *last = malloc(MARK);
    free(first);
    free(last);
    return 0;
}
