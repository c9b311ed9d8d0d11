/* Stands between a program and the C library, for files under one folder: counts its operations, fails or kills at
 * one of them, or writes down all that is written and synced. Loaded by LD_PRELOAD; told what to do by shim_arm. */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdint.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

enum { READ = 1, WRITE = 2, SYNC = 4, TRUNCATE = 8, NAME = 16, OPEN = 32, LOCK = 64, MAP = 128, STAT = 256 };
enum { COUNT = 0, KILL = 1, FAIL = 2, SHORT = 3, TORN = 4 };

static char folder[PATH_MAX];
static size_t folder_length;
static int mask, action, error_number, sticky, log_file = -1;
static long at, counted, happened;

void shim_arm(const char *path, int kinds, int act, int number, long when, int for_good) {
    snprintf(folder, sizeof folder, "%s", path);
    folder_length = strlen(folder);
    mask = kinds; action = act; error_number = number; at = when; sticky = for_good; counted = happened = 0;
}
void shim_disarm(void) { folder_length = 0; log_file = -1; }
long shim_counted(void) { return counted; }
long shim_happened(void) { return happened; }
void shim_log(int file) { log_file = file; }

#define REAL(name, result, ...) \
    static result (*real)(__VA_ARGS__); \
    if (!real) real = (result (*)(__VA_ARGS__))dlsym(RTLD_NEXT, name)

static int ours(const char *path) {
    return folder_length && path && !strncmp(path, folder, folder_length) && !strstr(path, ".log");
}
static int ours_open(int file, char *path) {
    char link[64];
    if (!folder_length) return 0;
    snprintf(link, sizeof link, "/proc/self/fd/%d", file);
    ssize_t n = readlink(link, path, PATH_MAX - 1);
    if (n <= 0) return 0;
    path[n] = 0;
    return ours(path);
}

/* What is to happen to this operation: 0 nothing. */
static int meets(int kind) {
    if (!(mask & kind)) return 0;
    counted++;
    if (action == COUNT || counted < at || (counted > at && !sticky)) return 0;
    happened++;
    if (action == KILL) { kill(getpid(), SIGKILL); for (;;) pause(); }
    return action;
}

static void put(const void *data, size_t size) {
    const char *from = data;
    while (size) {
        long n = syscall(SYS_write, log_file, from, size);
        if (n <= 0) return;
        from += n; size -= n;
    }
}
static void note(char kind, const char *path, long where, const void *data, long size) {
    if (log_file < 0) return;
    struct { int64_t kind, path, where, size; } head = {kind, (int64_t)strlen(path), where, size};
    put(&head, sizeof head);
    put(path, head.path);
    if (data) put(data, size);
}
void shim_mark(const char *text) { note('M', text, 0, NULL, 0); }

static ssize_t written(int file, const void *data, size_t size, off_t where, int plain, const char *path,
                       ssize_t (*real)(int, const void *, size_t, off_t), ssize_t (*real_plain)(int, const void *, size_t)) {
    int what = meets(WRITE);
    if (what == FAIL) { errno = error_number; return -1; }
    if (what == SHORT || what == TORN) size = size / 2 + size % 2;
    off_t from = plain ? lseek(file, 0, SEEK_CUR) : where;
    ssize_t n = plain ? real_plain(file, data, size) : real(file, data, size, where);
    if (n > 0) note('W', path, from, data, n);
    if (what == TORN) { kill(getpid(), SIGKILL); for (;;) pause(); }
    return n;
}

#define PWRITE(name) \
    ssize_t name(int file, const void *data, size_t size, off_t where) { \
        REAL(#name, ssize_t, int, const void *, size_t, off_t); \
        char path[PATH_MAX]; \
        if (!ours_open(file, path)) return real(file, data, size, where); \
        return written(file, data, size, where, 0, path, real, NULL); \
    }
PWRITE(pwrite)
PWRITE(pwrite64)

ssize_t write(int file, const void *data, size_t size) {
    REAL("write", ssize_t, int, const void *, size_t);
    char path[PATH_MAX];
    if (!ours_open(file, path)) return real(file, data, size);
    return written(file, data, size, 0, 1, path, NULL, real);
}

#define FAILS(kind) if (meets(kind) >= FAIL) { errno = error_number; return -1; }

#define PREAD(name) \
    ssize_t name(int file, void *data, size_t size, off_t where) { \
        REAL(#name, ssize_t, int, void *, size_t, off_t); \
        char path[PATH_MAX]; \
        if (ours_open(file, path)) FAILS(READ) \
        return real(file, data, size, where); \
    }
PREAD(pread)
PREAD(pread64)

ssize_t read(int file, void *data, size_t size) {
    REAL("read", ssize_t, int, void *, size_t);
    char path[PATH_MAX];
    if (ours_open(file, path)) FAILS(READ)
    return real(file, data, size);
}

#define SYNCING(name) \
    int name(int file) { \
        REAL(#name, int, int); \
        char path[PATH_MAX]; \
        int mine = ours_open(file, path); \
        if (mine) FAILS(SYNC) \
        int result = real(file); \
        if (mine && !result) { \
            struct stat status; \
            note(!fstat(file, &status) && S_ISDIR(status.st_mode) ? 'D' : 'S', path, 0, NULL, 0); \
        } \
        return result; \
    }
SYNCING(fsync)
SYNCING(fdatasync)

#define TRUNCATING(name) \
    int name(int file, off_t size) { \
        REAL(#name, int, int, off_t); \
        char path[PATH_MAX]; \
        int mine = ours_open(file, path); \
        if (mine) FAILS(TRUNCATE) \
        int result = real(file, size); \
        if (mine && !result) note('T', path, size, NULL, 0); \
        return result; \
    }
TRUNCATING(ftruncate)
TRUNCATING(ftruncate64)

int unlink(const char *path) {
    REAL("unlink", int, const char *);
    if (ours(path)) FAILS(NAME)
    int result = real(path);
    if (ours(path) && !result) note('U', path, 0, NULL, 0);
    return result;
}

#define TWO_NAMES(name, letter) \
    int name(const char *from, const char *to) { \
        REAL(#name, int, const char *, const char *); \
        if (ours(to)) FAILS(NAME) \
        int result = real(from, to); \
        if (ours(to) && !result) note(letter, to, 0, from, strlen(from)); \
        return result; \
    }
TWO_NAMES(rename, 'R')
TWO_NAMES(link, 'L')

#define OPENING(name) \
    int name(const char *path, int flags, ...) { \
        REAL(#name, int, const char *, int, ...); \
        va_list more; va_start(more, flags); mode_t mode = va_arg(more, mode_t); va_end(more); \
        int mine = ours(path), fresh = 0; \
        if (mine) { FAILS(OPEN) fresh = (flags & O_CREAT) && access(path, F_OK); } \
        int file = real(path, flags, mode); \
        if (fresh && file >= 0) note('C', path, 0, NULL, 0); \
        return file; \
    }
OPENING(open)
OPENING(open64)

#define CONTROL(name) \
    int name(int file, int command, ...) { \
        REAL(#name, int, int, int, ...); \
        va_list more; va_start(more, command); void *argument = va_arg(more, void *); va_end(more); \
        char path[PATH_MAX]; \
        if ((command == F_SETLK || command == F_SETLKW) && ours_open(file, path) && ((struct flock *)argument)->l_type != F_UNLCK) \
            FAILS(LOCK) \
        return real(file, command, argument); \
    }
CONTROL(fcntl)
CONTROL(fcntl64)

#define MAPPING(name) \
    void *name(void *where, size_t size, int rights, int flags, int file, off_t from) { \
        REAL(#name, void *, void *, size_t, int, int, int, off_t); \
        char path[PATH_MAX]; \
        if (file >= 0 && ours_open(file, path) && meets(MAP) >= FAIL) { errno = error_number; return MAP_FAILED; } \
        return real(where, size, rights, flags, file, from); \
    }
MAPPING(mmap)
MAPPING(mmap64)

#define STATUS(name, type, kind, test) \
    int name(type which, struct kind *status) { \
        REAL(#name, int, type, struct kind *); \
        char path[PATH_MAX]; (void)path; \
        if (test) FAILS(STAT) \
        return real(which, status); \
    }
STATUS(stat64, const char *, stat64, ours(which))
STATUS(fstat64, int, stat64, ours_open(which, path))
