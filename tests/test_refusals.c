/*
 * A system that refuses: one run of the model with everything in it is repeated, and each time
 * another one of its calls for pages (or to return them) fails, once or from then on, until none
 * is left to fail. The caller sees NULL and ENOMEM at most; the heap stays sound after every
 * operation, every live block keeps its contents, the run goes on, and no page is lost.
 */
#include "cmocka_all.h"
#include "fake_os.h"
#include "heap_fixture.h"
#include "model.h"

/* Large requests and few slots, so that most operations need the system; small ones to fill up. */
static const struct model_plan script = {
    .seed = 30,
    .ops = 1000,
    .slots = 32,
    .request_max = 3000 << 10,
    .align_max_log2 = 18,
    .check_every = 1,
    .out_of_memory = true,
};

/* Runs the script on an empty heap; the calls that fail are set by the caller's `plan`. */
static struct fake_os run_script(struct fake_os plan, const char *what, long n)
{
    struct model_outcome outcome = {.log_max = 0};
    fresh_heap(NULL);
    fake_os = plan;
    if (!model_run(&model_private_heap, &script, &outcome))
        fail_msg("%s %ld: operation %u: %s", what, n, outcome.op, outcome.message);
    if (outcome.refused > fake_os.failures)
        fail_msg("%s %ld: NULL %u times for %ld failures", what, n, outcome.refused,
                 fake_os.failures);
    if (fake_os.mapped != heap.spans.mapped)
        fail_msg("%s %ld: %zu bytes mapped, %zu known", what, n, fake_os.mapped, heap.spans.mapped);
    struct fake_os seen = fake_os;
    drop_heap();
    return seen;
}

static struct fake_os plan_of(long map_fails_in, long unmap_fails_in, bool fails_on)
{
    return (struct fake_os){
        .map_fails_in = map_fails_in,
        .unmap_fails_in = unmap_fails_in,
        .fails_on = fails_on,
    };
}

static void the_script_asks_for_everything(void **state)
{
    (void)state;
    struct fake_os seen = run_script(plan_of(FAKE_OS_NEVER, FAKE_OS_NEVER, false), "run", 0);
    assert_true(seen.maps > (BUILD_CUTS_CACHED ? 10 : 20)); /* kept spans serve more requests */
    assert_true(seen.unmaps > 10);
    assert_true(seen.remaps > 2);
    assert_int_equal(seen.failures, 0);
}

static void each_map_fails_once(void **state)
{
    (void)state;
    long n = 0;
    while (run_script(plan_of(n, FAKE_OS_NEVER, false), "map", n).failures)
        n++;
    assert_true(n > 20);
}

static void each_map_fails_from_then_on(void **state)
{
    (void)state;
    long n = 0;
    while (run_script(plan_of(n, FAKE_OS_NEVER, true), "maps from", n).failures)
        n++;
    assert_true(n > 20);
}

static void each_unmap_fails_once(void **state)
{
    (void)state;
    long n = 0;
    while (run_script(plan_of(FAKE_OS_NEVER, n, false), "unmap", n).failures)
        n++;
    assert_true(n > 20);
}

static void each_unmap_fails_from_then_on(void **state)
{
    (void)state;
    long n = 0;
    while (run_script(plan_of(FAKE_OS_NEVER, n, true), "unmaps from", n).failures)
        n++;
    assert_true(n > 10);
}

static void everything_fails_from_then_on(void **state)
{
    (void)state;
    long n = 0;
    while (run_script(plan_of(n, n, true), "all from", n).failures)
        n++;
    assert_true(n > 20);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_script_asks_for_everything),
        cmocka_unit_test(each_map_fails_once),
        cmocka_unit_test(each_map_fails_from_then_on),
        cmocka_unit_test(each_unmap_fails_once),
        cmocka_unit_test(each_unmap_fails_from_then_on),
        cmocka_unit_test(everything_fails_from_then_on),
    };
    return cmocka_run_group_tests_name("refusals", tests, NULL, NULL);
}
