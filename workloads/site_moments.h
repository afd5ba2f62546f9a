/*
 * `trace moments FILE`: what call sites have to do with single operations of a trace. It reads
 * lines from standard input, "op N" or "live N", the numbers (from 1) never decreasing, and answers
 * with JSON on standard output: the modules as `trace sites` tells them, and in "moments" an object
 * for each line:
 *
 *   op N      {"op": N, "frames": [...]}: the site that made the call
 *   live N    {"op": N, "live": BYTES, "sites": [{"live": BYTES, "frames": [...]}, ...]}: what
 * lives behind operation N, and the sites with most of it, at most MOMENT_SITES. 0 is the start
 *
 * A block belongs to the site that made or last resized it.
 */
#ifndef WORKLOADS_SITE_MOMENTS_H
#define WORKLOADS_SITE_MOMENTS_H

enum { MOMENT_SITES = 3 };

/* Exit status 0; 2 if the file is no good or has no call sites, or a line makes no sense. */
int moments_main(int argc, char **argv);

#endif
