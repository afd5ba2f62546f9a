/*
 * A program for other C libraries and processors, with the standard names alone: threads hand
 * blocks over in rings, each kind of call is made, and a process is forked among them. It prints
 * "span serves" if all contents were right, the blocks are span's and its heap has no faults.
 * Argument: number of forks.
 */
#include <malloc.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

enum { THREADS = 4, ROUNDS = 20000, PLACES = 512, BYTES_MAX = 3000, FORKS = 20, LIMIT_S = 120 };

/* The allocator's own, absent where it is not the one that serves. */
extern size_t span_malloc_usable_size(void *p) __attribute__((weak));
extern unsigned span_check(void) __attribute__((weak));

static _Atomic(unsigned char *) ring[PLACES];
static atomic_bool failed;

static void require(bool right)
{
    if (!right)
        failed = true;
}

/* A block of its size, which stands in its first two bytes; the others hold the low byte of it. */
static unsigned char *filled(size_t bytes)
{
    unsigned char *block = malloc(bytes);
    require(block != NULL && (uintptr_t)block % 16 == 0);
    memset(block, (int)(bytes & 255), bytes);
    block[0] = (unsigned char)(bytes & 255);
    block[1] = (unsigned char)(bytes >> 8);
    return block;
}

static bool is_whole(const unsigned char *block)
{
    size_t bytes = block[0] + 256 * (size_t)block[1];
    for (size_t i = 2; i < bytes; i++)
        if (block[i] != block[0])
            return false;
    return true;
}

static void drop(unsigned char *block)
{
    if (block == NULL)
        return;
    require(is_whole(block));
    free(block);
}

/* Every block that a thread puts into the ring is taken out, and freed, by whoever comes next. */
static void *hand_over(void *seed)
{
    uint32_t random = (uint32_t)(uintptr_t)seed;
    for (int i = 0; i < ROUNDS; i++) {
        random = random * 1664525 + 1013904223;
        drop(atomic_exchange(&ring[random >> 23], filled(2 + (random >> 8) % BYTES_MAX)));
    }
    return NULL;
}

static void call_each(void)
{
    unsigned char *p = filled(1000);
    p = realloc(p, 500000);
    require(p != NULL && is_whole(p));
    free(p);
    p = calloc(100, 1000);
    for (size_t i = 0; i < 100000; i++)
        require(p[i] == 0);
    free(p);
    void *aligned = NULL;
    require(posix_memalign(&aligned, 4096, 10) == 0 && (uintptr_t)aligned % 4096 == 0);
    free(aligned);
    free(aligned_alloc(64, 640));
    free(memalign(128, 1000));
    require(malloc_usable_size(p = malloc(3)) >= 3);
    free(p);
}

static void fork_among_threads(void)
{
    int status = -1;
    pid_t child = fork();
    if (child == 0) {
        alarm(LIMIT_S); /* a lock left behind would hang the child */
        hand_over((void *)7);
        call_each();
        _exit(failed);
    }
    require(waitpid(child, &status, 0) == child && status == 0);
}

int main(int argc, char **argv)
{
    int forks = argc > 1 ? atoi(argv[1]) : FORKS;
    pthread_t threads[THREADS];
    alarm(LIMIT_S);
    for (uintptr_t i = 0; i < THREADS; i++)
        require(pthread_create(&threads[i], NULL, hand_over, (void *)(i + 1)) == 0);
    for (int i = 0; i < forks; i++)
        fork_among_threads();
    call_each();
    for (int i = 0; i < THREADS; i++)
        pthread_join(threads[i], NULL);
    for (int i = 0; i < PLACES; i++)
        drop(ring[i]);
    unsigned char *p = malloc(10);
    bool ours = span_malloc_usable_size != NULL && span_malloc_usable_size(p) >= 10;
    free(p);
    if (failed || !ours || span_check() != 0)
        return 1;
    return puts("span serves") < 0;
}
