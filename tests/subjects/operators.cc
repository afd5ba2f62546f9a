/*
 * The operators new and delete, in every form:
 *   operators each          calls each form, between two mallocs of MARK bytes
 *   operators fail          some find no memory: caught, answered by a handler, or NULL
 *   operators many COUNT    makes COUNT blocks and deletes them
 *   operators cross         frees by delete what span made, and by span what new made
 * One thread; exits with 1 if something is amiss.
 */
#include <cstdint>
#include <cstdlib>
#include <cstring>
#include <dlfcn.h>
#include <new>

namespace
{

constexpr size_t MARK = 777777;
constexpr std::align_val_t WIDE{64};
constexpr size_t WIDE_BYTES = 64;
constexpr size_t ENDLESS = SIZE_MAX / 4;

extern "C" void free_sized(void *, size_t) __attribute__((weak));
extern "C" void free_aligned_sized(void *, size_t, size_t) __attribute__((weak));

/* The compiler may not pair what goes through here. */
void *volatile passed;

void *pass(void *p)
{
    passed = p;
    return passed;
}

size_t endless()
{
    volatile size_t bytes = ENDLESS;
    return bytes;
}

void call_plain()
{
    ::operator delete(pass(::operator new(101)));
    ::operator delete(pass(::operator new(102)), size_t(102));
    ::operator delete(pass(::operator new(103, std::nothrow)), std::nothrow);
    ::operator delete[](pass(::operator new[](104)));
    ::operator delete[](pass(::operator new[](105)), size_t(105));
    ::operator delete[](pass(::operator new[](106, std::nothrow)), std::nothrow);
}

void call_aligned()
{
    ::operator delete(pass(::operator new(107, WIDE)), WIDE);
    ::operator delete(pass(::operator new(108, WIDE)), size_t(108), WIDE);
    ::operator delete(pass(::operator new(109, WIDE, std::nothrow)), WIDE, std::nothrow);
    ::operator delete[](pass(::operator new[](110, WIDE)), WIDE);
    ::operator delete[](pass(::operator new[](111, WIDE)), size_t(111), WIDE);
    ::operator delete[](pass(::operator new[](112, WIDE, std::nothrow)), WIDE, std::nothrow);
}

void call_c23()
{
    void (*volatile sized)(void *, size_t) = free_sized;
    void (*volatile aligned)(void *, size_t, size_t) = free_aligned_sized;
    void *p = pass(std::malloc(113));
    sized ? sized(p, 113) : std::free(p);
    p = pass(std::aligned_alloc(WIDE_BYTES, 128));
    aligned ? aligned(p, WIDE_BYTES, 128) : std::free(p);
}

int each()
{
    void *first = pass(std::malloc(MARK));
    call_plain();
    call_aligned();
    call_c23();
    void *last = pass(std::malloc(MARK));
    std::free(first);
    std::free(last);
    return 0;
}

bool throws_bad_alloc()
{
    try {
        pass(::operator new(endless()));
    } catch (const std::bad_alloc &) {
        return true;
    }
    return false;
}

struct no_more {
};
int handled;

/* Allocates, gives up at the third time, and ends what asked for the memory by another throw. */
void handler()
{
    std::free(pass(std::malloc(55)));
    if (++handled == 3)
        throw no_more();
}

bool handler_throws()
{
    handled = 0;
    std::set_new_handler(handler);
    bool thrown = false;
    try {
        pass(::operator new[](endless(), WIDE));
    } catch (const no_more &) {
        thrown = true;
    }
    std::set_new_handler(nullptr);
    return thrown && handled == 3;
}

int fail()
{
    void *first = pass(std::malloc(MARK));
    bool right = throws_bad_alloc() && pass(::operator new(endless(), std::nothrow)) == nullptr;
    ::operator delete(pass(::operator new(120)));
    right = handler_throws() && right;
    ::operator delete(pass(::operator new(121)));
    void *last = pass(std::malloc(MARK));
    std::free(first);
    std::free(last);
    return right ? 0 : 1;
}

int many(size_t count)
{
    char **blocks = new char *[count];
    for (size_t i = 0; i < count; i++)
        blocks[i] = new char[321];
    for (size_t i = 0; i < count; i++)
        delete[] blocks[i];
    delete[] blocks;
    return 0;
}

/* Either allocator ends the program when it is given a block that is not its own. */
int cross()
{
    auto make = reinterpret_cast<void *(*)(size_t)>(dlsym(RTLD_DEFAULT, "span_malloc"));
    auto drop = reinterpret_cast<void (*)(void *)>(dlsym(RTLD_DEFAULT, "span_free"));
    auto check = reinterpret_cast<unsigned (*)()>(dlsym(RTLD_DEFAULT, "span_check"));
    if (!make || !drop || !check || !free_sized || !free_aligned_sized)
        return 1;
    drop(::operator new(101));
    drop(::operator new(103, std::nothrow));
    drop(::operator new[](104));
    drop(::operator new[](106, std::nothrow));
    drop(::operator new(107, WIDE));
    drop(::operator new(109, WIDE, std::nothrow));
    drop(::operator new[](110, WIDE));
    drop(::operator new[](112, WIDE, std::nothrow));
    ::operator delete(make(101));
    ::operator delete(make(102), size_t(102));
    ::operator delete(make(103), std::nothrow);
    ::operator delete[](make(104));
    ::operator delete[](make(105), size_t(105));
    ::operator delete[](make(106), std::nothrow);
    ::operator delete(make(107), WIDE);
    ::operator delete(make(108), size_t(108), WIDE);
    ::operator delete(make(109), WIDE, std::nothrow);
    ::operator delete[](make(110), WIDE);
    ::operator delete[](make(111), size_t(111), WIDE);
    ::operator delete[](make(112), WIDE, std::nothrow);
    free_sized(make(113), 113);
    free_aligned_sized(make(114), WIDE_BYTES, 114);
    return check() ? 1 : 0;
}

} // namespace

int main(int argc, char **argv)
{
    const char *how = argc > 1 ? argv[1] : "";
    if (std::strcmp(how, "each") == 0)
        return each();
    if (std::strcmp(how, "fail") == 0)
        return fail();
    if (std::strcmp(how, "many") == 0 && argc > 2)
        return many(std::strtoul(argv[2], nullptr, 10));
    return std::strcmp(how, "cross") == 0 ? cross() : 2;
}
