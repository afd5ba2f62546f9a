/*
 * Which functions stand behind the recorder. dlsym would tell, but it may be another library's: one
 * that takes a lock which it holds already, where it calls malloc and so came to us. Hence the
 * loader's list of libraries is read here; no lock, no allocation, no call.
 */
#ifndef WORKLOADS_RECORDER_SYMBOLS_H
#define WORKLOADS_RECORDER_SYMBOLS_H

/* The function of that name in the first library behind this one, as dlsym(RTLD_NEXT, name) finds
   it; NULL: there is none. */
void *symbol_next(const char *name);

/* The function of that name in libc itself, whoever stands before it; NULL: there is none. */
void *symbol_of_libc(const char *name);

#endif
