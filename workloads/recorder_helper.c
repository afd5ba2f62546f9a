/*
 * A thread with descriptors of its own, see recorder_helper.h. On machines for which the few lines
 * of assembly are not written there is none.
 */
#include "recorder_helper.h"
#include "recorder_sys.h"

#include <errno.h>
#include <sched.h>
#include <sys/mman.h>

enum { HELPER_STACK_BYTES = 64 << 10 };

/*
 * Without CLONE_FILES: the table of descriptors is a copy. CLONE_THREAD asks for CLONE_SIGHAND and
 * CLONE_VM. The kernel clears the word when the thread has left its stack.
 */
#define HELPER_FLAGS                                                                               \
    (CLONE_VM | CLONE_FS | CLONE_SIGHAND | CLONE_THREAD | CLONE_SYSVSEM | CLONE_PARENT_SETTID |    \
     CLONE_CHILD_CLEARTID)

#if defined(__x86_64__)

/* Returns in the caller only. The new thread finds what to do in registers, and ends with exit. */
static long helper_clone(char *stack, uint32_t *word, void (*work)(void *), void *argument)
{
    long result;
    register uint32_t *r10 __asm__("r10") = word;
    register void *r12 __asm__("r12") = argument;
    register void (*r13)(void *) __asm__("r13") = work;
    __asm__ volatile("syscall\n\t"
                     "test %%rax, %%rax\n\t"
                     "jnz 1f\n\t"
                     "xor %%ebp, %%ebp\n\t"
                     "mov %%r12, %%rdi\n\t"
                     "call *%%r13\n\t"
                     "xor %%edi, %%edi\n\t"
                     "mov %[exit], %%eax\n\t"
                     "syscall\n\t"
                     "hlt\n"
                     "1:"
                     : "=a"(result)
                     : "a"(SYS_clone), "D"(HELPER_FLAGS), "S"(stack), "d"(word), "r"(r10), "r"(r12),
                       "r"(r13), [exit] "i"(SYS_exit)
                     : "rcx", "r11", "memory");
    return result;
}

#elif defined(__aarch64__)

static long helper_clone(char *stack, uint32_t *word, void (*work)(void *), void *argument)
{
    register long x8 __asm__("x8") = SYS_clone;
    register long x0 __asm__("x0") = HELPER_FLAGS;
    register char *x1 __asm__("x1") = stack;
    register uint32_t *x2 __asm__("x2") = word;
    register long x3 __asm__("x3") = 0;
    register uint32_t *x4 __asm__("x4") = word;
    register void *x19 __asm__("x19") = argument;
    register void (*x20)(void *) __asm__("x20") = work;
    __asm__ volatile("svc 0\n\t"
                     "cbnz x0, 1f\n\t"
                     "mov x29, 0\n\t"
                     "mov x0, x19\n\t"
                     "blr x20\n\t"
                     "mov x0, 0\n\t"
                     "mov x8, %[exit]\n\t"
                     "svc 0\n\t"
                     "brk 1\n"
                     "1:"
                     : "+r"(x0)
                     : "r"(x8), "r"(x1), "r"(x2), "r"(x3), "r"(x4), "r"(x19),
                       "r"(x20), [exit] "i"(SYS_exit)
                     : "memory");
    return x0;
}

#else

static long helper_clone(char *stack, uint32_t *word, void (*work)(void *), void *argument)
{
    (void)stack, (void)word, (void)work, (void)argument;
    return -ENOSYS;
}

#endif

/* The kernel wakes waiters of all processes that share the memory, hence not PRIVATE. */
static void helper_wait(uint32_t *word)
{
    uint32_t running;
    while ((running = __atomic_load_n(word, __ATOMIC_ACQUIRE)) != 0)
        sys_futex(word, SYS_FUTEX_WAIT, running);
}

int helper_run(void (*work)(void *), void *argument)
{
    uint32_t word = 0;
    int flags = MAP_PRIVATE | MAP_ANONYMOUS | MAP_STACK;
    char *stack = sys_mmap(HELPER_STACK_BYTES, PROT_READ | PROT_WRITE, flags, -1, 0);
    if (sys_is_error((long)stack))
        return (int)(long)stack;
    long thread = helper_clone(stack + HELPER_STACK_BYTES, &word, work, argument);
    if (!sys_is_error(thread))
        helper_wait(&word);
    sys_munmap(stack, HELPER_STACK_BYTES);
    return sys_is_error(thread) ? (int)thread : 0;
}
