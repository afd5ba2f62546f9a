/*
 * A futex for each gate. Who goes to sleep says for which count, and then looks at the mark once
 * more; who tells writes the mark and then looks at what is wanted. All of it is sequentially
 * consistent, so one of them sees the other.
 */
#include "pace.h"

#include <linux/futex.h>
#include <sched.h>
#include <stddef.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

enum {
    SPINS = 200, /* looks; some microseconds, as long as it takes to put a thread to sleep */
    LOOK_NS = 250 * 1000000 /* arbitrary: how long a sleeper may not notice that all is given up */
};

void pace_open(struct pace *pace, unsigned threads)
{
    cpu_set_t allowed;
    int processors = sched_getaffinity(0, sizeof(allowed), &allowed) == 0 ? CPU_COUNT(&allowed) : 1;
    atomic_store(&pace->given_up, false);
    atomic_store(&pace->spins, threads <= (unsigned)processors ? SPINS : 0);
}

void pace_give_up(struct pace *pace)
{
    atomic_store(&pace->given_up, true);
}

static uint64_t now_ns(void)
{
    struct timespec time;
    clock_gettime(CLOCK_MONOTONIC, &time);
    return (uint64_t)time.tv_sec * 1000000000 + (uint64_t)time.tv_nsec;
}

static void processor_relax(void)
{
#if defined(__x86_64__) || defined(__i386__)
    __builtin_ia32_pause();
#elif defined(__aarch64__)
    __asm__ volatile("yield");
#endif
}

static bool mark_spin(const struct mark *mark, uint64_t count, const struct pace *pace)
{
    unsigned spins = atomic_load_explicit(&pace->spins, memory_order_relaxed);
    for (unsigned i = 0; i < spins; i++) {
        if (mark_has(mark, count))
            return true;
        processor_relax();
    }
    return mark_has(mark, count);
}

static void gate_sleep(struct gate *gate, uint32_t turns)
{
    const struct timespec most = {.tv_nsec = LOOK_NS};
    syscall(SYS_futex, &gate->turns, FUTEX_WAIT_PRIVATE, turns, &most, NULL, 0);
}

static void gate_want(struct gate *gate, uint64_t count)
{
    uint64_t wanted = atomic_load(&gate->wanted);
    while (count < wanted && !atomic_compare_exchange_weak(&gate->wanted, &wanted, count))
        continue;
}

static bool mark_sleep(const struct mark *mark, uint64_t count, struct gate *gate,
                       struct pace *pace)
{
    while (!atomic_load(&pace->given_up)) {
        uint32_t turns = atomic_load(&gate->turns);
        gate_want(gate, count);
        if (atomic_load(&mark->reached) >= count)
            return true;
        gate_sleep(gate, turns);
    }
    return false;
}

bool mark_await(const struct mark *mark, uint64_t count, struct gate *gate, struct pace *pace,
                struct waited *waited)
{
    uint64_t start_ns = now_ns();
    bool has = mark_spin(mark, count, pace);
    uint64_t spun_ns = now_ns();
    waited->spin_ns += spun_ns - start_ns;
    if (!has)
        has = mark_sleep(mark, count, gate, pace);
    waited->wait_ns += now_ns() - start_ns;
    return has;
}

void gate_open(struct gate *gate)
{
    atomic_store(&gate->wanted, UINT64_MAX);
}

void mark_tell(struct mark *mark, struct gate *gate)
{
    uint64_t reached = atomic_load(&mark->reached);
    atomic_compare_exchange_strong(&mark->reached, &reached, reached);
    if (atomic_load(&gate->wanted) > reached)
        return;
    atomic_store(&gate->wanted, UINT64_MAX);
    atomic_fetch_add(&gate->turns, 1);
    syscall(SYS_futex, &gate->turns, FUTEX_WAKE_PRIVATE, INT32_MAX, NULL, NULL, 0);
}
