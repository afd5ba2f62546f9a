/* Programs of several files, linked with optimisation across them, that load a library. */
#include <dlfcn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

int main(void)
{
    for (int i = 0; i < 50; i++) {
        void *library = dlopen("libm.so.6", RTLD_NOW);
        double (*root)(double) = (double (*)(double))dlsym(library, "cbrt");
        char *text = NULL;
        size_t length = 0;
        FILE *stream = open_memstream(&text, &length);
        for (int n = 0; n < 500; n++)
            fprintf(stream, "%.3f ", root(i * n));
        fclose(stream);
        char *copy = strdup(text);
        printf("%zu %.20s %s\n", length, copy + length / 2, getenv("HOME") ? "home" : "none");
        free(copy);
        free(text);
        dlclose(library);
    }
    return 3;
}
