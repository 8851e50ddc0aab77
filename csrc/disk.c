/* SPDX-License-Identifier: MIT
**
** disk.c - the seam between the journal and the system: a file, by POSIX.
*/
#include "journal.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

/* A file that is moved away while it is open leaves its journal behind: one store uses it. */
static int lock(jg_disk *d) {
  if (flock(d->fd, (d->read_only ? LOCK_SH : LOCK_EX) | LOCK_NB) == 0) return 0;
  int rc = errno == EWOULDBLOCK ? EBUSY : errno;
  close(d->fd);
  d->fd = -1;
  return rc;
}

static int posix_open(jg_disk *d, bool make) {
  int flags = (d->read_only ? O_RDONLY : O_RDWR) | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK;
  d->fd = open(d->path, flags);
  if (d->fd >= 0) return lock(d);
  if (errno != ENOENT || !make) return errno;
  d->fd = open(d->path, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, d->mode);
  if (d->fd < 0) return errno;
  int rc = fchmod(d->fd, d->mode) == 0 ? 0 : errno;
  if (rc == 0) return lock(d);
  close(d->fd);
  d->fd = -1;
  return rc;
}

static int posix_size(jg_disk *d, uint64_t *size) {
  struct stat st;
  if (fstat(d->fd, &st) != 0) return errno;
  *size = (uint64_t)st.st_size;
  return S_ISREG(st.st_mode) ? 0 : EINVAL;
}

static int posix_read(jg_disk *d, uint64_t at, void *into, size_t size) {
  for (size_t done = 0; done < size;) {
    ssize_t n = pread(d->fd, (char *)into + done, size - done, (off_t)(at + done));
    if (n == 0) return EIO;
    if (n > 0) done += (size_t)n;
    if (n < 0 && errno != EINTR) return errno;
  }
  return 0;
}

static int posix_write(jg_disk *d, uint64_t at, const void *bytes, size_t size) {
  for (size_t done = 0; done < size;) {
    ssize_t n = pwrite(d->fd, (const char *)bytes + done, size - done, (off_t)(at + done));
    if (n == 0) return EIO;
    if (n > 0) done += (size_t)n;
    if (n < 0 && errno != EINTR) return errno;
  }
  return 0;
}

static int posix_flush(jg_disk *d) {
  return fdatasync(d->fd) == 0 ? 0 : errno;
}

/* Zeros are written, not only allocated: the first write to an allocated extent changes the
** file's metadata, and a flush would then have to wait for the filesystem's own journal, too.
** In small pieces: of large ones Linux makes large folios, whose flushes cost a seventh more.
** Before the file has its size its name is on the disk: whoever made it may have died meanwhile. */
static int posix_truncate(jg_disk *d, uint64_t size) {
  static const char zeros[1 << 12];
  jg_failure f = {0};
  uint64_t at = 0;
  int rc = posix_size(d, &at);
  if (rc == 0 && !jg_file_sync_directory(d->path, &f)) rc = EIO;
  if (rc == 0 && at > size && ftruncate(d->fd, (off_t)size) != 0) rc = errno;
  while (rc == 0 && at < size) {
    size_t n = size - at < sizeof zeros ? (size_t)(size - at) : sizeof zeros;
    rc = posix_write(d, at, zeros, n);
    at += n;
  }
  return rc != 0 ? rc : fsync(d->fd) == 0 ? 0 : errno;
}

static void posix_close(jg_disk *d) {
  if (d->fd >= 0) close(d->fd);
  d->fd = -1;
}

void jg_disk_posix(jg_disk *d, const char *path, mode_t mode) {
  static const jg_disk_calls calls = {posix_open,  posix_size,     posix_read, posix_write,
                                      posix_flush, posix_truncate, posix_close};
  *d = (jg_disk){.calls = &calls, .path = path, .fd = -1, .mode = mode};
}
