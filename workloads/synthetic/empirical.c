/*
 * profile: sizes and lifetimes drawn from those of a real program. A block is made at each step and
 * freed when as many others have been made as its lifetime says. It imitates the program as far as
 * a histogram can, at any length, and stresses what that program stresses on average. It does not
 * show what histograms lose: that sizes and lifetimes go together, phases, order. A replay of the
 * trace has all that. Source of the idea: Zorn and Grunwald, "Evaluating Models of Memory
 * Allocation", ACM TOMACS 1994, which also tells how wrong such models can be.
 */
#include "workloads/profile.h"
#include "workloads/worker.h"

/* A block and the next one that is freed at the same time. */
struct mortal {
    struct piece piece;
    uint32_t next; /* index + 1; 0: none. Of a place without a block: the next such place */
};

/* Blocks by the time at which they are to be freed: a ring of lists, as long as the longest life.
 */
struct calendar {
    struct profile profile; /* the same for all workers */
    uint64_t days;          /* a power of two */
    uint64_t today;         /* all blocks of the days before have been freed */
    struct mortal *mortals; /* as many as there are days */
    uint32_t *first;        /* by day: index + 1 of its list; 0: empty */
    uint32_t vacant;        /* index + 1 of a place without a block; 0: all are in use */
    uint32_t used;          /* places from here on never had one */
};

static uint64_t days_for(uint64_t lifetime)
{
    uint64_t days = 1;
    while (days < lifetime + 1)
        days *= 2;
    return days;
}

static void profile_prepare(struct worker *workers)
{
    const struct workload_options *options = workers->options;
    static struct profile profile;
    char error[PROFILE_ERROR_MAX];
    if (options->profile == NULL)
        worker_refuse("--profile FILE is needed");
    if (!profile_read(&profile, options->profile, error))
        worker_refuse("%s", error);
    workers_make_state(workers, sizeof(struct calendar));
    for (unsigned i = 0; i < options->threads; i++) {
        struct calendar *calendar = workers[i].state;
        calendar->profile = profile;
        calendar->days = days_for(options->size);
        calendar->mortals = worker_table(calendar->days * sizeof(struct mortal));
        calendar->first = worker_table(calendar->days * sizeof(uint32_t));
    }
}

/* A place for a block; there is one as long as no block lives longer than there are days. */
static uint32_t calendar_place(struct calendar *calendar)
{
    uint32_t at = calendar->vacant;
    if (at == 0)
        return ++calendar->used;
    calendar->vacant = calendar->mortals[at - 1].next;
    return at;
}

static void calendar_bear(struct worker *worker, struct calendar *calendar)
{
    uint64_t drawn = distribution_draw(&calendar->profile.sizes, &worker->prng);
    size_t size = drawn < WORKER_LEAST ? WORKER_LEAST : drawn;
    uint64_t life = distribution_draw(&calendar->profile.lifetimes, &worker->prng);
    if (life > worker->options->size)
        life = worker->options->size;
    uint32_t at = calendar_place(calendar);
    uint32_t *day = &calendar->first[(calendar->today + life) & (calendar->days - 1)];
    calendar->mortals[at - 1] =
        (struct mortal){.piece = {worker_malloc(worker, size), size}, .next = *day};
    *day = at;
}

/* Frees what is due today. */
static void calendar_end_day(struct worker *worker, struct calendar *calendar)
{
    uint32_t *day = &calendar->first[calendar->today++ & (calendar->days - 1)];
    uint32_t at = *day;
    *day = 0;
    while (at != 0) {
        struct mortal *mortal = &calendar->mortals[at - 1];
        uint32_t next = mortal->next;
        worker_free(worker, mortal->piece.p, mortal->piece.size);
        mortal->next = calendar->vacant;
        calendar->vacant = at;
        at = next;
    }
}

static void profile_run(struct worker *worker)
{
    struct calendar *calendar = worker->state;
    while (worker_is_due(worker)) {
        calendar_bear(worker, calendar);
        calendar_end_day(worker, calendar);
    }
    for (uint64_t i = 0; i < calendar->days; i++)
        calendar_end_day(worker, calendar);
}

const struct workload workload_profile = {
    .name = "profile",
    .summary = "sizes and lifetimes of a real program, from a profile file",
    .size_is = "longest life of a block, in blocks made meanwhile",
    .size = 262143,
    .ops = 3000000,
    .threads = 1,
    .size_least = 1,
    .needs_profile = true,
    .prepare = profile_prepare,
    .run = profile_run,
};
