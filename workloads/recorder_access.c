/*
 * librecord.so, second part: after chroot or a change of user, the directory of the recording may
 * be out of reach. These functions do what they always did; around them the recorder makes sure
 * that it can still reach its file.
 */
#include "recorder_image.h"

#include <dlfcn.h>
#include <unistd.h>

#define EXPORT __attribute__((visibility("default")))

EXPORT int chroot(const char *path)
{
    int (*real_chroot)(const char *) = dlsym(RTLD_NEXT, "chroot");
    image_keep_files();
    int status = real_chroot(path);
    image_drop_files();
    return status;
}

EXPORT int setuid(uid_t user)
{
    int (*real_setuid)(uid_t) = dlsym(RTLD_NEXT, "setuid");
    image_keep_files();
    int status = real_setuid(user);
    image_drop_files();
    return status;
}

EXPORT int seteuid(uid_t user)
{
    int (*real_seteuid)(uid_t) = dlsym(RTLD_NEXT, "seteuid");
    image_keep_files();
    int status = real_seteuid(user);
    image_drop_files();
    return status;
}

EXPORT int setreuid(uid_t user, uid_t effective)
{
    int (*real_setreuid)(uid_t, uid_t) = dlsym(RTLD_NEXT, "setreuid");
    image_keep_files();
    int status = real_setreuid(user, effective);
    image_drop_files();
    return status;
}

EXPORT int setresuid(uid_t user, uid_t effective, uid_t saved)
{
    int (*real_setresuid)(uid_t, uid_t, uid_t) = dlsym(RTLD_NEXT, "setresuid");
    image_keep_files();
    int status = real_setresuid(user, effective, saved);
    image_drop_files();
    return status;
}
