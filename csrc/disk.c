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
#include <sys/uio.h>
#include <unistd.h>

#define BLOCK ((size_t)4096)     /* what a device writes at once, and a multiple of what it can */
#define BUFFER ((size_t)1 << 19) /* of blocks that are written by one call */

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

/* Is it so now? Where a filesystem knows no O_DIRECT it never will be. */
static bool set_direct(jg_disk *d, bool direct) {
  if (d->is_direct == direct || (direct && d->refuses_direct)) return d->is_direct == direct;
  int flags = fcntl(d->fd, F_GETFL);
  if (flags >= 0 && fcntl(d->fd, F_SETFL, direct ? flags | O_DIRECT : flags & ~O_DIRECT) == 0)
    d->is_direct = direct;
  else
    d->refuses_direct = true;
  return d->is_direct == direct;
}

static int posix_read(jg_disk *d, uint64_t at, void *into, size_t size) {
  if (!set_direct(d, false)) return EIO; /* it would need whole blocks */
  for (size_t done = 0; done < size;) {
    ssize_t n = pread(d->fd, (char *)into + done, size - done, (off_t)(at + done));
    if (n == 0) return EIO;
    if (n > 0) done += (size_t)n;
    if (n < 0 && errno != EINTR) return errno;
  }
  return 0;
}

/* ---- writing ------------------------------------------------------------------------------- */

/* With O_DIRECT, EINVAL says that the filesystem does not have it so. */
static int write_all(const jg_disk *d, uint64_t at, unsigned char *bytes, size_t size, int flags,
                     size_t *done) {
  while (*done < size) {
    struct iovec rest = {bytes + *done, size - *done};
    off_t to = (off_t)(at + *done);
    ssize_t n = flags != 0 ? pwritev2(d->fd, &rest, 1, to, flags)
                           : pwrite(d->fd, rest.iov_base, rest.iov_len, to);
    if (n == 0) return EIO;
    if (n > 0) *done += (size_t)n;
    if (n < 0 && errno != EINTR) return errno;
  }
  return 0;
}

/* Writes whole blocks, and with *flush flushes them by the same call, if it can: *flush is then
** false, and of a failure it is not known what it left. A device that has a way to make one write
** durable may leave alone what was written before, so that must be flushed already. */
static int write_out(jg_disk *d, uint64_t at, size_t size, bool *flush) {
  size_t done = 0;
  bool is_direct = set_direct(d, true);
  if (is_direct && *flush && !d->is_unflushed && !d->refuses_dsync) {
    int rc = write_all(d, at, d->blocks, size, RWF_DSYNC, &done);
    d->refuses_dsync = rc == EOPNOTSUPP || rc == ENOSYS;
    *flush = rc == EINVAL || d->refuses_dsync;
    if (!*flush) return rc;
  }
  d->is_unflushed = true;
  int rc = write_all(d, at, d->blocks, size, 0, &done);
  if (rc != EINVAL || !is_direct) return rc;
  d->refuses_direct = true;
  return set_direct(d, false) ? write_all(d, at, d->blocks, size, 0, &done) : EINVAL;
}

/* Writes what fits into the buffer, of *size bytes. */
static int write_blocks(jg_disk *d, uint64_t at, const unsigned char *bytes, size_t *size,
                        bool *flush) {
  if (*size > BUFFER) *size = BUFFER;
  size_t padded = (*size + BLOCK - 1) / BLOCK * BLOCK;
  memcpy(d->blocks, bytes, *size);
  if (d->filled > *size) memset(d->blocks + *size, 0, d->filled - *size);
  d->filled = *size;
  return write_out(d, at, padded, flush);
}

/* Past the page cache (O_DIRECT), in whole blocks: a flush then finds nothing to write, which takes
** less of the processor than finding, locking and waiting for pages. What follows the last byte in
** its block is of no epoch that counts, and becomes zeros. */
static int posix_write(jg_disk *d, uint64_t at, const void *bytes, size_t size, bool *flush) {
  int rc = 0;
  bool later = false; /* what takes several calls is flushed by one of its own */
  if (at % BLOCK != 0) return EINVAL;
  if (d->blocks == NULL && (d->blocks = aligned_alloc(BLOCK, BUFFER)) != NULL)
    memset(d->blocks, 0, BUFFER);
  if (d->blocks == NULL) return ENOMEM;
  for (size_t done = 0, n; rc == 0 && done < size; done += n) {
    n = size - done;
    rc = write_blocks(d, at + done, (const unsigned char *)bytes + done, &n,
                      size <= BUFFER ? flush : &later);
  }
  return rc;
}

static int posix_flush(jg_disk *d) {
  if (fdatasync(d->fd) != 0) return errno;
  d->is_unflushed = false;
  return 0;
}

/* Zeros are written, not only allocated: the first write to an allocated extent changes the
** file's metadata, and a flush would then have to wait for the filesystem's own journal, too.
** In small pieces: of large ones Linux makes large folios, whose flushes cost a seventh more.
** Before the file has its size its name is on the disk: whoever made it may have died meanwhile. */
static int posix_truncate(jg_disk *d, uint64_t size) {
  static unsigned char zeros[BLOCK];
  jg_failure f = {0};
  uint64_t at = 0;
  int rc = set_direct(d, false) ? posix_size(d, &at) : EIO;
  if (rc == 0 && !jg_file_sync_directory(d->path, &f)) rc = EIO;
  if (rc == 0 && at > size && ftruncate(d->fd, (off_t)size) != 0) rc = errno;
  while (rc == 0 && at < size) {
    size_t n = size - at < sizeof zeros ? (size_t)(size - at) : sizeof zeros, done = 0;
    rc = write_all(d, at, zeros, n, 0, &done);
    at += n;
  }
  if (rc == 0 && fsync(d->fd) != 0) rc = errno;
  if (rc == 0) posix_fadvise(d->fd, 0, 0, POSIX_FADV_DONTNEED); /* nobody will read it */
  return rc;
}

static void posix_close(jg_disk *d) {
  if (d->fd >= 0) close(d->fd);
  free(d->blocks);
  d->fd = -1;
  d->blocks = NULL;
  d->filled = 0;
  d->is_direct = d->refuses_direct = d->refuses_dsync = d->is_unflushed = false;
}

void jg_disk_posix(jg_disk *d, const char *path, mode_t mode) {
  static const jg_disk_calls calls = {posix_open,  posix_size,     posix_read, posix_write,
                                      posix_flush, posix_truncate, posix_close};
  *d = (jg_disk){.calls = &calls, .path = path, .block = BLOCK, .fd = -1, .mode = mode};
}
