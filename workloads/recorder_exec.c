/*
 * librecord.so, second part: the functions that replace the process's image or start another one.
 * An image that is not recorded cannot say so; so each of these leaves a note before it hands on,
 * which the new image removes when it is recorded, and which is removed here when there is no new
 * image.
 *
 * They pass on what they were given. The child of a vfork calls them in its parent's memory, and
 * signal handlers may: nothing here allocates, locks or writes to memory of the process's own. What
 * libc starts from within (and raw system calls) is seen only where it is named here.
 */
#include "recorder_control.h"
#include "recorder_image.h"
#include "recorder_sites.h"
#include "recorder_symbols.h"
#include "recorder_sys.h"
#include "recorder_text.h"

#include <limits.h>
#include <spawn.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define EXPORT __attribute__((visibility("default")))

#ifdef __GLIBC__
#if __GLIBC_PREREQ(2, 34)
#define HAS_EXECVEAT
#endif
#endif

static const char library_name[] = RECORDER_LIBRARY;

/* The functions that the program would have called. */
static struct {
    int (*execve)(const char *, char *const[], char *const[]);
    int (*execvpe)(const char *, char *const[], char *const[]);
    int (*fexecve)(int, char *const[], char *const[]);
    int (*execveat)(int, const char *, char *const[], char *const[], int);
    int (*posix_spawn)(pid_t *, const char *, const posix_spawn_file_actions_t *,
                       const posix_spawnattr_t *, char *const[], char *const[]);
    int (*posix_spawnp)(pid_t *, const char *, const posix_spawn_file_actions_t *,
                        const posix_spawnattr_t *, char *const[], char *const[]);
    int (*system)(const char *);
    FILE *(*popen)(const char *, const char *);
    void (*exit_at_once)(int);
} real;

/* Once, in any thread, or several times: each finds the same. */
static void real_find(void)
{
    if (__atomic_load_n((void **)&real.execve, __ATOMIC_ACQUIRE) != NULL)
        return;
    real.execvpe = symbol_next("execvpe");
    real.fexecve = symbol_next("fexecve");
    real.execveat = symbol_next("execveat");
    real.posix_spawn = symbol_next("posix_spawn");
    real.posix_spawnp = symbol_next("posix_spawnp");
    real.system = symbol_next("system");
    real.popen = symbol_next("popen");
    real.exit_at_once = symbol_next("_exit");
    __atomic_store_n((void **)&real.execve, symbol_next("execve"), __ATOMIC_RELEASE);
}

static const char *environment_value(char *const environment[], const char *name)
{
    size_t bytes = text_length(name);
    for (; environment != NULL && *environment != NULL; environment++)
        if (text_begins_with(*environment, name) && (*environment)[bytes] == '=')
            return *environment + bytes + 1;
    return NULL;
}

/* Where LD_PRELOAD has our name; NULL: nowhere. */
static const char *library_find(const char *preload)
{
    while (*preload != '\0' && !text_begins_with(preload, library_name))
        preload++;
    return *preload != '\0' ? preload : NULL;
}

/* Whether the file that LD_PRELOAD calls by our name, with its path, is there. */
static bool library_is_near(const char *preload, const char *name)
{
    char path[PATH_MAX];
    struct stat status;
    const char *start = name;
    while (start > preload && start[-1] != ' ' && start[-1] != ':')
        start--;
    size_t bytes = (size_t)(name - start) + sizeof library_name - 1;
    if (start == name || bytes >= sizeof path)
        return true; /* the loader looks for it where we cannot */
    memcpy(path, start, bytes);
    path[bytes] = '\0';
    return sys_stat(path, &status) == 0;
}

/* What will keep an image with this environment from being recorded. */
static uint32_t obstacles_find(char *const environment[])
{
    uint32_t obstacles = 0;
    const char *preload = environment_value(environment, "LD_PRELOAD");
    const char *directory = environment_value(environment, "SPANBENCH_RECORD_DIR");
    const char *name = preload != NULL ? library_find(preload) : NULL;
    if (name == NULL)
        obstacles |= OBSTACLE_NO_PRELOAD;
    else if (!library_is_near(preload, name))
        obstacles |= OBSTACLE_LIBRARY_FAR;
    if (directory == NULL || !control_is_in(directory))
        obstacles |= OBSTACLE_NO_DIRECTORY;
    if (!control_is_near())
        obstacles |= OBSTACLE_FOLDER_FAR;
    return obstacles;
}

static struct recording_note *note_exec(const char *path, char *const environment[])
{
    uint32_t pid = sys_getpid();
    if (!control_exists() || path == NULL || !image_follows(pid))
        return NULL;
    return control_note(NOTE_EXEC, pid, image_pid_namespace(pid), obstacles_find(environment),
                        path);
}

/* There is no new image: the real function has returned. */
static int note_fails(struct recording_note *note, int result)
{
    control_remove_note(note);
    return result;
}

EXPORT int execve(const char *path, char *const argv[], char *const envp[])
{
    real_find();
    struct recording_note *note = note_exec(path, envp);
    return note_fails(note, real.execve(path, argv, envp));
}

EXPORT int execv(const char *path, char *const argv[])
{
    return execve(path, argv, environ);
}

EXPORT int execvpe(const char *file, char *const argv[], char *const envp[])
{
    real_find();
    struct recording_note *note = note_exec(file, envp);
    return note_fails(note, real.execvpe(file, argv, envp));
}

EXPORT int execvp(const char *file, char *const argv[])
{
    return execvpe(file, argv, environ);
}

/* The path of an open file. */
static const char *descriptor_path(int fd, char path[PATH_MAX])
{
    char link[32];
    struct text text = text_open(link, sizeof link);
    text_put(&text, "/proc/self/fd/");
    text_put_number(&text, (uint64_t)(unsigned)fd);
    long bytes = sys_readlink(link, path, PATH_MAX - 1);
    path[bytes > 0 ? bytes : 0] = '\0';
    return path;
}

EXPORT int fexecve(int fd, char *const argv[], char *const envp[])
{
    char path[PATH_MAX];
    real_find();
    struct recording_note *note = note_exec(descriptor_path(fd, path), envp);
    return note_fails(note, real.fexecve(fd, argv, envp));
}

#ifdef HAS_EXECVEAT
EXPORT int execveat(int fd, const char *path, char *const argv[], char *const envp[], int flags)
{
    char opened[PATH_MAX];
    real_find();
    const char *noted = path[0] == '\0' ? descriptor_path(fd, opened) : path;
    struct recording_note *note = note_exec(noted, envp);
    return note_fails(note, real.execveat(fd, path, argv, envp, flags));
}
#endif

/* Arguments of execl and its siblings, the first one included, without the NULL at the end. */
static size_t arguments_count(va_list arguments)
{
    size_t count = 1;
    while (va_arg(arguments, char *) != NULL)
        count++;
    return count;
}

/* The NULL is taken, too: what may follow it is next. */
static void arguments_take(char **argv, size_t count, const char *first, va_list *arguments)
{
    argv[0] = (char *)(uintptr_t)first;
    for (size_t i = 1; i <= count; i++)
        argv[i] = va_arg(*arguments, char *);
}

/* A list of arguments becomes an array on the stack, as in libc: there is no other memory here.
   Leaves `arguments` behind the list. */
#define ARGUMENTS_TAKE(argv, first, arguments)                                                     \
    do {                                                                                           \
        va_start(arguments, first);                                                                \
        size_t count = arguments_count(arguments);                                                 \
        va_end(arguments);                                                                         \
        (argv) = __builtin_alloca((count + 1) * sizeof *(argv));                                   \
        va_start(arguments, first);                                                                \
        arguments_take(argv, count, first, &(arguments));                                          \
    } while (0)

EXPORT int execl(const char *path, const char *first, ...)
{
    va_list arguments;
    char **argv;
    ARGUMENTS_TAKE(argv, first, arguments);
    va_end(arguments);
    return execve(path, argv, environ);
}

EXPORT int execlp(const char *file, const char *first, ...)
{
    va_list arguments;
    char **argv;
    ARGUMENTS_TAKE(argv, first, arguments);
    va_end(arguments);
    return execvpe(file, argv, environ);
}

EXPORT int execle(const char *path, const char *first, ...)
{
    va_list arguments;
    char **argv;
    ARGUMENTS_TAKE(argv, first, arguments);
    char *const *envp = va_arg(arguments, char *const *);
    va_end(arguments);
    return execve(path, argv, envp);
}

/* Of a spawned process in a new pid namespace nobody here knows the pid that it will see. */
static struct recording_note *note_spawn(const char *path, char *const environment[])
{
    uint32_t pid = sys_getpid();
    if (!control_exists() || path == NULL || !image_follows_children())
        return NULL;
    uint64_t pid_namespace = image_pid_namespace(pid);
    if (control_pid_namespace_of_children() != pid_namespace)
        return NULL;
    return control_note(NOTE_SPAWN, pid, pid_namespace, obstacles_find(environment), path);
}

static int note_spawned(struct recording_note *note, int error, const pid_t *child)
{
    if (error != 0)
        control_remove_note(note);
    else
        control_spawned(note, (uint32_t)*child);
    return error;
}

EXPORT int posix_spawn(pid_t *child, const char *path, const posix_spawn_file_actions_t *actions,
                       const posix_spawnattr_t *attributes, char *const argv[], char *const envp[])
{
    pid_t unasked;
    real_find();
    struct recording_note *note = note_spawn(path, envp);
    child = child != NULL ? child : &unasked;
    int error = real.posix_spawn(child, path, actions, attributes, argv, envp);
    return note_spawned(note, error, child);
}

EXPORT int posix_spawnp(pid_t *child, const char *file, const posix_spawn_file_actions_t *actions,
                        const posix_spawnattr_t *attributes, char *const argv[], char *const envp[])
{
    pid_t unasked;
    real_find();
    struct recording_note *note = note_spawn(file, envp);
    child = child != NULL ? child : &unasked;
    int error = real.posix_spawnp(child, file, actions, attributes, argv, envp);
    return note_spawned(note, error, child);
}

/* libc starts a shell with the environment as it is; its pid does not come to light. */
static void note_shell(void)
{
    uint32_t obstacles;
    if (!control_exists() || !image_follows_children())
        return;
    obstacles = obstacles_find(environ);
    if (obstacles != 0)
        control_note(NOTE_REFUSED, 0, 0, obstacles, "/bin/sh");
}

EXPORT int system(const char *command)
{
    real_find();
    if (command != NULL)
        note_shell();
    return real.system(command);
}

EXPORT FILE *popen(const char *command, const char *mode)
{
    real_find();
    note_shell();
    return real.popen(command, mode);
}

/* Runs no destructor, but is as orderly an end. */
EXPORT __attribute__((noreturn)) void _exit(int status)
{
    real_find();
    image_ends();
    if (real.exit_at_once != NULL)
        real.exit_at_once(status);
    for (;;)
        sys_call(SYS_exit_group, status, 0, 0, 0, 0, 0);
}

EXPORT __attribute__((noreturn)) void _Exit(int status)
{
    _exit(status);
}
