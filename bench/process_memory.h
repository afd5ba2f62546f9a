/*
 * What the system says of this process's memory: resident bytes, mapped bytes and their peaks. Read
 * with read(2) from files of /proc/self kept open: no malloc, no stdio. It knows nothing of what
 * belongs to whom; that is footprint.h.
 */
#ifndef BENCH_PROCESS_MEMORY_H
#define BENCH_PROCESS_MEMORY_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/*
 * Opens the files and proves that they tell of memory: in containers they may be masked, so that
 * they can be read and written, and mean nothing. false, with the path of the one that fails in
 * *path, and errno; 0 where it is there but tells nonsense.
 */
bool process_memory_open(const char **path);
/* What was wrong with that file, going by errno. */
const char *process_memory_reason(void);
void process_memory_close(void);

/*
 * Resident bytes, cheap (VmRSS of /proc/self/status). Kernels before 6.17 keep this counter in
 * pieces, one a CPU, and may be off by 64 pages a CPU.
 */
size_t process_memory_rss(void);
/*
 * Resident bytes, exact (Rss of /proc/self/smaps_rollup: the system walks the page tables, some
 * milliseconds a GiB). Where the system has no such file, as process_memory_rss.
 */
size_t process_memory_rss_exact(void);
/* Bytes of it in huge pages that the system gave without being asked for them by name
   (AnonHugePages of /proc/self/smaps_rollup); 0 where the system does not say. */
size_t process_memory_huge(void);
/* Bytes of address space in use (VmSize), what process_memory_reset_peak_mapped reserves included.
 */
size_t process_memory_mapped(void);
/* Most resident bytes at once since the process began or process_memory_reset_peak (VmHWM). */
size_t process_memory_peak(void);
/* false and errno on failure. */
bool process_memory_reset_peak(void);
/* Most mapped bytes at once (VmPeak). */
size_t process_memory_peak_mapped(void);
/*
 * Makes the bytes that are mapped now the most so far. The system cannot forget that peak, so the
 * address space that is missing to it is reserved, and stays so until the next call or the close.
 * false and errno on failure.
 */
bool process_memory_reset_peak_mapped(void);

/* Bytes of some mappings. */
struct process_memory_share {
    size_t resident;
    size_t mapped;
};

/*
 * The mappings that belong to no file, no program's data and no stack: what an allocator has taken
 * from the system, and a few pages of the dynamic loader's.
 */
struct process_memory_share process_memory_anonymous(void);

#endif
