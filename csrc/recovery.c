/* SPDX-License-Identifier: MIT
**
** recovery.c - brings in what a crash left in the journal, when a file is opened; and closes it.
**
** The marker in LMDB's file decides. Clean, or none: the file is whole, whatever the journal holds.
** Else the journal is needed, whatever durability is asked for now: nothing may be read, and no
** other way of committing begin, before it is replayed.
*/
#include "bucket.h"
#include "journal.h"

#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <sys/stat.h>
#include <unistd.h>

/* Where no journal was ever in use there is no marker: a clean one of epoch 0 stands for it. */
static int read_marker(jg_db *db, jg_marker *marker) {
  unsigned char p[JG_MARKER_SIZE];
  size_t size = sizeof p;
  *marker = (jg_marker){.clean = true};
  int rc = jg_read_field(db, "journal", p, &size);
  if (rc != 0) return rc == MDB_NOTFOUND ? 0 : rc;
  if (size != sizeof p) return MDB_CORRUPTED;
  *marker = (jg_marker){.id = jg_get_u64(p),
                        .epoch = jg_get_u64(p + 8),
                        .lsn = jg_get_u64(p + 16),
                        .txn_id = jg_get_u64(p + 24),
                        .clean = p[32] != 0};
  return 0;
}

/* Beside the data file itself, by whatever symbolic link that was opened. */
static bool set_path(const jg_db *db, char path[PATH_MAX], jg_failure *f) {
  char real[PATH_MAX];
  if (realpath(db->path, real) == NULL) return jg_fail_rc(f, errno, db->path);
  int n = snprintf(path, PATH_MAX, "%s-journal", real);
  return (n > 0 && n < PATH_MAX) || jg_fail(f, "not_found", "%s: the path is too long", db->path);
}

/* Reads the pending records. A failure has been told; `lost`: another try would find no more. */
static bool find_pending(jg_db *db, const jg_marker *marker, bool salvages, jg_scan *scan,
                         bool *lost, jg_failure *f) {
  jg_journal *j = db->journal;
  MDB_envinfo info;
  int rc = j->disk->calls->open(j->disk, false);
  j->is_open = rc == 0;
  *lost = rc == 0 || rc == ENOENT;
  if (rc == ENOENT)
    return jg_fail(f, "journal_missing", "%s: it is needed and is not there", j->path);
  mdb_env_info(db->env, &info);
  if (rc == 0 && info.me_last_txnid != marker->txn_id)
    return jg_fail(f, "journal_foreign",
                   "%s: another program has written to the file since its journal was begun",
                   db->path);
  if (rc == 0) rc = jg_journal_read(j->disk, JG_JOURNAL_SIZE_MAX, scan);
  if (rc == ENOMEM) *lost = false;
  if (rc != 0) return jg_fail(f, jg_code_of(rc), "%s: %s", j->path, mdb_strerror(rc));
  if (scan->size < JG_RECORD_HEAD_SIZE) /* jg_journal_prepare_disk has flushed so much */
    return jg_fail(f, "journal_corrupt", "%s: only %zu bytes of it are there", j->path, scan->size);
  jg_journal_scan(scan, marker->id, marker->epoch, marker->lsn);
  if (scan->is_foreign)
    return jg_fail(f, "journal_foreign", "%s: it is another file's journal, or an older one",
                   j->path);
  if (scan->is_newer)
    return jg_fail(f, "journal_foreign", "%s: the file is older than its journal", j->path);
  if (scan->is_damaged && !salvages)
    return jg_fail(f, "journal_corrupt",
                   "%s: the record of commit %llu behind byte %llu, which was flushed, is damaged",
                   j->path, (unsigned long long)scan->lsn + 1, (unsigned long long)scan->end);
  return true;
}

/* Applies the records to the file, with a clean marker of a new epoch, in one commit. It is flushed
** also with durability "none": what was durable stays so. */
static int replay(jg_db *db, jg_marker *marker, const jg_scan *scan) {
  jg_tx tx = {.db = db, .writable = true, .direct = true, .level = 1};
  int rc = mdb_env_set_flags(db->env, MDB_NOSYNC, 0);
  if (rc == 0) rc = mdb_txn_begin(db->env, NULL, 0, &tx.txn);
  if (rc != 0) return rc;
  tx.id = mdb_txn_id(tx.txn);
  rc = jg_journal_replay(&tx, scan);
  if (rc == 0) {
    marker->epoch++;
    marker->lsn = scan->lsn;
    marker->txn_id = tx.id;
    marker->clean = true;
    rc = jg_write_marker(&tx, marker);
  }
  if (rc == 0)
    rc = mdb_txn_commit(tx.txn);
  else
    mdb_txn_abort(tx.txn);
  jg_trees_end(&tx, 1, rc == 0);
  if (db->durability == JG_NONE) mdb_env_set_flags(db->env, MDB_NOSYNC, 1);
  return rc == EIO && jg_file_is_full(db) ? ENOSPC : rc;
}

/* The last checkpoint is what can be had. */
static void pass_over(jg_scan *scan, const jg_marker *marker) {
  scan->lsn = marker->lsn;
  scan->end = scan->count = 0;
}

static bool bring_in(jg_db *db, jg_marker *marker, jg_scan *scan, const jg_open_options *o,
                     jg_failure *f) {
  int rc = replay(db, marker, scan);
  while (rc == MDB_DBS_FULL && db->trees_max < JG_TREES_LIMIT) { /* made under a larger trees_max */
    if (!jg_open_trees(db, o, 2 * db->trees_max, f)) return false;
    rc = replay(db, marker, scan);
  }
  if (rc == MDB_CORRUPTED && o->salvage) {
    pass_over(scan, marker);
    rc = replay(db, marker, scan);
  }
  if (rc == MDB_CORRUPTED)
    return jg_fail(f, "journal_corrupt", "%s: a record of it does not fit the file",
                   db->journal->path);
  db->replayed = scan->count;
  return rc == 0 || jg_fail_rc(f, rc, db->path);
}

static bool recover(jg_db *db, jg_marker *marker, const jg_open_options *o, jg_failure *f) {
  jg_scan scan = {0};
  if (o->shared)
    return jg_fail(f, "journal_pending",
                   "%s: its journal must be brought in first: open it once without shared",
                   db->path);
  bool lost, found = find_pending(db, marker, o->salvage, &scan, &lost, f);
  if (!found && lost && o->salvage && !o->read_only) {
    *f = (jg_failure){0};
    pass_over(&scan, marker);
    found = true;
  }
  if (found && o->read_only && scan.count > 0)
    found = jg_fail(f, "journal_pending",
                    "%s: its journal holds %llu commit%s: open it once without read_only", db->path,
                    (unsigned long long)scan.count, scan.count == 1 ? "" : "s");
  if (found && !o->read_only) found = bring_in(db, marker, &scan, o, f);
  free(scan.data);
  return found;
}

/* Gives the journal a new id, and a first record of nothing that tells it: what stands there from
** before would say, after a crash, that this is not the file's journal. */
static int stamp(jg_journal *j) {
  if (getrandom(&j->id, sizeof j->id, 0) != sizeof j->id) return errno;
  jg_ops_clear(&j->ops);
  if (!jg_buffer_reserve(&j->ops.bytes, JG_RECORD_HEAD_SIZE)) return ENOMEM;
  j->ops.bytes.size = JG_RECORD_HEAD_SIZE;
  size_t size = jg_record_seal(j, j->lsn);
  bool flush = true;
  int rc = j->disk->calls->write(j->disk, 0, j->ops.bytes.data, size, &flush);
  return rc != 0 || !flush ? rc : j->disk->calls->flush(j->disk);
}

/* The journal's file, of the size asked for, before the first write: whoever only reads needs
** none. */
int jg_journal_prepare_disk(jg_journal *j) {
  uint64_t size = 0;
  if (j->is_prepared) return 0;
  int rc = j->is_open ? 0 : j->disk->calls->open(j->disk, true);
  j->is_open = rc == 0;
  if (rc == 0) rc = j->disk->calls->size(j->disk, &size);
  if (rc == 0 && size != j->size) rc = j->disk->calls->truncate(j->disk, j->size);
  if (rc == 0) rc = stamp(j);
  j->is_prepared = rc == 0;
  if (rc != 0 && j->is_open) j->disk->calls->close(j->disk); /* the next try looks again */
  j->is_open = rc == 0;
  return rc;
}

/* Without a checkpoint, which would call the file clean: it may lack what is in the journal. */
static void drop(jg_db *db) {
  jg_journal *j = db->journal;
  if (j->is_open) j->disk->calls->close(j->disk);
  jg_journal_free(j);
  db->journal = NULL;
}

/* After the environment is open, and before anything is read. Leaves db->journal for durability
** "journal", and none for the others, or when it fails. */
bool jg_journal_open(jg_db *db, const jg_open_options *o, jg_failure *f) {
  jg_marker marker;
  struct stat st;
  MDB_envinfo info;
  char path[PATH_MAX];
  bool wants = db->durability == JG_JOURNAL && !o->read_only;
  int rc = read_marker(db, &marker);
  if (rc != 0) return jg_fail_rc(f, rc, db->path);
  if (marker.clean && !wants) return true;
  if (!set_path(db, path, f)) return false;
  if (fstat(db->lock_fd, &st) != 0) return jg_fail_rc(f, errno, db->path);
  db->journal = jg_journal_new(o->journal_disk, path, st.st_mode & 0777, o->journal_size);
  if (db->journal == NULL) return jg_fail_rc(f, ENOMEM, db->path);
  jg_journal *j = db->journal;
  j->posix.read_only = o->read_only;
  bool is_whole = marker.clean || recover(db, &marker, o, f);
  if (!is_whole || !wants) {
    drop(db);
    return is_whole;
  }
  mdb_env_info(db->env, &info);
  j->id = marker.id;
  j->epoch = marker.epoch;
  j->marker_clean = true;
  j->lsn = j->checkpoint_lsn = j->written_lsn = marker.lsn;
  atomic_store(&j->flushed_lsn, marker.lsn);
  j->checkpoint_txn_id = info.me_last_txnid;
  j->may_start = o->flusher && o->journal_disk == NULL;
  return true;
}

/* No transaction is open. What is committed goes into the file, unless a crash is asked for; when
** that fails it is in the journal still, and 0 is not returned. */
int jg_journal_close(jg_db *db, bool abandons) {
  jg_journal *j = db->journal;
  int rc = 0;
  if (j == NULL) return 0;
  jg_journal_stop(j);
  bool is_own = pthread_equal(db->thread, pthread_self());
  if (!abandons && is_own && atomic_load(&j->failed) == 0) rc = jg_checkpoint(db, true);
  if (rc != 0) jg_journal_flush(j); /* it has to keep it all */
  if (!abandons && !j->is_told && atomic_load(&j->failed) != 0 &&
      atomic_load(&j->flushed_lsn) < j->lsn)
    rc = MDB_PANIC; /* what nobody waited for may be lost, and nobody knows yet */
  if (j->parent != NULL && is_own) mdb_txn_abort(j->parent);
  if (j->parent != NULL && !is_own) db->orphan = j->parent; /* its lock is the other thread's */
  if (j->is_open) j->disk->calls->close(j->disk);
  if (j->event_fd >= 0) close(j->event_fd);
  db->durable_lsn = atomic_load(&j->flushed_lsn);
  jg_journal_free(j);
  db->journal = NULL;
  return rc;
}
