/* SPDX-License-Identifier: MIT
**
** recorder_calls.c - libc's functions that change files, as recorder.c wants them: each does what it
** does by a system call and notes that, or fails where it is to fail. What is not here (mapped
** writes, copy_file_range, stdio) is not seen: whoever reads the trace compares what it leads to
** with the files.
*/
#include "recorder.h"

#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <unistd.h>

/* ---- libc's functions: files and names ----------------------------------------------------- */

static int open_file(int at, const char *path, int flags, mode_t mode) {
  const char *name = name_of(path);
  if (name == NULL) return (int)syscall(SYS_openat, at, path, flags, mode);
  lock();
  bool is_new = (flags & O_CREAT) != 0 && syscall(SYS_faccessat, AT_FDCWD, path, F_OK) != 0;
  int how = is_new ? next_fault(NAME | GROWTH) : 0;
  if (how != 0) return (int)done(failed(or_full(how)));
  int fd = (int)syscall(SYS_openat, at, path, flags, mode);
  adopt(fd, name, flags, is_new);
  return (int)done(fd);
}

#define MODE(flags)                                                                                \
  mode_t mode = 0;                                                                                 \
  if (((flags)&O_CREAT) != 0) {                                                                    \
    va_list list;                                                                                  \
    va_start(list, flags);                                                                         \
    mode = va_arg(list, mode_t);                                                                   \
    va_end(list);                                                                                  \
  }

VISIBLE int open(const char *path, int flags, ...) {
  MODE(flags)
  return open_file(AT_FDCWD, path, flags, mode);
}

VISIBLE int openat(int at, const char *path, int flags, ...) {
  MODE(flags)
  return open_file(at, path, flags, mode);
}

VISIBLE int mkostemp(char *path, int flags) {
  int (*real)(char *, int);
  *(void **)&real = dlsym(RTLD_NEXT, "mkostemp");
  if (name_of(path) == NULL) return real(path, flags);
  lock();
  int how = next_fault(NAME | GROWTH);
  if (how != 0) return (int)done(failed(or_full(how)));
  int fd = real(path, flags);
  adopt(fd, name_of(path), 0, true);
  return (int)done(fd);
}

VISIBLE int close(int fd) {
  watched *of = watched_of(fd);
  if (of != NULL) of->used = false;
  return (int)syscall(SYS_close, fd);
}

VISIBLE int fcntl(int fd, int command, ...) {
  va_list list;
  va_start(list, command);
  void *argument = va_arg(list, void *);
  va_end(list);
  int result = (int)syscall(SYS_fcntl, fd, command, argument);
  bool is_copy = command == F_DUPFD || command == F_DUPFD_CLOEXEC;
  if (is_copy && result >= 0 && watched_of(fd) != NULL) adopt_copy(result, fd);
  return result;
}

/* Of what gets a name or loses one: `new` is NULL where a name goes. */
static int change_names(char kind, const char *old, const char *new, int at, int new_at,
                        int flags) {
  const char *from = name_of(old), *to = new != NULL ? name_of(new) : NULL;
  bool is_ours = from != NULL || to != NULL;
  if (is_ours) lock();
  int how = is_ours ? next_fault(NAME | (kind == 'l' ? GROWTH : 0)) : 0;
  long result = how != 0      ? failed(or_full(how))
                : kind == 'l' ? syscall(SYS_linkat, at, old, new_at, new, flags)
                : kind == 'r' ? syscall(SYS_renameat2, at, old, new_at, new, flags)
                              : syscall(SYS_unlinkat, at, old, flags);
  if (is_ours && result == 0) note_names(kind, from != NULL ? from : "", to);
  return (int)(is_ours ? done(result) : result);
}

VISIBLE int link(const char *old, const char *new) {
  return change_names('l', old, new, AT_FDCWD, AT_FDCWD, 0);
}

VISIBLE int linkat(int at, const char *old, int new_at, const char *new, int flags) {
  return change_names('l', old, new, at, new_at, flags);
}

VISIBLE int rename(const char *old, const char *new) {
  return change_names('r', old, new, AT_FDCWD, AT_FDCWD, 0);
}

VISIBLE int renameat2(int at, const char *old, int new_at, const char *new, unsigned flags) {
  return change_names('r', old, new, at, new_at, (int)flags);
}

VISIBLE int unlink(const char *path) {
  return change_names('u', path, NULL, AT_FDCWD, AT_FDCWD, 0);
}

VISIBLE int remove(const char *path) {
  int result = unlink(path);
  return result != 0 && errno == EISDIR ? rmdir(path) : result;
}

/* ---- libc's functions: bytes ----------------------------------------------------------------- */

/* At an offset, or at the descriptor's own (-1). */
static ssize_t write_bytes(int fd, const void *bytes, size_t size, off_t offset) {
  long at = offset;
  lock();
  if (offset < 0) at = syscall(SYS_lseek, fd, 0, SEEK_CUR);
  struct stat st;
  bool grows = fstat(fd, &st) == 0 && at + (long)size > st.st_size;
  int how = next_fault(WRITE | (grows ? GROWTH : 0));
  if (how == SHORT && size > 1)
    size /= 2;
  else if (how != 0)
    return done(failed(or_full(how)));
  long result = offset < 0 ? syscall(SYS_write, fd, bytes, size)
                           : syscall(SYS_pwrite64, fd, bytes, size, offset);
  if (result <= 0) return done(result);
  const watched *of = watched_of(fd);
  note((event){.kind = 'w', .file = of->file, .offset = (uint64_t)at, .size = (uint64_t)result},
       bytes);
  if (of->dsync) {
    how = or_full(next_fault(FLUSH));
    note((event){.kind = 'd', .file = of->file, .error = how}, NULL);
    if (how != 0) result = failed(how);
  }
  return done(result);
}

static ssize_t write_vector(int fd, const struct iovec *vector, int count, off_t offset) {
  size_t size = 0, at = 0;
  for (int i = 0; i < count; i++)
    size += vector[i].iov_len;
  char *bytes = malloc(size + 1);
  if (bytes == NULL) return failed(ENOMEM);
  for (int i = 0; i < count; at += vector[i++].iov_len)
    memcpy(bytes + at, vector[i].iov_base, vector[i].iov_len);
  ssize_t result = write_bytes(fd, bytes, size, offset);
  int saved = errno;
  free(bytes);
  errno = saved;
  return result;
}

VISIBLE ssize_t write(int fd, const void *bytes, size_t size) {
  return watched_of(fd) != NULL ? write_bytes(fd, bytes, size, -1)
                                : syscall(SYS_write, fd, bytes, size);
}

VISIBLE ssize_t pwrite(int fd, const void *bytes, size_t size, off_t offset) {
  return watched_of(fd) != NULL ? write_bytes(fd, bytes, size, offset)
                                : syscall(SYS_pwrite64, fd, bytes, size, offset);
}

VISIBLE ssize_t writev(int fd, const struct iovec *vector, int count) {
  return watched_of(fd) != NULL ? write_vector(fd, vector, count, -1)
                                : syscall(SYS_writev, fd, vector, count);
}

VISIBLE ssize_t pwritev(int fd, const struct iovec *vector, int count, off_t offset) {
  return watched_of(fd) != NULL ? write_vector(fd, vector, count, offset)
                                : syscall(SYS_pwritev, fd, vector, count, offset, 0);
}

static uint32_t tokens;

/* The mutex is not held while it flushes: others write meanwhile, and that is not flushed then. */
static int flush(int fd, long call) {
  const watched *of = watched_of(fd);
  if (of == NULL) return (int)syscall(call, fd);
  lock();
  event e = {.kind = 's', .file = of->file, .token = ++tokens};
  note(e, NULL);
  int how = or_full(next_fault(FLUSH));
  done(0);
  int result = (int)(how != 0 ? failed(how) : syscall(call, fd));
  lock();
  e.kind = 'S';
  e.error = result == 0 ? 0 : errno;
  note(e, NULL);
  return (int)done(result);
}

VISIBLE int fsync(int fd) {
  return flush(fd, SYS_fsync);
}

VISIBLE int fdatasync(int fd) {
  return flush(fd, SYS_fdatasync);
}

/* Taken down as a write and a flush: what it leaves when it fails is as unknown. */
VISIBLE ssize_t pwritev2(int fd, const struct iovec *vector, int count, off_t offset, int flags) {
  if (watched_of(fd) == NULL) return syscall(SYS_pwritev2, fd, vector, count, offset, 0, flags);
  if (count != 1 || (flags & ~RWF_DSYNC) != 0) return failed(EOPNOTSUPP);
  ssize_t result = write_bytes(fd, vector->iov_base, vector->iov_len, offset);
  if (result < 0 || (flags & RWF_DSYNC) == 0) return result;
  return flush(fd, SYS_fdatasync) == 0 ? result : -1;
}

/* To `end` bytes: 't' cuts or extends, 'a' only extends, from `offset` on. */
static int resize(int fd, char kind, int mode, off_t offset, off_t end) {
  const watched *of = watched_of(fd);
  if (of != NULL) lock();
  int how = of != NULL ? next_fault(SIZE | (kind == 'a' ? GROWTH : 0)) : 0;
  long result = how != 0      ? failed(or_full(how))
                : kind == 't' ? syscall(SYS_ftruncate, fd, end)
                              : syscall(SYS_fallocate, fd, mode, offset, end - offset);
  if (of != NULL && result == 0)
    note((event){.kind = kind, .file = of->file, .offset = (uint64_t)end}, NULL);
  return (int)(of != NULL ? done(result) : result);
}

VISIBLE int ftruncate(int fd, off_t size) {
  return resize(fd, 't', 0, 0, size);
}

VISIBLE int fallocate(int fd, int mode, off_t offset, off_t size) {
  return resize(fd, 'a', mode, offset, offset + size);
}

VISIBLE int posix_fallocate(int fd, off_t offset, off_t size) {
  return resize(fd, 'a', 0, offset, offset + size) == 0 ? 0 : errno;
}

static bool read_fails(int fd) {
  if (watched_of(fd) == NULL) return false;
  lock();
  int how = or_full(next_fault(READ));
  done(0);
  return how != 0 && failed(how) < 0;
}

VISIBLE ssize_t read(int fd, void *into, size_t size) {
  return read_fails(fd) ? -1 : syscall(SYS_read, fd, into, size);
}

VISIBLE ssize_t pread(int fd, void *into, size_t size, off_t offset) {
  return read_fails(fd) ? -1 : syscall(SYS_pread64, fd, into, size, offset);
}

/* What is compiled for files beyond 2 GiB calls these. */
#define ALIAS(name) __attribute__((visibility("default"), alias(name)))
ALIAS("open") int open64(const char *path, int flags, ...);
ALIAS("openat") int openat64(int at, const char *path, int flags, ...);
ALIAS("mkostemp") int mkostemp64(char *path, int flags);
ALIAS("fcntl") int fcntl64(int fd, int command, ...);
ALIAS("pwrite") ssize_t pwrite64(int fd, const void *bytes, size_t size, off64_t offset);
ALIAS("pwritev")
ssize_t pwritev64(int fd, const struct iovec *vector, int count, off64_t offset);
ALIAS("pwritev2")
ssize_t pwritev64v2(int fd, const struct iovec *vector, int count, off64_t offset, int flags);
ALIAS("pread") ssize_t pread64(int fd, void *into, size_t size, off64_t offset);
ALIAS("ftruncate") int ftruncate64(int fd, off64_t size);
ALIAS("fallocate") int fallocate64(int fd, int mode, off64_t offset, off64_t size);
ALIAS("posix_fallocate") int posix_fallocate64(int fd, off64_t offset, off64_t size);

/* This one is ours, wherever the name leads. Sanitizers, which come before us, leave it alone. */
__attribute__((visibility("hidden"), alias("fdatasync"))) int fdatasync_here(int fd);

bool is_preloaded(void) {
  return dlsym(RTLD_DEFAULT, "fdatasync") == (void *)(uintptr_t)fdatasync_here;
}
