/*
 * The units of a raw file, claimed by threads at the same time: each is handed out once, and is
 * where it is said to be in the file. Under TSan as well: nothing here takes a lock.
 */
#include "cmocka_all.h"
#include "workloads/recorder_space.h"

#include <pthread.h>
#include <stdlib.h>
#include <unistd.h>

enum {
    THREADS = 4,
    CLAIMS = 400, /* by each thread: dozens of segments */
    UNITS = 1 << 16,
    BUSY = 2 /* threads of the first ones that claim ahead */
};

struct claimer {
    pthread_t thread;
    pthread_barrier_t *begin;
    uint64_t number;
    uint64_t ends[CLAIMS];
    int error;
};

static void claim_and_write(struct claimer *claimer, struct space_ahead *ahead, uint64_t *end)
{
    struct raw_window *window;
    bool busy = claimer->number < BUSY;
    int error = busy ? space_claim_ahead(ahead, &window, end) : space_claim(&window, end);
    if (error == 0)
        error = space_reserve(window, 0, RAW_STEP);
    if (error != 0) {
        claimer->error = error;
        return;
    }
    /* Another thread's unit may have been mapped here before. The kernel has those two follow each
       other, which TSan does not see: hence an atomic store. */
    __atomic_store_n((uint64_t *)window, claimer->number << 32 | *end / RAW_UNIT, __ATOMIC_RELAXED);
    space_give_up(window);
}

static void *claim_all(void *argument)
{
    struct claimer *claimer = argument;
    struct space_ahead ahead = {0};
    pthread_barrier_wait(claimer->begin);
    for (unsigned i = 0; i < CLAIMS && claimer->error == 0; i++)
        claim_and_write(claimer, &ahead, &claimer->ends[i]);
    space_give_up_ahead(&ahead);
    return NULL;
}

static int new_file(void)
{
    char path[] = "/tmp/test_recorder_space.XXXXXX";
    int fd = mkstemp(path);
    assert_true(fd >= 0);
    assert_int_equal(unlink(path), 0);
    assert_int_equal(ftruncate(fd, (off_t)UNITS * RAW_UNIT), 0);
    return fd;
}

static void each_unit_is_handed_out_once(void **state)
{
    static struct claimer claimers[THREADS];
    static bool taken[UNITS];
    pthread_barrier_t begin;
    (void)state;
    int fd = new_file();
    assert_int_equal(space_begin(fd, (uint64_t)UNITS * RAW_UNIT, true), 0);
    pthread_barrier_init(&begin, NULL, THREADS);
    for (unsigned i = 0; i < THREADS; i++) {
        claimers[i] = (struct claimer){.begin = &begin, .number = i};
        assert_int_equal(pthread_create(&claimers[i].thread, NULL, claim_all, &claimers[i]), 0);
    }
    for (unsigned i = 0; i < THREADS; i++)
        assert_int_equal(pthread_join(claimers[i].thread, NULL), 0);
    for (unsigned i = 0; i < THREADS; i++) {
        assert_int_equal(claimers[i].error, 0);
        for (unsigned k = 0; k < CLAIMS; k++) {
            uint64_t unit = claimers[i].ends[k] / RAW_UNIT, written;
            assert_true(unit >= 2 && unit <= UNITS && !taken[unit - 1]);
            taken[unit - 1] = true;
            assert_int_equal(pread(fd, &written, sizeof written, (off_t)(unit - 1) * RAW_UNIT),
                             sizeof written);
            assert_int_equal(written, (uint64_t)i << 32 | unit);
        }
    }
    space_forget(true);
    pthread_barrier_destroy(&begin);
    close(fd);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(each_unit_is_handed_out_once)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
