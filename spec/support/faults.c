/* SPDX-License-Identifier: MIT
**
** faults.c - a system that fails when it is told to: preloaded (LD_PRELOAD) into a process of a
** spec, it stands between the store and C's library. `make spec-tools` builds it.
**
**     FAULT_FILESYSTEM=6969   fstatfs says that all files are on one of that type (hexadecimal)
**     FAULT_REPLACE=path      the first fstatfs renames `path`-new to `path`
**     FAULT_APPEAR=path       and so does the first lstat of it
**     FAULT_META=n            the n-th write of a meta page and all after it: the bytes are
**                             written, but could not be flushed: EIO. LMDB writes data by pages
**                             and its meta pages in part, so by their size they are told; small
**                             writes to a journal begin with its magic
**     FAULT_FLUSH=n           the n-th fdatasync, or write with RWF_DSYNC, fails with EIO
**     FAULT_HOLD=path         each fdatasync ends when there is no file of that name
**                             With FAULT_DRAIN=1 reading an eventfd removes that file, and goes on
**                             when there is something to read: the worst moment for it
**     FAULT_LOST=path         each fails with EIO while there is a file of that name
**     FAULT_FULL=path         writes past the end of a file fail with ENOSPC while there is one
**     FAULT_DIRECT=fcntl      O_DIRECT is not known: it cannot be set
**     FAULT_DIRECT=pwrite     it can, and then writes fail with EINVAL
*/
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <poll.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/uio.h>
#include <sys/vfs.h>
#include <unistd.h>

#define PAGE_SIZE_MIN 4096
#define EXPORT __attribute__((visibility("default")))

/* The next function of a name: C's own, or a sanitizer's. */
static void find(const char *name, void *into) {
  void *symbol = dlsym(RTLD_NEXT, name);
  if (symbol == NULL) abort();
  memcpy(into, &symbol, sizeof symbol); /* C has no cast from data to code */
}

/* The number that a variable asks for; 0: none. */
static long asked(const char *variable) {
  const char *value = getenv(variable);
  return value != NULL ? strtol(value, NULL, 10) : 0;
}

/* The file that a variable names. */
static bool is_there(const char *variable) {
  const char *path = getenv(variable);
  return path != NULL && access(path, F_OK) == 0;
}

/* The file that a variable names gives way to the one beside it, once. */
static void replace(const char *variable) {
  const char *path = getenv(variable);
  char other[PATH_MAX];
  if (path == NULL) return;
  snprintf(other, sizeof other, "%s-new", path);
  if (rename(other, path) != 0 || unsetenv(variable) != 0) abort();
}

EXPORT int fstatfs(int fd, struct statfs *fs) {
  int (*real)(int, struct statfs *);
  find("fstatfs", &real);
  replace("FAULT_REPLACE");
  int rc = real(fd, fs);
  const char *type = getenv("FAULT_FILESYSTEM");
  if (rc == 0 && type != NULL) fs->f_type = (__typeof__(fs->f_type))strtoul(type, NULL, 16);
  return rc;
}

EXPORT int lstat(const char *path, struct stat *st) {
  int (*real)(const char *, struct stat *);
  find("lstat", &real);
  const char *appears = getenv("FAULT_APPEAR");
  if (appears != NULL && strcmp(path, appears) == 0) replace("FAULT_APPEAR");
  return real(path, st);
}

/* Is the disk full, and would a write need more of it? */
static bool is_full(int fd, size_t size, off_t at) {
  struct stat st;
  if (!is_there("FAULT_FULL") || fstat(fd, &st) != 0 || !S_ISREG(st.st_mode)) return false;
  errno = ENOSPC;
  return at + (off_t)size > st.st_size;
}

EXPORT ssize_t writev(int fd, const struct iovec *parts, int count) {
  ssize_t (*real)(int, const struct iovec *, int);
  find("writev", &real);
  size_t size = 0;
  for (int i = 0; i < count; i++)
    size += parts[i].iov_len;
  return is_full(fd, size, lseek(fd, 0, SEEK_CUR)) ? -1 : real(fd, parts, count);
}

/* Does this call know no O_DIRECT? */
static bool refuses_direct(const char *call, int flags) {
  const char *what = getenv("FAULT_DIRECT");
  errno = EINVAL;
  return (flags & O_DIRECT) != 0 && what != NULL && strcmp(what, call) == 0;
}

EXPORT int fcntl(int fd, int command, ...) {
  int (*real)(int, int, ...);
  va_list list;
  va_start(list, command);
  void *argument = va_arg(list, void *);
  va_end(list);
  find("fcntl", &real);
  if (command == F_SETFL && refuses_direct("fcntl", (int)(intptr_t)argument)) return -1;
  return real(fd, command, argument);
}

EXPORT ssize_t pwrite(int fd, const void *bytes, size_t size, off_t at) {
  static long count;
  ssize_t (*real)(int, const void *, size_t, off_t);
  find("pwrite", &real);
  if (refuses_direct("pwrite", fcntl(fd, F_GETFL)) || is_full(fd, size, at)) return -1;
  ssize_t n = real(fd, bytes, size, at);
  long first = asked("FAULT_META");
  bool is_meta = size < PAGE_SIZE_MIN && memcmp(bytes, "JgJ1", 4) != 0;
  if (first == 0 || !is_meta || ++count < first) return n;
  errno = EIO;
  return -1;
}

EXPORT int fdatasync(int fd) {
  static long count;
  int (*real)(int);
  find("fdatasync", &real);
  while (is_there("FAULT_HOLD"))
    usleep(500);
  if (asked("FAULT_FLUSH") == ++count || is_there("FAULT_LOST")) {
    errno = EIO;
    return -1;
  }
  return real(fd);
}

/* A write that is flushed by the same call fails as either of them would. */
EXPORT ssize_t pwritev2(int fd, const struct iovec *parts, int count, off_t at, int flags) {
  ssize_t n = count == 1 ? pwrite(fd, parts->iov_base, parts->iov_len, at) : -1;
  return n < 0 || (flags & RWF_DSYNC) == 0 || fdatasync(fd) == 0 ? n : -1;
}

EXPORT ssize_t read(int fd, void *into, size_t size) {
  ssize_t (*real)(int, void *, size_t);
  find("read", &real);
  if (size == sizeof(uint64_t) && asked("FAULT_DRAIN") != 0 && is_there("FAULT_HOLD")) {
    struct pollfd one = {.fd = fd, .events = POLLIN};
    unlink(getenv("FAULT_HOLD"));
    poll(&one, 1, 60000);
  }
  return real(fd, into, size);
}
