/*
 * The one file of C++: Google Benchmark behind micro.h. It adds nothing of its own but the size of
 * batches.
 *
 * A struct micro is a benchmark::State under another name, so no call has to look anything up.
 */
#include "micro.h"

#include <benchmark/benchmark.h>

#include <algorithm>
#include <vector>

using benchmark::IterationCount;
using benchmark::State;

namespace
{

enum { STATUS_OK = 0, STATUS_USAGE = 2 };

/* A batch is at most this share of a run, so that it does not overshoot, and at most so many
   iterations: then a call of 2 ns is 0.0005 ns of each. */
constexpr IterationCount BATCHES_LEAST = 64;
constexpr IterationCount BATCH_MAX = 4096;

using Visit = void (*)(const State &);

State &state_of(struct micro *micro)
{
    return *reinterpret_cast<State *>(micro);
}

const State &state_of(const struct micro *micro)
{
    return *reinterpret_cast<const State *>(micro);
}

/* Google Benchmark has room for a plain function that takes a reference. To the machine that is a
   function that takes a pointer, which is what ours is. By way of a third type: compilers warn of
   such casts but for that one. */
Visit visit_from(void (*function)(const struct micro *))
{
    return reinterpret_cast<Visit>(reinterpret_cast<void (*)()>(function));
}

std::vector<int64_t> vector_from(const struct micro_list &list)
{
    return {list.values, list.values + list.count};
}

void add_arguments(benchmark::internal::Benchmark *added, const struct micro_benchmark &benchmark)
{
    if (benchmark.range.factor > 1)
        added->RangeMultiplier(benchmark.range.factor)
            ->Range(benchmark.range.first, benchmark.range.last);
    std::vector<std::vector<int64_t>> lists;
    for (const struct micro_list &list : benchmark.arguments)
        if (list.count > 0)
            lists.push_back(vector_from(list));
    if (!lists.empty())
        added->ArgsProduct(lists);
}

void add_manner(benchmark::internal::Benchmark *added, const struct micro_benchmark &benchmark)
{
    for (int64_t threads : vector_from(benchmark.threads))
        added->Threads(static_cast<int>(threads));
    if (benchmark.clock == MICRO_WALL)
        added->UseRealTime();
    if (benchmark.clock == MICRO_MANUAL)
        added->UseManualTime();
    if (benchmark.iterations > 0)
        added->Iterations(benchmark.iterations);
    if (benchmark.setup)
        added->Setup(visit_from(benchmark.setup));
    if (benchmark.teardown)
        added->Teardown(visit_from(benchmark.teardown));
}

benchmark::Counter::Flags flags_of(enum micro_counter kind)
{
    switch (kind) {
    case MICRO_EACH_SECOND:
        return benchmark::Counter::kIsRate;
    case MICRO_EACH_ITERATION:
        return benchmark::Counter::kAvgIterations;
    default:
        return benchmark::Counter::kDefaults;
    }
}

} // namespace

void micro_register(const struct micro_benchmark *benchmark)
{
    auto run = [benchmark](State &state) {
        benchmark->run(reinterpret_cast<struct micro *>(&state));
    };
    auto *added = benchmark::RegisterBenchmark(benchmark->name, run);
    add_arguments(added, *benchmark);
    add_manner(added, *benchmark);
}

size_t micro_batch(struct micro *micro)
{
    State &state = state_of(micro);
    IterationCount share = state.max_iterations / BATCHES_LEAST;
    IterationCount n = std::clamp(share, IterationCount{1}, BATCH_MAX);
    return state.KeepRunningBatch(n) ? static_cast<size_t>(n) : 0;
}

bool micro_runs(struct micro *micro, size_t iterations)
{
    return state_of(micro).KeepRunningBatch(static_cast<IterationCount>(iterations));
}

int64_t micro_argument(const struct micro *micro, size_t dimension)
{
    return state_of(micro).range(dimension);
}

int micro_thread(const struct micro *micro)
{
    return state_of(micro).thread_index();
}

int micro_threads(const struct micro *micro)
{
    return state_of(micro).threads();
}

void micro_pause(struct micro *micro)
{
    state_of(micro).PauseTiming();
}

void micro_resume(struct micro *micro)
{
    state_of(micro).ResumeTiming();
}

void micro_add_ns(struct micro *micro, uint64_t ns)
{
    state_of(micro).SetIterationTime(static_cast<double>(ns) / 1e9);
}

void micro_count(struct micro *micro, const char *name, double value, enum micro_counter kind)
{
    state_of(micro).counters[name] = benchmark::Counter(value, flags_of(kind));
}

void micro_fail(struct micro *micro, const char *message)
{
    state_of(micro).SkipWithError(message);
}

void micro_add_context(const char *key, const char *value)
{
    benchmark::AddCustomContext(key, value);
}

int micro_main(int argc, char **argv)
{
    benchmark::Initialize(&argc, argv);
    if (benchmark::ReportUnrecognizedArguments(argc, argv))
        return STATUS_USAGE;
    size_t matched = benchmark::RunSpecifiedBenchmarks();
    benchmark::Shutdown();
    return matched > 0 ? STATUS_OK : STATUS_USAGE;
}
