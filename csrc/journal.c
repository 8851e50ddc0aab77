/* SPDX-License-Identifier: MIT
**
** journal.c - one flush a commit: the redo journal of durability "journal".
**
** LMDB makes a commit durable with two flushes: one for the pages, and one for the meta page that
** names them, which must not overtake them. The journal needs one, because a record is its own
** proof: it is whole exactly when its checksum says so. LMDB's file stays the format, and is what
** other programs read; the journal only tells what it lacks.
**
**                         commit 1   commit 2   commit 3        checkpoint
**     memory   parent  .--[child]----[child]----[child]----------------.
**              (LMDB)  |      \          \          \                  | marker, LMDB's commit
**     X-journal        |   [record 1][record 2][record 3] (stale)      v
**     X        [state of the last checkpoint] - - - - - - - - - - - [state of commit 3]
**
** One LMDB write transaction, the parent, stays open from checkpoint to checkpoint and holds all
** that was committed since; each transaction of the user is a child of it. A commit is
**
**     1  its operations as one record, written behind the last one        (flusher.c)
**     2  a flush: from here on it survives
**     3  the child's commit: from here on others see it
**
** 2 before 3, or somebody would read, and tell others, what a power failure takes back. 1 is one
** write into a file whose bytes have all been written before, so that 2 has no metadata to flush. A
** commit that is not waited for (ticket.c) does 3 first and is not yet durable: it says so.
**
** A checkpoint is the parent's commit. Just before it, a marker goes into the reserved tree of the
** same LMDB transaction: an id, the epoch that begins now, the LSN (log sequence number: commits
** are counted from 1) of the last commit in it. So LMDB's own commit is the switch, and it is
** atomic:
**
**     before   the marker says epoch n, and the records of epoch n are in the journal
**     after    the marker says epoch n + 1, of which the journal holds no record yet
**
** and nothing needs to be erased: records of epoch n are stale from then on, and the first one of
** epoch n + 1 is written over them at offset 0. A marker outside that commit would, after a crash
** between the two, replay records onto a state that has them already, or skip what it lacks.
**
** Opening a file whose marker is not clean replays what stands behind the marker's LSN, makes a
** checkpoint and so begins a new epoch, before anything is read (recovery.c). Without the new epoch
** a record of a torn tail could become valid again: 5 is torn, 6 behind it whole; after the crash a
** new 5 is written, of the same size, and 6 would follow it though nobody committed it now. And a
** file that comes beside the journal of another time, a backup that is put back, say, or a copy of
** the file alone, would continue with that, or without what is missing. So each opening that writes
** draws an id, for its records, its markers, and a record of nothing that it begins with: a journal
** whose first record is of another id is not the file's.
**
** A record, at a multiple of 8:
**
**     0  4   magic "JgJ1"                      16  8   epoch
**     4  4   CRC-32C of all that follows       24  8   LSN
**     8  4   its size, without padding         32  8   flushed LSN: what was known to be durable
**    12  4   0                                 40  8   id                48  operations (write.c)
**
** Numbers are big-endian. The records of an epoch begin at offset 0, with LSNs that count up. A
** record follows the one before it directly, if they are written together; else it begins the next
** block of the disk, since each write begins at a block. So a block that was flushed is not written
** again in its epoch: no power failure in the middle of a write can touch what was acknowledged,
** and a disk that has to bring a block it is still busy with to rest takes longer than one that is
** given another. LSNs tell a record of this epoch from what stood in a gap: each is written once.
** The first record that is not good ends them, and is one of two things:
**
**     a tail   the power failed before its flush was over: nobody was told that it is durable.
**              It is cut off, lawfully.
**     damage   a later record of the epoch says that it was flushed. `journal_corrupt`, with its
**              offset: what was acknowledged cannot be read.
**
** Damage to the last flushed records cannot be told from a tail: no later record vouches for them.
** The file is written past the page cache (disk.c), and with the write flushed by the same call
** where the system can. Behind a write, up to the end of its last block, come zeros.
*/
#include "bucket.h"
#include "journal.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

static const unsigned char magic[4] = {'J', 'g', 'J', '1'};

int64_t jg_now_us(void) {
  struct timespec t;
  clock_gettime(CLOCK_MONOTONIC, &t);
  return (int64_t)t.tv_sec * 1000000 + t.tv_nsec / 1000;
}

void jg_times_add(jg_times *times, int64_t us) {
  uint64_t n = us > 0 ? (uint64_t)us : 0;
  int bucket = 0;
  while (bucket < JG_TIMES - 1 && n >> bucket != 0)
    bucket++;
  times->below[bucket]++;
  times->count++;
  times->total_us += n;
  if (n > times->max_us) times->max_us = n;
}

size_t jg_padded(size_t size) {
  return (size + 7) & ~(size_t)7;
}

/* ---- making and freeing -------------------------------------------------------------------- */

/* `disk` NULL: a file beside the data file, which the path names. NULL: out of memory. */
jg_journal *jg_journal_new(jg_disk *disk, const char *path, mode_t mode, uint64_t size) {
  jg_journal *j = calloc(1, sizeof *j);
  if (j == NULL) return NULL;
  j->path = strdup(path);
  j->seen = calloc(1, JG_SEEN_SIZE);
  if (j->path == NULL || j->seen == NULL) {
    jg_journal_free(j);
    return NULL;
  }
  jg_disk_posix(&j->posix, j->path, mode);
  j->disk = disk != NULL ? disk : &j->posix;
  j->size = size;
  j->event_fd = -1;
  pthread_mutex_init(&j->mutex, NULL);
  pthread_cond_init(&j->work, NULL);
  pthread_condattr_t monotonic;
  pthread_condattr_init(&monotonic);
  pthread_condattr_setclock(&monotonic, CLOCK_MONOTONIC);
  pthread_cond_init(&j->done, &monotonic);
  pthread_condattr_destroy(&monotonic);
  return j;
}

void jg_journal_free(jg_journal *j) {
  if (j == NULL) return;
  jg_ops_free(&j->ops);
  free(j->pending.data);
  free(j->taken.data);
  free(j->seen);
  free(j->path);
  free(j);
}

/* ---- records ------------------------------------------------------------------------------- */

/* Completes the record of the operations collected. Returns its size with its padding, for which
** there must be room; the record then lies in j->ops.bytes.data. */
size_t jg_record_seal(jg_journal *j, uint64_t lsn) {
  unsigned char *p = j->ops.bytes.data;
  size_t size = j->ops.bytes.size, padded = jg_padded(size);
  memcpy(p, magic, sizeof magic);
  jg_put_u32(p + 8, (uint32_t)size);
  jg_put_u32(p + 12, 0);
  jg_put_u64(p + 16, j->epoch);
  jg_put_u64(p + 24, lsn);
  jg_put_u64(p + 32, atomic_load(&j->flushed_lsn));
  jg_put_u64(p + 40, j->id);
  memset(p + size, 0, padded - size);
  jg_put_u32(p + 4, jg_crc32c(0, p + 8, size - 8));
  return padded;
}

/* Is there a whole record at `at`, of whatever journal and epoch? Its size, or 0. */
static size_t find_record(const jg_scan *scan, size_t at) {
  const unsigned char *p = scan->data + at;
  if (at >= scan->size || scan->size - at < JG_RECORD_HEAD_SIZE || memcmp(p, magic, sizeof magic) != 0) return 0;
  size_t size = jg_get_u32(p + 8);
  if (size < JG_RECORD_HEAD_SIZE || size > scan->size - at) return 0;
  return jg_crc32c(0, p + 8, size - 8) == jg_get_u32(p + 4) ? size : 0;
}

/* ---- reading ------------------------------------------------------------------------------- */

/* The caller frees scan->data. */
int jg_journal_read(jg_disk *disk, uint64_t size, jg_scan *scan) {
  uint64_t there;
  *scan = (jg_scan){.block = disk->block};
  int rc = disk->calls->size(disk, &there);
  if (rc != 0) return rc;
  if (size > there) size = there;
  if (size > JG_JOURNAL_SIZE_MAX) size = JG_JOURNAL_SIZE_MAX;
  scan->data = malloc((size_t)size + 1);
  if (scan->data == NULL) return ENOMEM;
  scan->size = (size_t)size;
  return disk->calls->read(disk, 0, scan->data, scan->size);
}

/* The record of commit `lsn`, behind one that ends at `at`, or the first one: it follows directly,
** or a write began with it, at a block. Its size and *at, or 0. */
static size_t find_next(const jg_scan *scan, size_t *at, uint64_t lsn) {
  size_t places[] = {*at, (*at + scan->block - 1) / scan->block * scan->block};
  for (int i = 0; i < 2; i++) {
    size_t size = find_record(scan, places[i]);
    const unsigned char *p = scan->data + places[i];
    if (size == 0 || jg_get_u64(p + 16) != scan->epoch || jg_get_u64(p + 24) != lsn ||
        jg_get_u64(p + 40) != scan->id)
      continue;
    *at = places[i];
    return size;
  }
  return 0;
}

static size_t end_of(const jg_scan *scan, size_t at, size_t size) {
  size_t end = at + jg_padded(size);
  return end < scan->size ? end : scan->size;
}

/* Does a record behind the last good one say that the one that should follow it was flushed? */
static bool was_flushed(const jg_scan *scan) {
  for (size_t at = scan->end; scan->size - at >= JG_RECORD_HEAD_SIZE; at += 8) {
    const unsigned char *p = scan->data + at;
    if (memcmp(p, magic, sizeof magic) == 0 && jg_get_u64(p + 16) == scan->epoch &&
        jg_get_u64(p + 40) == scan->id && jg_get_u64(p + 32) > scan->lsn &&
        find_record(scan, at) > 0)
      return true;
  }
  return false;
}

/* Finds the records of an epoch that follow the one with this LSN. */
void jg_journal_scan(jg_scan *scan, uint64_t id, uint64_t epoch, uint64_t lsn) {
  scan->id = id;
  scan->epoch = epoch;
  scan->lsn = lsn;
  scan->end = scan->count = 0;
  if (find_record(scan, 0) > 0) {
    scan->is_foreign = jg_get_u64(scan->data + 40) != id;
    scan->is_newer = !scan->is_foreign && jg_get_u64(scan->data + 16) > epoch;
  }
  if (scan->is_foreign) return;
  for (size_t at = 0, size; (size = find_next(scan, &at, scan->lsn + 1)) > 0; at = scan->end) {
    scan->lsn++;
    scan->count++;
    scan->end = end_of(scan, at, size);
  }
  scan->is_damaged = was_flushed(scan);
}

/* Applies the records that a scan found to tx->txn. */
int jg_journal_replay(jg_tx *tx, const jg_scan *scan) {
  int rc = 0;
  uint64_t lsn = scan->lsn - scan->count;
  for (size_t at = 0, size; rc == 0 && lsn < scan->lsn; at = end_of(scan, at, size)) {
    size = find_next(scan, &at, ++lsn);
    rc = jg_ops_apply(tx, scan->data + at + JG_RECORD_HEAD_SIZE, size - JG_RECORD_HEAD_SIZE);
  }
  return rc;
}
