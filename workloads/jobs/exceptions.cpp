// Exceptions, threads, containers, over-aligned objects and placement: what a C++ program asks of
// an allocator. Prints sums that do not depend on addresses or on the order of threads.
#include <atomic>
#include <cstdint>
#include <cstdio>
#include <deque>
#include <future>
#include <map>
#include <memory>
#include <new>
#include <stdexcept>
#include <string>
#include <thread>
#include <unordered_map>
#include <vector>

struct alignas(128) Wide {
    char bytes[200];
};

static std::atomic<long> alive;

struct Counted {
    std::string text;
    explicit Counted(int n) : text(n % 300, 'x')
    {
        alive++;
        if (n % 17 == 0) {
            alive--;
            throw std::runtime_error("unlucky " + std::to_string(n));
        }
    }
    Counted(const Counted &other) : text(other.text) { alive++; }
    ~Counted() { alive--; }
};

static long throwing(int depth, int n)
{
    std::vector<Counted> local;
    local.emplace_back(n * 17 + 1);
    if (depth > 0)
        return throwing(depth - 1, n + 1) + static_cast<long>(local[0].text.size());
    return static_cast<long>(Counted(n).text.size());
}

static long catching(int rounds)
{
    long sum = 0;
    for (int i = 0; i < rounds; i++) {
        try {
            sum += throwing(i % 20, i);
        } catch (const std::runtime_error &error) {
            sum += static_cast<long>(std::string(error.what()).size());
        }
    }
    return sum;
}

static long filling(int seed)
{
    std::map<std::string, std::vector<int>> tree;
    std::unordered_map<int, std::string> table;
    std::deque<std::unique_ptr<Wide>> queue;
    long sum = 0;
    for (int i = 0; i < 20000; i++) {
        int n = static_cast<int>((i * 7919L + seed) % 10007);
        tree["key" + std::to_string(n % 500)].push_back(n);
        table[n] += static_cast<char>('a' + n % 26);
        queue.push_back(std::make_unique<Wide>());
        sum += reinterpret_cast<std::uintptr_t>(queue.back().get()) % alignof(Wide);
        if (queue.size() > 64)
            queue.pop_front();
    }
    for (auto &[key, list] : tree)
        sum += static_cast<long>(key.size() * list.size());
    for (auto &[key, text] : table)
        sum += key * static_cast<long>(text.size());
    return sum;
}

int main()
{
    std::vector<std::future<long>> futures;
    for (int i = 0; i < 4; i++)
        futures.push_back(std::async(std::launch::async, i % 2 ? catching : filling, 5000 + i));
    for (auto &future : futures)
        std::printf("%ld\n", future.get());
    volatile std::size_t huge = SIZE_MAX / 4;
    try {
        std::vector<char> impossible(huge);
        std::printf("%zu\n", impossible.size());
    } catch (const std::bad_alloc &) {
        std::printf("bad_alloc\n");
    }
    std::printf("%d %ld\n", new (std::nothrow) char[huge] == nullptr, alive.load());
    std::thread([] { throwing(3, 18); }).join();
    std::thread([] { std::exit(7); }).join();
}
