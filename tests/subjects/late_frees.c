/*
 * Threads that have memory freed after their last destructor has run: glibc frees what it keeps for
 * a thread (the text of an unknown error) when nothing else of it is left. Argument: number
 * of threads. Prints by how many kilobytes the process grew from the tenth part of them on.
 */
#include <limits.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { BLOCKS = 64, BYTES = 100, UNKNOWN_ERROR = 98765 };

static pthread_key_t key;
static _Thread_local int rounds;

static long resident_kb(void)
{
    long pages = 0;
    FILE *file = fopen("/proc/self/statm", "r");
    if (!file || fscanf(file, "%*s %ld", &pages) != 1)
        exit(1);
    fclose(file);
    return pages * (sysconf(_SC_PAGESIZE) / 1024);
}

static void churn(void)
{
    void *blocks[BLOCKS];
    for (int i = 0; i < BLOCKS; i++)
        blocks[i] = malloc(BYTES);
    for (int i = 0; i < BLOCKS; i++)
        free(blocks[i]);
}

static void destroy(void *p)
{
    churn();
    if (++rounds < PTHREAD_DESTRUCTOR_ITERATIONS)
        pthread_setspecific(key, p);
}

static void *live(void *unused)
{
    churn();
    pthread_setspecific(key, &key);
    return strerror(UNKNOWN_ERROR) ? unused : &key;
}

int main(int argc, char **argv)
{
    long count = argc > 1 ? atol(argv[1]) : 2000;
    long before = 0;
    pthread_t thread;
    pthread_key_create(&key, destroy);
    for (long i = 0; i < count; i++) {
        if (i == count / 10)
            before = resident_kb();
        if (pthread_create(&thread, NULL, live, NULL) != 0)
            return 1;
        pthread_join(thread, NULL);
    }
    printf("%ld\n", resident_kb() - before);
    return 0;
}
