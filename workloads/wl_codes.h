/*
 * The byte code of glibc's malloc trace workloads (.wl), shared by its importer and its exporter.
 * Numbers are of 7 bits a byte, the most significant first; all bytes but the last have their
 * highest bit set. A file has no magic. The main block comes first: counts, where each thread's
 * code begins, WL_DONE.
 */
#ifndef WORKLOADS_WL_CODES_H
#define WORKLOADS_WL_CODES_H

enum wl_code {
    WL_NOP,
    WL_DONE,
    WL_MALLOC,         /* slot size. Slot 0 is NULL */
    WL_CALLOC,         /* slot bytes */
    WL_REALLOC,        /* new slot, old slot, size */
    WL_FREE,           /* slot */
    WL_SYNC_W,         /* id */
    WL_SYNC_R,         /* id: waits for its WL_SYNC_W */
    WL_ALLOC_PTRS,     /* slots */
    WL_ALLOC_SYNCS,    /* ids */
    WL_NTHREADS,       /* threads */
    WL_START_THREAD,   /* offset in the file */
    WL_MEMALIGN,       /* slot alignment size */
    WL_VALLOC,         /* slot size */
    WL_PVALLOC,        /* slot size */
    WL_POSIX_MEMALIGN, /* slot alignment size */
    WL_CODES,
};

#endif
