/* The next allocator's functions, see recorder_real.h. */
#include "recorder_real.h"
#include "recorder_symbols.h"

struct recorder_real real;

void real_find(void)
{
    real.calloc = symbol_next("calloc");
    real.realloc = symbol_next("realloc");
    real.free = symbol_next("free");
    real.aligned_alloc = symbol_next("aligned_alloc");
    real.memalign = symbol_next("memalign");
    real.posix_memalign = symbol_next("posix_memalign");
    real.valloc = symbol_next("valloc");
    real.pvalloc = symbol_next("pvalloc");
    real.reallocarray = symbol_next("reallocarray");
    void *next = symbol_next("malloc");
    __atomic_store_n((void **)&real.malloc, next, __ATOMIC_RELEASE);
}
