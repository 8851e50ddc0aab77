/* SPDX-License-Identifier: MIT
**
** checkpoint.c - the LMDB transaction under all commits of durability "journal": how user's
** transactions hang on it, and how it ends. journal.c has the picture.
*/
#include "bucket.h"
#include "journal.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

/* A checkpoint writes all dirty pages and makes a commit wait: few enough that it is short, many
** enough that it is rare. The child's commit grows with them, too. */
#define DIRTY_PAGES_MAX 1000
#define AGE_MAX_US 5000000 /* other processes see the last checkpoint; a simulation has no clock */
#define RETRY_US 1000000   /* after one that failed: rebuilding takes long */

/* ---- dirty pages --------------------------------------------------------------------------- */

/* LMDB does not tell how many pages are dirty. Keys that differ in their last byte are neighbours,
** and fill pages together; others may lie on pages of their own. A bitmap of hashes remembers which
** neighbourhoods have been counted. */
void jg_count_dirty(jg_journal *j, MDB_dbi dbi, const MDB_val *key, size_t size) {
  size_t common = key->mv_size > 0 ? key->mv_size - 1 : 0;
  j->dirty_bytes += size;
  uint32_t bit = jg_crc32c(dbi, key->mv_data, common) % (8 * JG_SEEN_SIZE);
  if ((j->seen[bit / 8] >> bit % 8 & 1) != 0) return;
  j->seen[bit / 8] |= (unsigned char)(1 << bit % 8);
  j->dirty_pages++;
}

static uint64_t dirty_pages(const jg_db *db) {
  return db->journal->dirty_pages + db->journal->dirty_bytes / db->page_size;
}

static void reset_dirty(jg_journal *j) {
  j->dirty_pages = j->dirty_bytes = 0;
  memset(j->seen, 0, JG_SEEN_SIZE);
  j->wants_checkpoint = false;
}

/* Pages that one interval frees can be used only in the next: a small map needs short ones. */
static bool is_due(const jg_db *db, bool asks_age) {
  const jg_journal *j = db->journal;
  MDB_envinfo info;
  if (j->lsn == j->checkpoint_lsn) return false;
  mdb_env_info(db->env, &info);
  uint64_t pages = dirty_pages(db);
  bool is_much =
      j->wants_checkpoint || pages > DIRTY_PAGES_MAX || pages > info.me_mapsize / db->page_size / 8;
  bool may_be_old = asks_age && j->disk == &j->posix;
  if (!is_much && !may_be_old) return false; /* most commits do not look at the clock */
  int64_t now_us = jg_now_us();
  return (is_much || now_us - j->first_us > AGE_MAX_US) && now_us >= j->retry_us;
}

/* What is acknowledged must fit into the file: near its end each commit is a checkpoint, which can
** fail alone. LMDB does not tell how much is left: this errs on the safe side. */
static bool is_near_full(const jg_db *db) {
  MDB_envinfo info;
  mdb_env_info(db->env, &info);
  return info.me_last_pgno + 2 * dirty_pages(db) + 64 >= info.me_mapsize / db->page_size;
}

/* ---- the parent ---------------------------------------------------------------------------- */

int jg_parent(jg_db *db, MDB_txn **parent) {
  jg_journal *j = db->journal;
  jg_db_end_orphan(db);
  int rc = j->parent == NULL ? mdb_txn_begin(db->env, NULL, 0, &j->parent) : 0;
  if (rc != 0) j->parent = NULL;
  *parent = j->parent;
  return rc;
}

/* It holds LMDB's writer lock, for which other programs wait: where there is nothing to bring in,
** and nobody uses it, it ends. */
void jg_parent_rest(jg_db *db) {
  jg_journal *j = db->journal;
  if (j->parent == NULL || j->lsn != j->checkpoint_lsn || j->views > 0 || db->writer != NULL)
    return;
  mdb_txn_abort(j->parent);
  j->parent = NULL;
}

static void poison(jg_journal *j, int rc) {
  atomic_store(&j->failed, rc != 0 ? rc : EIO);
}

/* All that is committed and not in the file, from the journal onto the last checkpoint. */
static int rebuild(jg_db *db) {
  jg_journal *j = db->journal;
  jg_scan scan = {.block = j->disk->block};
  jg_tx tx = {.db = db, .writable = true, .direct = true, .level = 1};
  if (j->parent != NULL) mdb_txn_abort(j->parent);
  j->parent = NULL;
  jg_trees_forget_young(&db->trees, j->checkpoint_txn_id);
  db->trees_seen = SIZE_MAX; /* jg_purge_in may have closed some */
  int rc = jg_journal_settle(j);
  if (rc == 0) rc = jg_trees_refresh(db);
  if (rc == 0) rc = jg_parent(db, &tx.txn);
  if (rc == 0 && j->offset > 0) rc = jg_journal_read(j->disk, j->offset, &scan);
  if (rc == 0) {
    tx.id = mdb_txn_id(tx.txn);
    jg_journal_scan(&scan, j->id, j->epoch, j->checkpoint_lsn);
    rc = scan.lsn == j->lsn ? jg_journal_replay(&tx, &scan) : MDB_CORRUPTED;
    jg_trees_end(&tx, 1, rc == 0);
  }
  free(scan.data);
  return rc;
}

/* ---- checkpoints --------------------------------------------------------------------------- */

int jg_write_marker(jg_tx *tx, const jg_marker *marker) {
  unsigned char bytes[JG_MARKER_SIZE];
  MDB_dbi root;
  jg_key key;
  MDB_val value = {sizeof bytes, bytes};
  jg_put_u64(bytes, marker->id);
  jg_put_u64(bytes + 8, marker->epoch);
  jg_put_u64(bytes + 16, marker->lsn);
  jg_put_u64(bytes + 24, marker->txn_id);
  bytes[32] = marker->clean;
  int rc = jg_ensure_root(tx, &root);
  jg_set_key(&key, JG_SYSTEM_ID, "journal", 7);
  return rc != 0 ? rc : mdb_put(tx->txn, root, &key.val, &value, 0);
}

static int commit_parent(jg_db *db, jg_marker *marker) {
  jg_journal *j = db->journal;
  jg_tx tx = {.db = db, .writable = true, .direct = true, .level = 1};
  int rc = jg_parent(db, &tx.txn);
  if (rc != 0) return rc;
  tx.id = marker->txn_id = mdb_txn_id(tx.txn);
  rc = jg_write_marker(&tx, marker);
  if (rc == 0) {
    MDB_txn *parent = j->parent;
    j->parent = NULL;
    rc = mdb_txn_commit(parent);
  }
  jg_trees_end(&tx, 1, rc == 0);
  return rc == EIO && jg_file_is_full(db) ? ENOSPC : rc; /* LMDB calls a short write EIO */
}

static void begin_epoch(jg_journal *j, const jg_marker *marker) {
  j->epoch = marker->epoch;
  j->marker_clean = marker->clean;
  j->lsn = j->checkpoint_lsn = marker->lsn;
  j->checkpoint_txn_id = (size_t)marker->txn_id;
  j->offset = 0;
  j->retry_us = 0;
  reset_dirty(j);
  jg_journal_durable(j, marker->lsn);
}

/* Brings what the parent holds into the file, up to the commit `lsn`, and begins a new epoch. When
** it fails nothing is lost: what is committed is taken from the journal again. */
static int switch_epoch(jg_db *db, bool clean, uint64_t lsn) {
  jg_journal *j = db->journal;
  jg_marker marker = {.id = j->id, .epoch = j->epoch + 1, .lsn = lsn, .clean = clean};
  int rc = jg_journal_settle(j);
  if (rc != 0) return rc;
  int64_t begin = jg_now_us();
  rc = commit_parent(db, &marker);
  if (rc == 0) {
    jg_times_add(&j->checkpoint_times, jg_now_us() - begin);
    begin_epoch(j, &marker);
    return 0;
  }
  j->checkpoint_failures++;
  j->retry_us = jg_now_us() + RETRY_US;
  int rebuilt = rebuild(db);
  if (rebuilt != 0) poison(j, rebuilt);
  return rc;
}

/* All commits are in the file, and flushed; `clean`: it is whole without the journal. No
** transaction is open but reads with a snapshot of their own. */
int jg_checkpoint(jg_db *db, bool clean) {
  const jg_journal *j = db->journal;
  int rc = atomic_load(&j->failed);
  if (rc != 0 || (j->lsn == j->checkpoint_lsn && j->marker_clean == clean)) return rc;
  return switch_epoch(db, clean, j->lsn);
}

/* jg_purge_in for a file with a journal: a checkpoint follows, since no record tells of it. */
int jg_journal_purge(jg_db *db) {
  jg_journal *j = db->journal;
  jg_tx tx = {.db = db, .writable = true, .direct = true, .level = 1};
  unsigned purged = 0;
  int rc = jg_parent(db, &tx.txn);
  if (rc == 0) rc = jg_purge_in(&tx, &purged);
  if (rc == 0 && purged > 0) {
    rc = switch_epoch(db, j->marker_clean, j->lsn);
  } else if (rc != 0) {
    int rebuilt = rebuild(db);
    if (rebuilt != 0) poison(j, rebuilt);
  }
  jg_parent_rest(db);
  return atomic_load(&j->failed) != 0 ? atomic_load(&j->failed) : rc;
}

/* ---- transactions of the user -------------------------------------------------------------- */

/* Before a write transaction begins, and with the disk prepared: the marker in the file must say
** that the journal counts, and be of LMDB's last transaction; another program may have written
** since. A checkpoint that is due and fails now is tried again later; until then the journal takes
** more. */
int jg_journal_prepare_write(jg_db *db) {
  jg_journal *j = db->journal;
  MDB_txn *parent;
  int rc = jg_parent(db, &parent);
  if (rc != 0) return rc;
  if (j->marker_clean || mdb_txn_id(parent) != j->checkpoint_txn_id + 1)
    return switch_epoch(db, false, j->lsn);
  if (is_due(db, true)) jg_checkpoint(db, false);
  return atomic_load(&j->failed);
}

int jg_journal_begin(jg_tx *tx) {
  MDB_txn *parent;
  int rc = jg_parent(tx->db, &parent);
  if (rc == 0) rc = mdb_txn_begin(tx->db->env, parent, 0, &tx->outer);
  if (rc != 0) tx->outer = NULL;
  jg_ops_clear(&tx->db->journal->ops);
  return rc;
}

/* The record is durable, or no record will be: now LMDB has to follow. */
static int commit_child(jg_db *db, MDB_txn *txn) {
  int rc = mdb_txn_commit(txn);
  if (rc == 0) return 0;
  int rebuilt = rebuild(db); /* it leaves its parent half changed */
  if (rebuilt != 0) poison(db->journal, rebuilt);
  return rebuilt != 0 ? rebuilt : rc;
}

/* The transaction is larger than what is left of the journal, or than LMDB keeps in memory: the
** checkpoint is its commit. */
static int commit_by_checkpoint(jg_tx *tx, MDB_txn *txn) {
  jg_journal *j = tx->db->journal;
  int rc = tx->direct ? 0 : commit_child(tx->db, txn);
  if (rc == MDB_TXN_FULL) {
    rc = jg_promote(tx);
    txn = tx->outer;
    tx->outer = tx->txn = NULL;
    if (rc != 0 && txn != NULL) mdb_txn_abort(txn);
  }
  if (rc != 0) return rc;
  if (tx->direct) j->parent = txn;
  return switch_epoch(tx->db, false, j->lsn + 1);
}

/* The record could not be written, but may be there all the same: a new epoch makes it stale. */
static int retract(jg_db *db, MDB_txn *txn, int rc) {
  mdb_txn_abort(txn);
  jg_trees_forget(&db->trees, 1); /* its own: the checkpoint keeps what trees there are */
  if (atomic_load(&db->journal->failed) == 0 && switch_epoch(db, false, db->journal->lsn) != 0)
    poison(db->journal, rc);
  return rc;
}

/* LMDB refuses a transaction in which something failed; but only once its record is written. */
static int check_whole(MDB_txn *txn) {
  MDB_stat stat;
  return txn == NULL ? MDB_BAD_TXN : mdb_stat(txn, JG_MAIN_DBI, &stat);
}

/* Commits tx->outer, which is gone on return, whatever that is. */
int jg_journal_commit(jg_tx *tx, bool wait) {
  jg_db *db = tx->db;
  jg_journal *j = db->journal;
  MDB_txn *txn = tx->outer;
  tx->outer = tx->txn = NULL;
  int rc = check_whole(txn);
  if (rc != 0) {
    mdb_txn_abort(txn);
    return rc;
  }
  if (!tx->direct && j->ops.bytes.size <= JG_RECORD_HEAD_SIZE) { /* nothing was written */
    mdb_txn_abort(txn);
    return wait ? jg_journal_flush(j) : 0; /* what it has read may not be durable yet */
  }
  if (tx->direct || jg_journal_next_block(j) + jg_padded(j->ops.bytes.size) > j->size ||
      is_near_full(db))
    return commit_by_checkpoint(tx, txn);
  if (!jg_buffer_reserve(&j->ops.bytes, 8)) {
    mdb_txn_abort(txn);
    return ENOMEM;
  }
  uint64_t lsn = j->lsn + 1;
  size_t size = jg_record_seal(j, lsn);
  rc = jg_journal_append(j, j->ops.bytes.data, size, lsn, wait);
  if (rc != 0) return retract(db, txn, rc);
  if (j->lsn == j->checkpoint_lsn) j->first_us = jg_now_us();
  j->lsn = lsn;
  rc = commit_child(db, txn);
  if (rc != 0 && atomic_load(&j->failed) == 0) rc = 0; /* rebuilt, with this commit in it */
  if (rc == 0 && is_due(db, false)) jg_checkpoint(db, false);
  return rc;
}
