/*
 * What an operator may change without a rebuild, as the environment variable SPAN_OPTIONS says when
 * the process starts: items NAME:VALUE with commas between them, of two with one name the last one.
 *
 *     thp:never      no huge pages are asked for
 *     thp:always     every ordinary span is on huge pages
 *     thp:default    they are where they pay
 *     keep:SIZE      at most so many bytes of empty spans are kept; K, M, G, T are powers of 1024
 *     verify         looks for mistakes of the program as well as it can; libspan only
 *
 * A variable with a mistake is ignored as a whole, with one line on standard error; so is that of a
 * program that runs with more rights than its caller, without a line. What the others make of the
 * options is their business (os.h, span.h).
 */
#ifndef ALLOCATOR_OPTIONS_H
#define ALLOCATOR_OPTIONS_H

#include "build.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum options_thp { OPTIONS_THP_DEFAULT, OPTIONS_THP_NEVER, OPTIONS_THP_ALWAYS };

struct options {
    size_t keep_max; /* bytes; OPTIONS_KEEP_LEARNT: as many as are worth it */
    enum options_thp thp;
    bool verifies; /* never in libspan-fast */
};

#define OPTIONS_KEEP_LEARNT SIZE_MAX
#define OPTIONS_DEFAULT     ((struct options){.keep_max = OPTIONS_KEEP_LEARNT})

/* What is wrong with a text, as the words around one of its own. */
struct options_fault {
    const char *before;
    const char *word; /* into the text; `bytes` of it */
    size_t bytes;
    const char *after;
};

/* Reads the items of a text. false: there is a mistake in it, the first one is in `fault`, and
   `options` are the default ones. */
bool options_parse(const char *text, struct options *options, struct options_fault *fault);

/*
 * The options of this process. They are read once, when the library starts or before if need be,
 * and do not change when the environment does. Before the C library knows the environment they are
 * the default ones. For any thread; allocates nothing and waits for nobody.
 */
struct options options_current(void);

#endif
