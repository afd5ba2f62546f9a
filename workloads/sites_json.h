/*
 * A table of call sites in JSON on standard output. Modules are numbered from 1; 0 is none, and
 * then the address stands as it was.
 */
#ifndef WORKLOADS_SITES_JSON_H
#define WORKLOADS_SITES_JSON_H

#include "sites.h"

/* The member "modules" with a comma behind it: path, build-id and load address of each. */
void sites_modules_json(const struct sites *sites);
/* The member "frames" of a site: [module, return address less the load address], the innermost
   first; none of site 0. */
void sites_frames_json(const struct sites *sites, uint32_t site);

#endif
