/* See trace_fixture.h. */
#include "trace_fixture.h"
#include "workloads/pages.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

char folder[64];
char path[128];

int folder_make(void **state)
{
    (void)state;
    strcpy(folder, "/tmp/spanbench.XXXXXX");
    if (mkdtemp(folder) == NULL)
        return -1;
    snprintf(path, sizeof path, "%s/x.trace", folder);
    return 0;
}

int folder_remove(void **state)
{
    (void)state;
    unlink(path);
    return rmdir(folder) != 0 || pages_mapped() != 0;
}
