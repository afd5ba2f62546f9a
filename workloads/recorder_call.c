/* What is rare of entering a call, see recorder_call.h. */
#include "recorder_call.h"
#include "recorder_real.h"

#include <errno.h>

bool enter_slowly(struct stream *self)
{
    if (self->busy != STREAM_IDLE) {
        if (self->busy == STREAM_WRITING)
            image_lose(0);
        return false;
    }
    int error = errno;
    self->busy = STREAM_INSIDE;
    if (real.malloc == NULL)
        real_find();
    bool recorded = image_attend(window_forget);
    if (!recorded)
        self->busy = STREAM_IDLE;
    errno = error;
    return recorded;
}
