/*
 * `trace sites FILE`: what each call site of a trace asked for, as JSON on standard output: the
 * modules with path, build-id and load address, and the sites with their frames as [module, return
 * address less the load address], the innermost first. Modules are numbered from 1; 0 is none, and
 * then the address stands as it was. A block belongs to the site that made or last resized it.
 */
#ifndef WORKLOADS_SITE_CENSUS_H
#define WORKLOADS_SITE_CENSUS_H

/* Exit status 0; 2 if the file is no good or has no call sites. */
int sites_main(int argc, char **argv);

#endif
