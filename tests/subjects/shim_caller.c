/*
 * Calls functions of libc that libraries like to stand before, each as the first thing that a new
 * thread does, then mallocs there; forks, and does it again. Says what the clock says.
 */
#include <dlfcn.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

enum { PAIRS = 3000 };

static pthread_key_t key;

static void call_specific(void)
{
    pthread_setspecific(key, &key);
}

static void call_clock(void)
{
    struct timespec now;
    clock_gettime(CLOCK_REALTIME, &now);
}

static void call_dlsym(void)
{
    dlsym(RTLD_DEFAULT, "malloc");
}

static void call_map(void)
{
    void *p = mmap(NULL, 1 << 16, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    madvise(p, 1 << 16, MADV_DONTNEED);
    munmap(p, 1 << 16);
}

static void call_files(void)
{
    char byte;
    struct rlimit limit;
    int fd = open("/dev/zero", O_RDONLY);
    if (read(fd, &byte, 1) == 1 && getrlimit(RLIMIT_NOFILE, &limit) == 0)
        close(fd);
    syscall(SYS_gettid);
    getpid();
}

static void (*const calls[])(void) = {call_specific, call_clock, call_dlsym, call_map, call_files};

static void *run(void *call)
{
    (*(void (*const *)(void))call)();
    for (int i = 0; i < PAIRS; i++)
        free(malloc(4000));
    return NULL;
}

static void run_all(void)
{
    for (size_t i = 0; i < sizeof calls / sizeof calls[0]; i++) {
        pthread_t thread;
        pthread_create(&thread, NULL, run, (void *)(uintptr_t)&calls[i]);
        run((void *)(uintptr_t)&calls[i]);
        pthread_join(thread, NULL);
    }
}

int main(void)
{
    struct timespec now;
    int status = 0;
    pthread_key_create(&key, NULL);
    run_all();
    pid_t child = fork();
    run_all();
    if (child == 0)
        _exit(0);
    waitpid(child, &status, 0);
    clock_gettime(CLOCK_REALTIME, &now);
    printf("%ld\n", (long)now.tv_sec);
    return status != 0;
}
