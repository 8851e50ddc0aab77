/* SPDX-License-Identifier: MIT
**
** flusher.c - brings records to the disk, in order, with as few flushes as it can.
**
** A commit that is waited for writes and flushes its record itself. Records of commits that are not
** waited for gather in `pending`; a thread takes all there are, writes them with one call, flushes
** once and tells whoever waits: while one flush is under way the next group gathers. The thread
** runs no Lua, blocks all signals and touches nothing of LMDB. Without it, or beside it, any caller
** may do the same work (jg_journal_flush); `flushing` sees to it that one does at a time.
**
** A flush that fails leaves unknown what is on the disk, and the system may forget that it failed
** (Rebello et al., Can Applications Recover from fsync Failures?, USENIX ATC 2020). So it is not
** tried again: `failed` is set, for good, and poisons the DB.
*/
#include "journal.h"

#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <unistd.h>

/* All below with the mutex held. */

static bool has_work(const jg_journal *j) {
  return j->pending.size > 0 || atomic_load(&j->flushed_lsn) < j->written_lsn;
}

static void announce(jg_journal *j) {
  const uint64_t one = 1;
  pthread_cond_broadcast(&j->done);
  if (j->event_fd >= 0 && write(j->event_fd, &one, sizeof one) != sizeof one)
    return; /* its counter is full, and so it is readable already */
}

static void fail(jg_journal *j, int rc) {
  atomic_store(&j->failed, rc);
  announce(j);
}

/* Writes, and flushes, what there is, while the mutex is given back. What could not be written is
** not yet a failure of the DB; what could not be flushed is. */
static int write_out(jg_journal *j, const void *bytes, size_t size, uint64_t at, uint64_t lsn,
                     bool flushes) {
  j->flushing = true;
  pthread_mutex_unlock(&j->mutex);
  int64_t begin = jg_now_us();
  bool flush = flushes;
  int written = size > 0 ? j->disk->calls->write(j->disk, at, bytes, size, &flush) : 0;
  int rc = written == 0 && flush ? j->disk->calls->flush(j->disk) : written;
  int64_t us = jg_now_us() - begin;
  pthread_mutex_lock(&j->mutex);
  j->flushing = false;
  if (rc != 0 && (written == 0 || flush != flushes)) fail(j, rc);
  if (rc != 0) {
    pthread_cond_broadcast(&j->done);
    return rc;
  }
  if (lsn > j->written_lsn) j->written_lsn = lsn;
  if (flushes) {
    jg_times_add(&j->flush_times, us);
    atomic_store(&j->flushed_lsn, j->written_lsn);
  }
  announce(j);
  return 0;
}

/* Others have seen these commits: they cannot be taken back. */
static void write_pending(jg_journal *j, bool flushes) {
  jg_buffer taken = j->pending;
  j->pending = j->taken;
  j->pending.size = 0;
  j->taken = taken;
  int rc = write_out(j, taken.data, taken.size, j->pending_at, j->pending_lsn, flushes);
  if (rc != 0) fail(j, rc);
}

static void wait_for_others(jg_journal *j) {
  while (j->flushing)
    pthread_cond_wait(&j->done, &j->mutex);
}

/* ---- the thread ---------------------------------------------------------------------------- */

static void *run(void *context) {
  jg_journal *j = context;
  pthread_mutex_lock(&j->mutex);
  while (!j->stops) {
    if (j->flushing)
      pthread_cond_wait(&j->done, &j->mutex);
    else if (atomic_load(&j->failed) != 0 || !has_work(j))
      pthread_cond_wait(&j->work, &j->mutex);
    else
      write_pending(j, true);
  }
  pthread_mutex_unlock(&j->mutex);
  return NULL;
}

static int start(jg_journal *j) {
  sigset_t all, before;
  sigfillset(&all);
  pthread_sigmask(SIG_SETMASK, &all, &before);
  int rc = pthread_create(&j->thread, NULL, run, j);
  pthread_sigmask(SIG_SETMASK, &before, NULL);
  j->started = rc == 0;
  return rc;
}

void jg_journal_stop(jg_journal *j) {
  if (!j->started) return;
  pthread_mutex_lock(&j->mutex);
  j->stops = true;
  pthread_cond_broadcast(&j->work);
  pthread_cond_broadcast(&j->done);
  pthread_mutex_unlock(&j->mutex);
  pthread_join(j->thread, NULL);
  j->started = false;
}

/* ---- what the owner's thread calls --------------------------------------------------------- */

/* Where a write may begin: behind all records, in a block that holds none. */
uint64_t jg_journal_next_block(const jg_journal *j) {
  size_t block = j->disk->block;
  return (j->offset + block - 1) / block * block;
}

/* Hands over the record of the next commit. With `wait` it is durable on return; else it will be. 0, or the errno of what failed; unless that poisoned the DB, the commit can still be
** undone. */
int jg_journal_append(jg_journal *j, const void *record, size_t size, uint64_t lsn, bool wait) {
  pthread_mutex_lock(&j->mutex);
  int rc = atomic_load(&j->failed);
  uint64_t at = j->pending.size > 0 ? j->offset : jg_journal_next_block(j);
  if (rc == 0 && wait && j->pending.size == 0 && !j->flushing) {
    rc = write_out(j, record, size, at, lsn, true);
  } else if (rc == 0 && !jg_buffer_reserve(&j->pending, size)) {
    rc = ENOMEM;
  } else if (rc == 0) {
    if (j->pending.size == 0) j->pending_at = at;
    memcpy(j->pending.data + j->pending.size, record, size);
    j->pending.size += size;
    j->pending_lsn = lsn;
    if (!wait && j->may_start && !j->started && start(j) != 0) j->may_start = false;
    if (!wait) pthread_cond_signal(&j->work);
  }
  if (rc == 0) j->offset = at + size;
  pthread_mutex_unlock(&j->mutex);
  return rc == 0 && wait ? jg_journal_flush(j) : rc;
}

static int settle(jg_journal *j, bool flushes) {
  pthread_mutex_lock(&j->mutex);
  wait_for_others(j);
  while (atomic_load(&j->failed) == 0 && (flushes ? has_work(j) : j->pending.size > 0)) {
    write_pending(j, flushes);
    wait_for_others(j);
  }
  pthread_mutex_unlock(&j->mutex);
  return atomic_load(&j->failed);
}

int jg_journal_flush(jg_journal *j) {
  return settle(j, true);
}

/* Nothing is being flushed, and everything can be read back from the disk. */
int jg_journal_settle(jg_journal *j) {
  return settle(j, false);
}

/* A checkpoint has made everything up to this commit durable, in another way. */
void jg_journal_durable(jg_journal *j, uint64_t lsn) {
  pthread_mutex_lock(&j->mutex);
  j->written_lsn = lsn;
  if (atomic_load(&j->flushed_lsn) != lsn) {
    atomic_store(&j->flushed_lsn, lsn);
    announce(j);
  }
  pthread_mutex_unlock(&j->mutex);
}

/* Waits until a commit is durable, the DB is poisoned, or the time is over; below 0: no end.
** Where no thread flushes, it does. */
void jg_journal_wait(jg_journal *j, uint64_t lsn, int64_t timeout_ms) {
  struct timespec until;
  clock_gettime(CLOCK_MONOTONIC, &until);
  until.tv_sec += timeout_ms / 1000;
  until.tv_nsec += timeout_ms % 1000 * 1000000;
  if (until.tv_nsec >= 1000000000) {
    until.tv_sec++;
    until.tv_nsec -= 1000000000;
  }
  int rc = 0;
  pthread_mutex_lock(&j->mutex);
  while (rc == 0 && atomic_load(&j->failed) == 0 && atomic_load(&j->flushed_lsn) < lsn &&
         (j->flushing || has_work(j))) {
    if (!j->started && !j->flushing)
      write_pending(j, true);
    else if (timeout_ms < 0)
      pthread_cond_wait(&j->done, &j->mutex);
    else
      rc = pthread_cond_timedwait(&j->done, &j->mutex, &until);
  }
  pthread_mutex_unlock(&j->mutex);
}
