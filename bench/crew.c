/*
 * Threads are made after the baseline of memory has been taken, so that what an allocator keeps for
 * each counts, and before the clock starts. Their stacks are the harness's and mapped before.
 */
#include "crew.h"

#include "own_memory.h"

#include "workloads/worker.h"

#include <errno.h>
#include <pthread.h>

/* Arbitrary, as that of the threads that workloads make. */
enum { STACK_BYTES = 256 << 10 };

/* One thread's way to its work. */
struct member {
    struct crew *crew;
    struct worker *worker;
    pthread_t thread;
};

static pthread_barrier_t gate;
static struct member members[CREW_MOST];

bool crew_open(struct crew *crew, const struct workload *workload, struct worker *workers,
               unsigned threads)
{
    *crew = (struct crew){.workload = workload, .workers = workers, .threads = threads};
    crew->stacks = own_memory_map((size_t)threads * STACK_BYTES);
    return crew->stacks != NULL;
}

static void work(const struct member *member)
{
    member->crew->workload->run(member->worker);
    worker_share_live(member->worker);
}

static void *member_main(void *data)
{
    pthread_barrier_wait(&gate);
    work(data);
    pthread_barrier_wait(&gate);
    return NULL;
}

static int member_start(struct member *member, char *stack)
{
    pthread_attr_t attributes;
    pthread_attr_init(&attributes);
    pthread_attr_setstack(&attributes, stack, STACK_BYTES);
    int error = pthread_create(&member->thread, &attributes, member_main, member);
    pthread_attr_destroy(&attributes);
    return error;
}

int crew_start(struct crew *crew)
{
    pthread_barrier_init(&gate, NULL, crew->threads);
    for (unsigned i = 0; i < crew->threads; i++) {
        members[i] = (struct member){.crew = crew, .worker = &crew->workers[i]};
        int error = i > 0 ? member_start(&members[i], crew->stacks + i * STACK_BYTES) : 0;
        if (error != 0)
            return error;
    }
    return 0;
}

void crew_work(struct crew *crew, struct cost *cost)
{
    struct cost before = cost_before();
    pthread_barrier_wait(&gate);
    work(&members[0]);
    pthread_barrier_wait(&gate);
    struct cost after = cost_after();
    cost_add(cost, &before, &after);
    for (unsigned i = 1; i < crew->threads; i++)
        pthread_join(members[i].thread, NULL);
}
