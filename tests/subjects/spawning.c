/*
 * Four threads spawn 25 programs each, at the same time, of which every fifth is not there. Then
 * two further shells are started, which nobody can record, since their environment is empty.
 */
#include <pthread.h>
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

enum { THREADS = 4, EACH = 25 };

static void spawn(const char *name, char *const environment[])
{
    char *arguments[] = {(char *)(size_t)name, NULL};
    pid_t child;
    if (posix_spawnp(&child, name, NULL, NULL, arguments, environment) == 0)
        waitpid(child, NULL, 0);
}

static void *spawn_many(void *unused)
{
    for (int i = 0; i < EACH; i++)
        spawn(i % 5 != 0 ? "true" : "no-such-program", environ);
    return unused;
}

int main(void)
{
    pthread_t threads[THREADS];
    char *nothing[] = {NULL};
    free(malloc(10));
    for (int i = 0; i < THREADS; i++)
        pthread_create(&threads[i], NULL, spawn_many, NULL);
    for (int i = 0; i < THREADS; i++)
        pthread_join(threads[i], NULL);
    spawn("true", nothing);
    clearenv();
    return system(":") == 0 ? 5 : 9;
}
