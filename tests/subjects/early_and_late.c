/*
 * Allocates before any constructor, in the first of them, in main and while the process ends, and
 * frees each block at another of these times. Forks and runs a thread in between. Prints the object
 * that malloc is from; exits with 1 if a block was changed.
 */
#include <dlfcn.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

enum { BLOCKS = 300, BYTES_MAX = 5000 };
enum when { BEFORE_CONSTRUCTORS, IN_CONSTRUCTOR, IN_MAIN, AT_EXIT, TIMES };

static unsigned char *made[TIMES][BLOCKS];

static size_t bytes_of(size_t i)
{
    return i * 7919 % BYTES_MAX + 1;
}

static void make(enum when when)
{
    for (size_t i = 0; i < BLOCKS; i++) {
        made[when][i] = realloc(malloc(bytes_of(i) / 2), bytes_of(i));
        memset(made[when][i], when + 1, bytes_of(i));
    }
}

static void take(enum when when)
{
    for (size_t i = 0; i < BLOCKS; i++) {
        if (made[when][i][0] != when + 1 || made[when][i][bytes_of(i) - 1] != when + 1)
            _exit(1);
        free(made[when][i]);
    }
}

static void before_constructors(void)
{
    make(BEFORE_CONSTRUCTORS);
}

__attribute__((section(".preinit_array"), used)) static void (*preinit)(void) = before_constructors;

__attribute__((constructor(101))) static void in_constructor(void)
{
    take(BEFORE_CONSTRUCTORS);
    make(IN_CONSTRUCTOR);
}

static void at_exit(void)
{
    take(IN_MAIN);
    make(AT_EXIT);
}

__attribute__((destructor(101))) static void in_destructor(void)
{
    take(AT_EXIT);
}

static void *run(void *unused)
{
    take(IN_CONSTRUCTOR);
    make(IN_MAIN);
    return unused;
}

static int fork_and_wait(void)
{
    int status = 0;
    pid_t child = fork();
    if (child == 0)
        exit(0);
    return waitpid(child, &status, 0) == child ? status : -1;
}

int main(void)
{
    pthread_t thread;
    Dl_info from;
    void *function = dlsym(RTLD_DEFAULT, "malloc");
    if (pthread_create(&thread, NULL, run, NULL) != 0 || pthread_join(thread, NULL) != 0)
        return 1;
    if (atexit(at_exit) != 0 || fork_and_wait() != 0 || !dladdr(function, &from))
        return 1;
    puts(from.dli_fname);
    return 0;
}
