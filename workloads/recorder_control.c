/*
 * The recorder's side of the control file, see recorder_control.h.
 */
#include "recorder_control.h"
#include "recorder_sys.h"
#include "recorder_text.h"

#include <limits.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>

enum {
    CONTROL_BYTES = RECORDING_NOTES_AT + RECORDING_NOTES_MAX * sizeof(struct recording_note),
    STAT_FIELD_START = 22, /* proc(5) */
};

_Static_assert(sizeof(struct recording_control) <= RECORDING_NOTES_AT, "the notes come after it");
_Static_assert(sizeof(struct recording_note) == 256, "as the front end reads it");

static struct recording_control *control; /* NULL: none */
static char control_path[PATH_MAX];       /* DIRECTORY/control */
static size_t directory_bytes;            /* of it, that are the directory's */

static struct recording_note *notes(void)
{
    return (struct recording_note *)((char *)control + RECORDING_NOTES_AT);
}

static struct recording_control *control_map(int fd)
{
    struct stat status;
    if (sys_fstat(fd, &status) != 0 || (uint64_t)status.st_size < CONTROL_BYTES)
        return NULL;
    void *p = sys_mmap(CONTROL_BYTES, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
    return sys_is_error((long)p) ? NULL : p;
}

void control_open(const char *directory)
{
    struct text text = text_open(control_path, sizeof control_path);
    text_put(&text, directory);
    directory_bytes = text.length;
    text_put(&text, "/control");
    int fd = sys_openat(AT_FDCWD, control_path, O_RDWR, 0);
    if (fd < 0)
        return;
    struct recording_control *found = control_map(fd);
    sys_close(fd);
    if (found == NULL)
        return;
    if (found->magic == RECORDING_MAGIC && found->version == RECORDING_VERSION)
        control = found;
    else
        sys_munmap(found, CONTROL_BYTES);
}

bool control_exists(void)
{
    return control != NULL;
}

bool control_is_in(const char *directory)
{
    return text_length(directory) == directory_bytes && text_begins_with(control_path, directory);
}

bool control_is_near(void)
{
    struct stat status;
    return sys_stat(control_path, &status) == 0;
}

static uint64_t number_at(const char *digits)
{
    uint64_t number = 0;
    for (; *digits >= '0' && *digits <= '9'; digits++)
        number = number * 10 + (uint64_t)(*digits - '0');
    return number;
}

/* What follows the first `wanted`; the end if there is none. */
static const char *text_behind(const char *string, char wanted)
{
    while (*string != '\0' && *string != wanted)
        string++;
    return *string != '\0' ? string + 1 : string;
}

/* Links of /proc/self/ns read "pid:[4026531836]". */
static uint64_t namespace_inode(const char *link)
{
    char target[64];
    long bytes = sys_readlink(link, target, sizeof target - 1);
    if (bytes <= 0)
        return 0;
    target[bytes] = '\0';
    return number_at(text_behind(target, '['));
}

uint64_t control_pid_namespace(void)
{
    return namespace_inode("/proc/self/ns/pid");
}

uint64_t control_pid_namespace_of_children(void)
{
    return namespace_inode("/proc/self/ns/pid_for_children");
}

/* The program's name is the second field, in brackets, and may hold anything. */
static uint64_t stat_field(const char *line, int wanted)
{
    const char *at = line;
    for (const char *c = line; *c != '\0'; c++)
        if (*c == ')')
            at = c;
    for (int field = 2; field < wanted; field++)
        at = text_behind(at, ' ');
    return number_at(at);
}

static uint64_t start_ticks(void)
{
    char line[1024];
    int fd = sys_openat(AT_FDCWD, "/proc/self/stat", O_RDONLY, 0);
    if (fd < 0)
        return 0;
    long bytes = sys_read(fd, line, sizeof line - 1);
    sys_close(fd);
    if (bytes <= 0)
        return 0;
    line[bytes] = '\0';
    return stat_field(line, STAT_FIELD_START);
}

struct recording_process control_identify(bool may_open)
{
    return (struct recording_process){
        .pid = sys_getpid(),
        .pid_namespace = control_pid_namespace(),
        .start_ticks = may_open ? start_ticks() : 0,
    };
}

/* Without /proc nothing but the pid is known. */
static bool numbers_agree(uint64_t a, uint64_t b)
{
    return a == 0 || b == 0 || a == b;
}

bool control_is_root(const struct recording_process *process)
{
    const struct recording_process *root = &control->root_process;
    return process->pid == root->pid &&
           numbers_agree(process->pid_namespace, root->pid_namespace) &&
           numbers_agree(process->start_ticks, root->start_ticks);
}

enum recording_phase control_phase(void)
{
    if (control == NULL)
        return RECORDING_ALWAYS;
    return (enum recording_phase)__atomic_load_n(&control->phase, __ATOMIC_ACQUIRE);
}

bool control_is_limited(void)
{
    return control != NULL && control->most_bytes != UINT64_MAX;
}

bool control_claim(uint64_t bytes)
{
    if (control == NULL)
        return true;
    uint64_t before = __atomic_fetch_add(&control->claimed_bytes, bytes, __ATOMIC_RELAXED);
    if (before + bytes <= control->most_bytes)
        return true;
    control_give_back(bytes);
    return false;
}

void control_give_back(uint64_t bytes)
{
    if (control != NULL)
        __atomic_fetch_sub(&control->claimed_bytes, bytes, __ATOMIC_RELAXED);
}

static bool note_changes(struct recording_note *note, uint32_t from, enum recording_note_state to)
{
    return __atomic_compare_exchange_n(&note->state, &from, to, false, __ATOMIC_SEQ_CST,
                                       __ATOMIC_SEQ_CST);
}

static uint32_t notes_used(void)
{
    return __atomic_load_n(&control->notes_used, __ATOMIC_ACQUIRE);
}

/* Kept low, so that those who look for a note look at few. */
static void notes_raise_used(uint32_t count)
{
    uint32_t used = notes_used();
    while (used < count && !__atomic_compare_exchange_n(&control->notes_used, &used, count, false,
                                                        __ATOMIC_SEQ_CST, __ATOMIC_SEQ_CST))
        ;
}

static struct recording_note *note_take(void)
{
    for (uint32_t i = 0; i < RECORDING_NOTES_MAX; i++)
        if (note_changes(&notes()[i], NOTE_FREE, NOTE_BEING_WRITTEN)) {
            notes_raise_used(i + 1);
            return &notes()[i];
        }
    __atomic_fetch_add(&control->unnoted, 1, __ATOMIC_RELAXED);
    return NULL;
}

static void text_copy(char *to, size_t capacity, const char *from)
{
    struct text text = text_open(to, capacity);
    text_put(&text, from);
}

struct recording_note *control_note(enum recording_note_state state, uint32_t pid,
                                    uint64_t pid_namespace, uint32_t obstacles, const char *path)
{
    struct recording_note *note = control != NULL ? note_take() : NULL;
    if (note == NULL)
        return NULL;
    note->sequence = __atomic_fetch_add(&control->sequence, 1, __ATOMIC_RELAXED);
    note->pid = state == NOTE_SPAWN ? 0 : pid;
    note->parent = pid;
    note->pid_namespace = pid_namespace;
    note->obstacles = obstacles;
    note->error = 0;
    text_copy(note->path, sizeof note->path, path);
    __atomic_store_n(&note->state, state, __ATOMIC_SEQ_CST);
    return note;
}

void control_remove_note(struct recording_note *note)
{
    if (note != NULL)
        __atomic_store_n(&note->state, NOTE_FREE, __ATOMIC_SEQ_CST);
}

/* The last note of a state about a process; NULL: none. */
static struct recording_note *note_find(enum recording_note_state state, uint32_t pid,
                                        uint64_t pid_namespace)
{
    struct recording_note *last = NULL;
    for (uint32_t i = 0, used = notes_used(); i < used; i++) {
        struct recording_note *note = &notes()[i];
        if (__atomic_load_n(&note->state, __ATOMIC_SEQ_CST) == (uint32_t)state &&
            note->pid == pid && numbers_agree(note->pid_namespace, pid_namespace) &&
            (last == NULL || note->sequence > last->sequence))
            last = note;
    }
    return last;
}

/* Both sides of a posix_spawn put down what they know and then look for the other's note: whoever
   comes second finds it and removes the two. */
static bool notes_settle(uint32_t pid, uint64_t pid_namespace)
{
    struct recording_note *exec = note_find(NOTE_EXEC, pid, pid_namespace);
    if (exec == NULL || !note_changes(exec, NOTE_EXEC, NOTE_FREE))
        return false;
    struct recording_note *started = note_find(NOTE_STARTED, pid, pid_namespace);
    if (started != NULL)
        note_changes(started, NOTE_STARTED, NOTE_FREE);
    return true;
}

void control_spawned(struct recording_note *note, uint32_t pid)
{
    if (note == NULL)
        return;
    uint64_t pid_namespace = note->pid_namespace;
    note->pid = pid;
    __atomic_store_n(&note->state, NOTE_EXEC, __ATOMIC_SEQ_CST);
    if (note_find(NOTE_STARTED, pid, pid_namespace) != NULL)
        notes_settle(pid, pid_namespace);
}

static bool is_being_spawned(uint32_t parent)
{
    for (uint32_t i = 0, used = notes_used(); i < used; i++)
        if (__atomic_load_n(&notes()[i].state, __ATOMIC_SEQ_CST) == NOTE_SPAWN &&
            notes()[i].parent == parent)
            return true;
    return false;
}

static void root_starts(void)
{
    struct recording_root *root = &control->root;
    char name[RECORDING_NAME_BYTES] = "";
    sys_call(SYS_prctl, PR_GET_NAME, (long)name, 0, 0, 0, 0);
    root->file = 0;
    root->error = 0;
    root->has_ended = 0;
    memcpy(root->name, name, sizeof name);
    control_program(root->program);
    __atomic_fetch_add(&root->images, 1, __ATOMIC_RELEASE);
}

void control_image_starts(const struct recording_process *process, uint32_t parent, bool is_root)
{
    if (control == NULL)
        return;
    if (is_root)
        root_starts();
    if (notes_settle(process->pid, process->pid_namespace) || !is_being_spawned(parent))
        return;
    struct recording_note *note =
        control_note(NOTE_STARTED, process->pid, process->pid_namespace, 0, "");
    if (note != NULL)
        note->parent = parent;
    notes_settle(process->pid, process->pid_namespace);
}

void control_root_has_file(uint32_t number)
{
    if (control != NULL)
        __atomic_store_n(&control->root.file, number + 1, __ATOMIC_RELEASE);
}

void control_root_lacks_file(uint32_t error)
{
    if (control != NULL)
        control->root.error = error;
}

void control_root_ends(void)
{
    if (control != NULL)
        __atomic_store_n(&control->root.has_ended, 1, __ATOMIC_RELEASE);
}

void control_program(char path[RECORDING_PATH_BYTES])
{
    char target[PATH_MAX];
    long bytes = sys_readlink("/proc/self/exe", target, sizeof target - 1);
    target[bytes > 0 ? bytes : 0] = '\0';
    text_copy(path, RECORDING_PATH_BYTES, target);
}
