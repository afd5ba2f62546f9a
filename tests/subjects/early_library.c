/*
 * A library to be preloaded beside an allocator: allocates in its first constructor, around forks,
 * and frees in its last destructor. Ends the process with status 3 if a block was changed.
 */
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { BLOCKS = 300, BYTES = 777 };

static char *made[BLOCKS];

static void make(void)
{
    for (int i = 0; i < BLOCKS; i++) {
        made[i] = malloc(BYTES);
        memset(made[i], 'e', BYTES);
    }
}

static void take(void)
{
    for (int i = 0; i < BLOCKS; i++) {
        if (made[i][0] != 'e' || made[i][BYTES - 1] != 'e')
            _exit(3);
        free(made[i]);
    }
}

static void renew(void)
{
    take();
    make();
}

__attribute__((constructor(101))) static void begin(void)
{
    make();
    pthread_atfork(renew, renew, renew);
}

__attribute__((destructor(101))) static void end(void)
{
    take();
}
