/* Preloaded together with libc_malloc_debug.so.0: any program writes the log that MALLOC_TRACE
 * names. */
#include <mcheck.h>

__attribute__((constructor)) static void log_begin(void)
{
    mtrace();
}
