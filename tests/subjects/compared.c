/* Makes each call of the malloc family a few times, in one thread and without stdio, for recordings
   by other tools to be compared. Blocks 4 and 5 stay live at the end. */
#include <malloc.h>
#include <stdint.h>
#include <stdlib.h>

enum { ROUNDS = 100 };

static void fail_if(int failed)
{
    if (failed)
        abort();
}

static void rounds_run(void)
{
    void *blocks[ROUNDS];
    for (size_t i = 0; i < ROUNDS; i++)
        fail_if((blocks[i] = malloc(i)) == NULL);
    for (size_t i = 0; i < ROUNDS; i++)
        fail_if((blocks[i] = realloc(blocks[i], 1000 + i)) == NULL);
    for (size_t i = 0; i < ROUNDS; i++)
        free(blocks[i]);
}

int main(void)
{
    volatile size_t huge = SIZE_MAX / 4;
    void *p[8];
    rounds_run();
    fail_if((p[0] = calloc(3, 50)) == NULL);
    fail_if((p[1] = memalign(64, 300)) == NULL);
    fail_if(posix_memalign(&p[2], 32, 77) != 0);
    fail_if((p[3] = aligned_alloc(128, 256)) == NULL);
    fail_if((p[4] = valloc(10)) == NULL);
    fail_if((p[5] = realloc(NULL, 5000)) == NULL);
    fail_if((p[6] = malloc(600)) == NULL);
    fail_if(malloc(huge) != NULL);
    fail_if(realloc(p[6], huge) != NULL);
    fail_if(realloc(p[6], 0) != NULL);
    free(NULL);
    for (int i = 0; i < 4; i++)
        free(p[i]);
    return 0;
}
