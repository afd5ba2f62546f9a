/*
 * The operators new and delete of C++, and the sized frees of C23: each is recorded as the one call
 * that it is, whether the next definition goes through malloc (as libstdc++'s) or not (as those
 * that jemalloc, mimalloc and tcmalloc bring). They are written in C, by their mangled names: the
 * recorder must not bring a C++ library into a program of C.
 */
#include "recorder_call.h"

#include <dlfcn.h>
#include <elf.h>
#include <errno.h>
#include <link.h>
#include <stdlib.h>
#include <unwind.h>

#ifndef __LP64__
#error "the mangled names are those where size_t is unsigned long"
#endif

#define UNUSED __attribute__((unused))
#define TLS    _Thread_local __attribute__((tls_model("initial-exec")))

enum form {
    NEW,
    NEW_ARRAY,
    NEW_ALIGNED,
    NEW_ARRAY_ALIGNED,
    DELETE,
    DELETE_ARRAY,
    DELETE_ALIGNED,
    DELETE_ARRAY_ALIGNED,
    BASES, /* those above: in a C++ library all others call one of them */
    NEW_NOTHROW = BASES,
    NEW_ARRAY_NOTHROW,
    NEW_ALIGNED_NOTHROW,
    NEW_ARRAY_ALIGNED_NOTHROW,
    DELETE_SIZED,
    DELETE_ARRAY_SIZED,
    DELETE_NOTHROW,
    DELETE_ARRAY_NOTHROW,
    DELETE_SIZED_ALIGNED,
    DELETE_ARRAY_SIZED_ALIGNED,
    DELETE_ALIGNED_NOTHROW,
    DELETE_ARRAY_ALIGNED_NOTHROW,
    OPERATORS, /* those above */
    FREE_SIZED = OPERATORS,
    FREE_ALIGNED_SIZED,
    FORMS
};

static const char *const names[FORMS] = {
    [NEW] = "_Znwm",
    [NEW_ARRAY] = "_Znam",
    [NEW_ALIGNED] = "_ZnwmSt11align_val_t",
    [NEW_ARRAY_ALIGNED] = "_ZnamSt11align_val_t",
    [DELETE] = "_ZdlPv",
    [DELETE_ARRAY] = "_ZdaPv",
    [DELETE_ALIGNED] = "_ZdlPvSt11align_val_t",
    [DELETE_ARRAY_ALIGNED] = "_ZdaPvSt11align_val_t",
    [NEW_NOTHROW] = "_ZnwmRKSt9nothrow_t",
    [NEW_ARRAY_NOTHROW] = "_ZnamRKSt9nothrow_t",
    [NEW_ALIGNED_NOTHROW] = "_ZnwmSt11align_val_tRKSt9nothrow_t",
    [NEW_ARRAY_ALIGNED_NOTHROW] = "_ZnamSt11align_val_tRKSt9nothrow_t",
    [DELETE_SIZED] = "_ZdlPvm",
    [DELETE_ARRAY_SIZED] = "_ZdaPvm",
    [DELETE_NOTHROW] = "_ZdlPvRKSt9nothrow_t",
    [DELETE_ARRAY_NOTHROW] = "_ZdaPvRKSt9nothrow_t",
    [DELETE_SIZED_ALIGNED] = "_ZdlPvmSt11align_val_t",
    [DELETE_ARRAY_SIZED_ALIGNED] = "_ZdaPvmSt11align_val_t",
    [DELETE_ALIGNED_NOTHROW] = "_ZdlPvSt11align_val_tRKSt9nothrow_t",
    [DELETE_ARRAY_ALIGNED_NOTHROW] = "_ZdaPvSt11align_val_tRKSt9nothrow_t",
    [FREE_SIZED] = "free_sized",
    [FREE_ALIGNED_SIZED] = "free_aligned_sized",
};

/* What becomes of the calls of a form. */
enum treatment {
    UNSEEN, /* not looked for yet, or not found: it is looked for again */
    RECORDED,
    PASSED, /* it ends in malloc, which is recorded then; see form_is_passed */
};

static struct {
    void *next;
    enum treatment treatment; /* atomic; `next` is valid where it is not UNSEEN */
} forms[FORMS];

static bool is_in_same_object(const void *a, const void *b)
{
    Dl_info of_a;
    Dl_info of_b;
    return dladdr(a, &of_a) && dladdr(b, &of_b) && of_a.dli_fbase == of_b.dli_fbase;
}

/*
 * A program that is not position-independent has stubs, which its symbol table calls undefined.
 * glibc's dlsym gives their addresses, too; that of musl, which has no dladdr1, does not.
 */
static bool is_definition(const void *address)
{
#ifdef RTLD_DL_SYMENT
    Dl_info info;
    const ElfW(Sym) *symbol = NULL;
    return dladdr1(address, &info, (void **)&symbol, RTLD_DL_SYMENT) && symbol != NULL &&
           symbol->st_shndx != SHN_UNDEF;
#else
    return address != NULL;
#endif
}

static bool operators_find_replaced(void)
{
    for (enum form form = 0; form < BASES; form++) {
        const void *seen = dlsym(RTLD_DEFAULT, names[form]);
        if (seen != NULL && !is_in_same_object(seen, forms) && is_definition(seen))
            return true;
    }
    return false;
}

/* Whether the program, or what is preloaded before us, has operators of its own. That is settled
   when the process begins: what is loaded later comes behind us. */
static bool operators_are_replaced(void)
{
    static enum { UNKNOWN, NO, YES } known; /* atomic */
    if (__atomic_load_n(&known, __ATOMIC_RELAXED) == UNKNOWN)
        __atomic_store_n(&known, operators_find_replaced() ? YES : NO, __ATOMIC_RELAXED);
    return __atomic_load_n(&known, __ATOMIC_RELAXED) == YES;
}

/*
 * A program may replace some operators; the C++ library's others then call those. Its own may put
 * something before each block, so that new gives another address than malloc gave: to record the
 * one and the free of the other would be wrong. So what a C++ library does is passed on there, and
 * recorded once it has come to malloc; an allocator's operators call nobody.
 */
static bool form_is_passed(enum form form, const void *next)
{
    return form < OPERATORS && operators_are_replaced() &&
           !is_in_same_object(next, dlsym(RTLD_NEXT, "malloc"));
}

/* The library that `address` lies in, by a handle that keeps it loaded; NULL: none. */
static void *object_open(const void *address)
{
    Dl_info info;
    return dladdr(address, &info) ? dlopen(info.dli_fname, RTLD_LAZY | RTLD_NOLOAD) : NULL;
}

/*
 * The C++ library may have come with a dlopen that keeps it to itself (Python's extensions). It is
 * then found as the caller would have found it: among what the caller's object is linked to. It
 * stays loaded, since its address is kept.
 */
static void *find_beside(const void *caller, const char *name)
{
    void *object = object_open(caller);
    if (object == NULL)
        return NULL;
    void *found = dlsym(object, name);
    if (found != NULL && (is_in_same_object(found, forms) || object_open(found) == NULL))
        found = NULL;
    dlclose(object);
    return found;
}

/* Sets what becomes of the form, if it has a next definition. */
static __attribute__((noinline)) enum treatment form_find(enum form form, const void *caller)
{
    int error = errno;
    enum treatment treatment = UNSEEN;
    void *next = dlsym(RTLD_NEXT, names[form]);
    if (next == NULL && form < OPERATORS)
        next = find_beside(caller, names[form]);
    if (next != NULL || form >= OPERATORS) {
        treatment = next != NULL && form_is_passed(form, next) ? PASSED : RECORDED;
        __atomic_store_n(&forms[form].next, next, __ATOMIC_RELAXED);
        __atomic_store_n(&forms[form].treatment, treatment, __ATOMIC_RELEASE);
    }
    dlerror(); /* the failure is ours; the program need not hear of it */
    errno = error;
    return treatment;
}

/*
 * Looks for all forms at once, since one may call another, in the middle of a recorded call
 * (`entered`). What the loader does meanwhile is recorded as if the program had asked it: it may
 * free what it allocated for the program. Returns whether the call is to be recorded still.
 */
static __attribute__((noinline)) bool forms_find_late(bool entered, const void *caller)
{
    struct stream *self = &stream_own;
    if (entered)
        leave(self);
    for (enum form form = 0; form < FORMS; form++)
        if (__atomic_load_n(&forms[form].treatment, __ATOMIC_ACQUIRE) == UNSEEN)
            form_find(form, caller);
    return entered && enter(self);
}

/* Whether this call is to be recorded; if so, it must end with leave(). */
static ALWAYS_INLINE bool form_enter(enum form form, const void *caller)
{
    struct stream *self = &stream_own;
    bool entered = enter(self);
    if (UNLIKELY(__atomic_load_n(&forms[form].treatment, __ATOMIC_ACQUIRE) == UNSEEN))
        entered = forms_find_late(entered, caller);
    bool passed = forms[form].treatment == PASSED;
    if (UNLIKELY(entered && passed))
        leave(self);
    return entered && !passed;
}

/* What the calling thread's operator new, the recorded one, is about. */
static TLS struct {
    size_t size;
    size_t alignment; /* 0: that of malloc */
} asked;
static TLS struct caller asked_by; /* of a recording with call sites */

static void *new_end(void *p)
{
    struct stream *self = &stream_own;
    if (asked.alignment == 0)
        put_sized(self, TRACE_MALLOC, p, asked.size, asked_by);
    else
        put_counted(self, TRACE_ALIGNED_ALLOC, p, asked.size, asked.alignment, asked_by);
    leave(self);
    return p;
}

/*
 * The personality of the functions below: the unwinder calls it when an exception (or the end of
 * the thread) leaves one of them. So nothing of a C++ library, nor of libgcc, is needed here.
 */
_Unwind_Reason_Code operators_unwind(int version, _Unwind_Action actions,
                                     _Unwind_Exception_Class class,
                                     struct _Unwind_Exception *exception,
                                     struct _Unwind_Context *context);
_Unwind_Reason_Code operators_unwind(UNUSED int version, _Unwind_Action actions,
                                     UNUSED _Unwind_Exception_Class class,
                                     UNUSED struct _Unwind_Exception *exception,
                                     UNUSED struct _Unwind_Context *context)
{
    if (actions & _UA_CLEANUP_PHASE)
        new_end(NULL);
    return _URC_CONTINUE_UNWIND;
}

/* 0x1b: DW_EH_PE_pcrel | DW_EH_PE_sdata4. */
#define ENDS_WHEN_UNWOUND() __asm__ volatile(".cfi_personality 0x1b, operators_unwind")

/*
 * There is no C++ library, but somebody found our symbol by its name: the next best. Nobody is
 * there who could catch an exception, so it ends as one that nobody catches.
 */
static void *new_alone(size_t size, size_t alignment, bool throws)
{
    void *p = NULL;
    if (alignment == 0)
        p = malloc(size != 0 ? size : 1);
    else if (posix_memalign(&p, alignment < sizeof p ? sizeof p : alignment, size) != 0)
        p = NULL;
    if (p == NULL && throws)
        abort();
    return p;
}

/*
 * One function for each shape of a form's parameters: `types` are those of the next definition,
 * which gets `arguments`.
 */
#define NEW_SHAPE(shape, alignment_, throws, parameters, types, arguments)                         \
    static ALWAYS_INLINE void *shape##_next parameters                                             \
    {                                                                                              \
        void *(*next)types = (void *(*)types)forms[form].next;                                     \
        return next != NULL ? next arguments : new_alone(size, alignment_, throws);                \
    }                                                                                              \
    static __attribute__((noinline)) void *shape##_recorded parameters                             \
    {                                                                                              \
        ENDS_WHEN_UNWOUND();                                                                       \
        asked.size = size;                                                                         \
        asked.alignment = alignment_;                                                              \
        return new_end(shape##_next arguments_of_##shape);                                         \
    }                                                                                              \
    static ALWAYS_INLINE void *shape parameters                                                    \
    {                                                                                              \
        if (form_enter(form, __builtin_return_address(0))) {                                       \
            if (RECORDER_SITE_WORDS > 0)                                                           \
                asked_by = CALLER();                                                               \
            return shape##_recorded arguments_of_##shape;                                          \
        }                                                                                          \
        return shape##_next arguments_of_##shape;                                                  \
    }

#define arguments_of_new_plain           (form, size)
#define arguments_of_new_nothrow         (form, size, nothrow)
#define arguments_of_new_aligned         (form, size, alignment)
#define arguments_of_new_aligned_nothrow (form, size, alignment, nothrow)

NEW_SHAPE(new_plain, 0, true, (enum form form, size_t size), (size_t), (size))
NEW_SHAPE(new_nothrow, 0, false, (enum form form, size_t size, const void *nothrow),
          (size_t, const void *), (size, nothrow))
NEW_SHAPE(new_aligned, alignment, true, (enum form form, size_t size, size_t alignment),
          (size_t, size_t), (size, alignment))
NEW_SHAPE(new_aligned_nothrow, alignment, false,
          (enum form form, size_t size, size_t alignment, const void *nothrow),
          (size_t, size_t, const void *), (size, alignment, nothrow))

/* A delete that has no next definition is a free. */
#define DELETE_SHAPE(shape, parameters, types, arguments)                                          \
    static ALWAYS_INLINE void shape parameters                                                     \
    {                                                                                              \
        struct stream *self = &stream_own;                                                         \
        bool recorded = form_enter(form, __builtin_return_address(0));                             \
        if (recorded)                                                                              \
            put_sized(self, TRACE_FREE, p, 0, CALLER());                                           \
        void(*next) types = (void(*) types)forms[form].next;                                       \
        if (next != NULL)                                                                          \
            next arguments;                                                                        \
        else                                                                                       \
            free(p);                                                                               \
        if (recorded)                                                                              \
            leave(self);                                                                           \
    }

DELETE_SHAPE(delete_plain, (enum form form, void *p), (void *), (p))
DELETE_SHAPE(delete_number, (enum form form, void *p, size_t number), (void *, size_t), (p, number))
DELETE_SHAPE(delete_numbers, (enum form form, void *p, size_t a, size_t b),
             (void *, size_t, size_t), (p, a, b))
DELETE_SHAPE(delete_nothrow, (enum form form, void *p, const void *nothrow), (void *, const void *),
             (p, nothrow))
DELETE_SHAPE(delete_number_nothrow, (enum form form, void *p, size_t number, const void *nothrow),
             (void *, size_t, const void *), (p, number, nothrow))

/* The exported functions. */
#define FORM_NEW(function, mangled, parameters, call)                                              \
    EXPORT void *function parameters __asm__(mangled);                                             \
    void *function parameters                                                                      \
    {                                                                                              \
        return call;                                                                               \
    }
#define FORM_DELETE(function, mangled, parameters, call)                                           \
    EXPORT void function parameters __asm__(mangled);                                              \
    void function parameters                                                                       \
    {                                                                                              \
        call;                                                                                      \
    }

FORM_NEW(operator_new, "_Znwm", (size_t size), new_plain(NEW, size))
FORM_NEW(operator_new_nothrow, "_ZnwmRKSt9nothrow_t", (size_t size, const void *nothrow),
         new_nothrow(NEW_NOTHROW, size, nothrow))
FORM_NEW(operator_new_aligned, "_ZnwmSt11align_val_t", (size_t size, size_t alignment),
         new_aligned(NEW_ALIGNED, size, alignment))
FORM_NEW(operator_new_aligned_nothrow, "_ZnwmSt11align_val_tRKSt9nothrow_t",
         (size_t size, size_t alignment, const void *nothrow),
         new_aligned_nothrow(NEW_ALIGNED_NOTHROW, size, alignment, nothrow))
FORM_NEW(operator_new_array, "_Znam", (size_t size), new_plain(NEW_ARRAY, size))
FORM_NEW(operator_new_array_nothrow, "_ZnamRKSt9nothrow_t", (size_t size, const void *nothrow),
         new_nothrow(NEW_ARRAY_NOTHROW, size, nothrow))
FORM_NEW(operator_new_array_aligned, "_ZnamSt11align_val_t", (size_t size, size_t alignment),
         new_aligned(NEW_ARRAY_ALIGNED, size, alignment))
FORM_NEW(operator_new_array_aligned_nothrow, "_ZnamSt11align_val_tRKSt9nothrow_t",
         (size_t size, size_t alignment, const void *nothrow),
         new_aligned_nothrow(NEW_ARRAY_ALIGNED_NOTHROW, size, alignment, nothrow))

FORM_DELETE(operator_delete, "_ZdlPv", (void *p), delete_plain(DELETE, p))
FORM_DELETE(operator_delete_sized, "_ZdlPvm", (void *p, size_t size),
            delete_number(DELETE_SIZED, p, size))
FORM_DELETE(operator_delete_nothrow, "_ZdlPvRKSt9nothrow_t", (void *p, const void *nothrow),
            delete_nothrow(DELETE_NOTHROW, p, nothrow))
FORM_DELETE(operator_delete_aligned, "_ZdlPvSt11align_val_t", (void *p, size_t alignment),
            delete_number(DELETE_ALIGNED, p, alignment))
FORM_DELETE(operator_delete_sized_aligned, "_ZdlPvmSt11align_val_t",
            (void *p, size_t size, size_t alignment),
            delete_numbers(DELETE_SIZED_ALIGNED, p, size, alignment))
FORM_DELETE(operator_delete_aligned_nothrow, "_ZdlPvSt11align_val_tRKSt9nothrow_t",
            (void *p, size_t alignment, const void *nothrow),
            delete_number_nothrow(DELETE_ALIGNED_NOTHROW, p, alignment, nothrow))
FORM_DELETE(operator_delete_array, "_ZdaPv", (void *p), delete_plain(DELETE_ARRAY, p))
FORM_DELETE(operator_delete_array_sized, "_ZdaPvm", (void *p, size_t size),
            delete_number(DELETE_ARRAY_SIZED, p, size))
FORM_DELETE(operator_delete_array_nothrow, "_ZdaPvRKSt9nothrow_t", (void *p, const void *nothrow),
            delete_nothrow(DELETE_ARRAY_NOTHROW, p, nothrow))
FORM_DELETE(operator_delete_array_aligned, "_ZdaPvSt11align_val_t", (void *p, size_t alignment),
            delete_number(DELETE_ARRAY_ALIGNED, p, alignment))
FORM_DELETE(operator_delete_array_sized_aligned, "_ZdaPvmSt11align_val_t",
            (void *p, size_t size, size_t alignment),
            delete_numbers(DELETE_ARRAY_SIZED_ALIGNED, p, size, alignment))
FORM_DELETE(operator_delete_array_aligned_nothrow, "_ZdaPvSt11align_val_tRKSt9nothrow_t",
            (void *p, size_t alignment, const void *nothrow),
            delete_number_nothrow(DELETE_ARRAY_ALIGNED_NOTHROW, p, alignment, nothrow))

FORM_DELETE(free_sized, "free_sized", (void *p, size_t size), delete_number(FREE_SIZED, p, size))
FORM_DELETE(free_aligned_sized, "free_aligned_sized", (void *p, size_t alignment, size_t size),
            delete_numbers(FREE_ALIGNED_SIZED, p, alignment, size))

/*
 * Looks for all forms at once where there is a C++ library: later, another thread might hold the
 * loader's lock. A program of C pays for one look.
 */
__attribute__((constructor)) static void operators_begin(void)
{
    struct stream *self = &stream_own;
    bool entered = enter(self);
    if (form_find(NEW, names) != UNSEEN)
        for (enum form form = NEW + 1; form < FORMS; form++)
            form_find(form, names);
    if (entered)
        leave(self);
}
