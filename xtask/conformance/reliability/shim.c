/* Preloaded into a writer: kills it at, or delays, its file operations below one folder.
 *
 *   SHIM_ROOT      only operations on paths that begin with this count
 *   SHIM_KILL_AT   SIGKILL just before the n-th operation, from 1; 0: none
 *   SHIM_COUNT_TO  write the number of operations into this file at exit
 *   SHIM_DELAY_MS  sleep before operations that publish: hard links and renames
 */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <fcntl.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/uio.h>
#include <unistd.h>

static const char *root;
static long kill_at, delay_ms;
static _Atomic long operations;
static _Atomic char below_root[65536]; /* by file descriptor */

__attribute__((constructor)) static void begin(void) {
  root = getenv("SHIM_ROOT");
  kill_at = getenv("SHIM_KILL_AT") ? atol(getenv("SHIM_KILL_AT")) : 0;
  delay_ms = getenv("SHIM_DELAY_MS") ? atol(getenv("SHIM_DELAY_MS")) : 0;
}

__attribute__((destructor)) static void end(void) {
  const char *path = getenv("SHIM_COUNT_TO");
  FILE *file = path ? fopen(path, "w") : NULL;
  if (file) {
    fprintf(file, "%ld", operations);
    fclose(file);
  }
}

static int counts(const char *path) { return root && path && strncmp(path, root, strlen(root)) == 0; }

static void operate(void) {
  if (++operations == kill_at) kill(getpid(), SIGKILL);
}

static void publish(const char *path) {
  if (!counts(path)) return;
  operate();
  if (delay_ms) usleep(1000 * delay_ms);
}

#define NEXT(name) ((__typeof__(&name))dlsym(RTLD_NEXT, #name))

static int opened(int fd, const char *path, int flags) {
  if (fd >= 0 && fd < (int)sizeof below_root) below_root[fd] = counts(path) && (flags & O_ACCMODE) != O_RDONLY;
  return fd;
}

#define OPEN(name)                                                        \
  int name(const char *path, int flags, ...) {                            \
    va_list rest;                                                         \
    va_start(rest, flags);                                                \
    mode_t mode = va_arg(rest, mode_t);                                   \
    va_end(rest);                                                         \
    if (counts(path) && (flags & O_ACCMODE) != O_RDONLY) operate();       \
    return opened(NEXT(name)(path, flags, mode), path, flags);            \
  }
OPEN(open)
OPEN(open64)

#define OPENAT(name)                                                      \
  int name(int folder, const char *path, int flags, ...) {                \
    va_list rest;                                                         \
    va_start(rest, flags);                                                \
    mode_t mode = va_arg(rest, mode_t);                                   \
    va_end(rest);                                                         \
    if (counts(path) && (flags & O_ACCMODE) != O_RDONLY) operate();       \
    return opened(NEXT(name)(folder, path, flags, mode), path, flags);    \
  }
OPENAT(openat)
OPENAT(openat64)

static void writing(int fd) {
  if (fd >= 0 && fd < (int)sizeof below_root && below_root[fd]) operate();
}

ssize_t write(int fd, const void *bytes, size_t length) {
  writing(fd);
  return NEXT(write)(fd, bytes, length);
}

ssize_t writev(int fd, const struct iovec *parts, int count) {
  writing(fd);
  return NEXT(writev)(fd, parts, count);
}

int fsync(int fd) {
  writing(fd);
  return NEXT(fsync)(fd);
}

int mkdir(const char *path, mode_t mode) {
  if (counts(path)) operate();
  return NEXT(mkdir)(path, mode);
}

int unlink(const char *path) {
  if (counts(path)) operate();
  return NEXT(unlink)(path);
}

int link(const char *from, const char *to) {
  publish(to);
  return NEXT(link)(from, to);
}

int linkat(int from_folder, const char *from, int to_folder, const char *to, int flags) {
  publish(to);
  return NEXT(linkat)(from_folder, from, to_folder, to, flags);
}

int rename(const char *from, const char *to) {
  publish(to);
  return NEXT(rename)(from, to);
}
