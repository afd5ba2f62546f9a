/* A call of the malloc family before it is an operation of a trace: it names addresses, no slots.
 */
#ifndef WORKLOADS_CALL_H
#define WORKLOADS_CALL_H

#include "trace.h"

/* One call, as a recorder or another tool's file tells it. */
struct call {
    uint64_t time_ns;
    uint64_t begin_ns; /* of the call itself, on any clock: the gaps between a thread's calls ... */
    uint64_t end_ns;   /* ... go from the end of one to the beginning of the next; 0: unknown */
    uint64_t result;   /* address (key) returned; 0: NULL */
    uint64_t old;      /* free, realloc: address passed; 0: NULL */
    uint64_t size;     /* as in struct trace_op */
    uint64_t count;    /* as in struct trace_op */
    uint64_t thread;   /* any number that names the thread; made dense by the builder */
    uint64_t present;  /* as in struct trace_op; what is more than the block has is left out */
    uint32_t site;     /* as in struct trace_op */
    enum trace_kind kind; /* THREAD_START and THREAD_END may be given, starts are added if not */
};

#endif
