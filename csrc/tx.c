/* SPDX-License-Identifier: MIT
**
** tx.c - transactions, and the class Tx.
**
** A Tx owns an LMDB transaction (outer); while savepoints are open (savepoint.c) `txn` is the
** innermost child of it, and all work goes there. Rules that keep LMDB whole:
**
**   - cursors are closed before their transaction ends, by us, never left to LMDB;
**   - a pointer is cleared before mdb_txn_commit is called, which frees it also on failure;
**   - everything that may run Lua code (a finalizer in an allocation too) comes before the
**     checks, and the checks come before LMDB is called.
**
** User values of a Tx: 1 its DB, 2 its handlers (handlers.c), 3 its open buckets (bucket.c).
*/
#include "bucket.h"
#include "journal.h"

#include <errno.h>
#include <string.h>

enum { OWNER = JG_TX_OWNER, USER_VALUES = 3 };

/* ---- checks ----------------------------------------------------------------------------- */

void jg_check_usable(lua_State *L, const jg_tx *tx) {
  if (!tx->h.open) jg_raise(L, "tx_closed", "the transaction has ended");
  jg_check_serving(L, tx->db);
  if (tx->txn == NULL) jg_raise(L, "tx_failed", "the transaction can only be rolled back");
}

jg_tx *jg_self_tx(lua_State *L) {
  jg_tx *tx = jg_self(L, JG_TX);
  jg_check_usable(L, tx);
  return tx;
}

void jg_check_writable(lua_State *L, const jg_tx *tx, const char *what) {
  if (!tx->writable)
    jg_raise(L, "tx_not_writable", "%s: the transaction is a read transaction", what);
}

/* ---- begin and end ------------------------------------------------------------------------- */

void jg_tx_drop_cursors(jg_tx *tx) {
  for (jg_handle *h = tx->h.child; h != NULL; h = h->next)
    if (h->release == jg_cursor_release) jg_cursor_drop((jg_cursor *)h);
  tx->writes++;
}

static void release(jg_handle *h) {
  jg_tx *tx = (jg_tx *)h;
  jg_db *db = tx->db;
  if (!jg_is_forked(db)) {
    bool is_child = db->journal != NULL && tx->writable && !tx->direct;
    bool is_foreign = tx->writable && !is_child && !pthread_equal(db->thread, pthread_self());
    if (tx->shares_parent) db->journal->views--;
    if (tx->outer != NULL && is_foreign) {
      db->orphan = tx->outer; /* its lock is the other thread's: jg_db_refresh, there */
    } else if (tx->outer != NULL && !tx->writable && db->h.open && db->spare == NULL) {
      mdb_txn_reset(tx->outer); /* kept for the next read: that saves its allocation */
      db->spare = tx->outer;
    } else if (tx->outer != NULL) {
      mdb_txn_abort(tx->outer); /* and with it the open savepoints */
    }
    if (tx->writable && !is_foreign) {
      jg_trees_forget(&db->trees, 1);
      jg_file_unlock_writer(db);
    }
    jg_add_counts(&db->counts, &tx->counts);
    if (tx->writable && !tx->committed) db->rollbacks++;
  }
  tx->outer = tx->txn = NULL;
  if (db->writer == tx) db->writer = NULL;
  if (db->journal != NULL && !jg_is_forked(db) && pthread_equal(db->thread, pthread_self()))
    jg_parent_rest(db);
}

static int begin_txn(jg_db *db, jg_tx *tx) {
  if (db->journal != NULL && tx->writable) return jg_journal_begin(tx);
  if (tx->shares_parent) return jg_parent(db, &tx->txn);
  if (!tx->writable && db->spare != NULL) {
    tx->outer = db->spare;
    db->spare = NULL;
    if (mdb_txn_renew(tx->outer) == 0) return 0;
    mdb_txn_abort(tx->outer);
    tx->outer = NULL;
  }
  return jg_db_begin_txn(db, tx->writable ? 0 : MDB_RDONLY, &tx->outer);
}

static int begin(lua_State *L, jg_db *db, jg_tx *tx) {
  int rc = begin_txn(db, tx);
  if (rc == MDB_READERS_FULL) { /* slots of dead processes, and of transactions left to us */
    int dead;
    mdb_reader_check(db->env, &dead);
    lua_gc(L, LUA_GCCOLLECT);
    if (!db->h.open) jg_raise(L, "db_closed", "the DB was closed meanwhile");
    rc = begin_txn(db, tx);
  }
  return rc;
}

/* With a journal all but snapshots work in one transaction of LMDB, each in its turn. */
static void check_turn(lua_State *L, jg_db *db, const jg_tx *tx) {
  const jg_journal *j = db->journal;
  if (j->views > 0 && !tx->shares_parent)
    jg_raise(L, "read_tx_active", "%s: a view is open", db->path);
  if (!tx->writable && db->writer != NULL)
    jg_raise(L, "write_tx_active", "%s: with a journal nothing is read beside a write transaction",
             db->path);
}

/* A failure is of *what. */
static int prepare(jg_db *db, const jg_tx *tx, const char **what) {
  int rc = jg_db_refresh(db, tx->writable);
  if (rc != 0 || db->journal == NULL || tx->shares_parent) return rc;
  if (!tx->writable) return jg_checkpoint(db, db->journal->marker_clean);
  rc = jg_journal_prepare_disk(db->journal);
  if (rc == 0) return jg_journal_prepare_write(db);
  *what = db->journal->disk->path;
  return rc;
}

static int raise_begin(lua_State *L, const jg_db *db, int rc, const char *what) {
  if (rc == MDB_DBS_FULL)
    return jg_raise(L, "trees_full",
                    "begin: another process made more than the %d trees this one was opened with: "
                    "open the file again",
                    (int)db->trees_max);
  return jg_raise_journal(L, db, rc, what);
}

/* Pushes the new transaction. */
jg_tx *jg_tx_begin(lua_State *L, int db_idx, unsigned kind) {
  bool writable = (kind & JG_WRITES) != 0;
  jg_tx *tx = lua_newuserdatauv(L, sizeof *tx, USER_VALUES);
  memset(tx, 0, sizeof *tx);
  jg_set_class(L, JG_TX);
  lua_pushvalue(L, db_idx);
  lua_setiuservalue(L, -2, OWNER);
  jg_db *db = lua_touserdata(L, db_idx);
  jg_check_open(L, db); /* a finalizer may have closed it */
  if (writable && db->read_only) jg_raise(L, "db_read_only", "%s: opened read_only", db->path);
  if ((writable || db->journal != NULL) && db->writer != NULL)
    lua_gc(L, LUA_GCCOLLECT); /* one that was left to us? */
  if (writable && db->h.open && db->writer != NULL)
    jg_raise(L, "write_tx_active", "%s: a write transaction is open already", db->path);
  if (!db->h.open) jg_raise(L, "db_closed", "the DB was closed meanwhile");
  tx->db = db;
  tx->writable = writable;
  tx->managed = (kind & JG_MANAGED) != 0;
  tx->shares_parent = db->journal != NULL && (kind & (JG_WRITES | JG_SNAPSHOT)) == 0;
  if (db->journal != NULL) check_turn(L, db, tx);
  jg_failure f = {0};
  if (writable && !jg_file_lock_writer(db, &f)) jg_raise_failure(L, &f);
  const char *what = "begin";
  int rc = prepare(db, tx, &what);
  if (rc == 0) rc = begin(L, db, tx);
  if (rc != 0) {
    if (writable) jg_file_unlock_writer(db);
    raise_begin(L, db, rc, what);
  }
  if (!tx->shares_parent) tx->txn = tx->outer;
  if (tx->shares_parent) db->journal->views++;
  if (db->journal != NULL) tx->lsn = db->journal->lsn + writable;
  tx->level = 1;
  tx->id = mdb_txn_id(tx->txn);
  MDB_envinfo info;
  mdb_env_info(db->env, &info);
  tx->size = (info.me_last_pgno + 1) * db->page_size;
  if (!writable) db->reads++;
  jg_link(&tx->h, &db->h, release);
  if (writable) {
    db->writer = tx;
    rc = db->shared ? jg_trees_refresh_in(tx) : 0;
    if (rc != 0) {
      jg_close(&tx->h);
      raise_begin(L, db, rc, what);
    }
    jg_db_set_writer(L, db_idx);
  }
  return tx;
}

/* After most failures LMDB goes on with what was committed before. Not when it could not flush its
** meta page: then the commit may be there or not, and it begins nothing more. */
static bool is_poisoned(const jg_db *db) {
  MDB_txn *txn;
  int rc = mdb_txn_begin(db->env, NULL, MDB_RDONLY, &txn);
  if (rc == 0) mdb_txn_abort(txn);
  return rc == MDB_PANIC;
}

static int commit_lmdb(jg_tx *tx) {
  MDB_txn *txn = tx->outer;
  tx->outer = tx->txn = NULL;
  int rc = mdb_txn_commit(txn);
  return rc == EIO && jg_file_is_full(tx->db) ? ENOSPC : rc; /* LMDB calls a short write EIO */
}

/* Without `wait` a commit to the journal may not be durable on return, and its handlers wait until
** it is (ticket.c); they are queued already. */
bool jg_tx_commit(lua_State *L, int idx, bool wait) {
  jg_tx *tx = lua_touserdata(L, idx);
  jg_db *db = tx->db;
  jg_journal *j = db->journal;
  jg_tx_drop_cursors(tx);
  int rc = j != NULL ? jg_journal_commit(tx, wait) : commit_lmdb(tx);
  jg_trees_end(tx, 1, rc == 0);
  tx->committed = rc == 0;
  if (rc == 0) db->commits++;
  if (rc == 0 && j != NULL) tx->lsn = j->lsn;
  bool is_durable = j == NULL || atomic_load(&j->flushed_lsn) >= j->lsn;
  bool is_unknown = j != NULL && atomic_load(&j->failed) != 0;
  jg_close(&tx->h);
  if (is_unknown) jg_raise_journal(L, db, rc, "commit");
  if (rc != 0 && j == NULL && is_poisoned(db))
    jg_raise(L, "poisoned",
             "commit: %s: only when the DB is opened again will it show whether "
             "this commit took place",
             mdb_strerror(rc));
  bool failed = false;
  if (rc == 0 && is_durable && db->queue_first <= db->queue_last) {
    lua_getiuservalue(L, idx, OWNER);
    failed = jg_fire_durable(L, db, lua_gettop(L));
    if (!failed) lua_pop(L, 1);
  }
  if (rc != 0 || is_durable)
    jg_tx_handlers(L, idx, rc == 0 ? JG_ON_COMMIT : JG_ON_ROLLBACK, 0, rc != 0 || failed);
  if (failed) lua_error(L);
  if (rc != 0) jg_raise_rc(L, rc, "commit");
  return is_durable;
}

void jg_tx_rollback(lua_State *L, int idx, bool failing) {
  jg_tx *tx = lua_touserdata(L, idx);
  if (!tx->h.open) return;
  jg_close(&tx->h);
  if (jg_is_forked(tx->db)) return; /* the handlers are the parent's */
  jg_tx_handlers(L, idx, JG_ON_ROLLBACK, 0, failing);
}

static jg_tx *check_endable(lua_State *L, const char *what) {
  jg_tx *tx = jg_self_tx(L);
  if (tx->managed)
    jg_raise(L, "tx_managed", "%s: update and view end their transaction themselves", what);
  if (tx->level > 1) jg_raise(L, "savepoint_active", "%s: a savepoint is open", what);
  return tx;
}

/* tx:commit{wait=false} returns a Ticket. */
static int tx_commit(lua_State *L) {
  static const char *const known[] = {"wait", NULL};
  jg_check_writable(L, check_endable(L, "commit"), "commit");
  jg_options_known(L, 2, known);
  if (!jg_option_boolean(L, 2, "wait", true)) return jg_tx_commit_ticket(L);
  jg_tx_commit(L, 1, true);
  return 0;
}

static int tx_rollback(lua_State *L) {
  check_endable(L, "rollback");
  jg_tx_rollback(L, 1, false);
  return 0;
}

/* __gc and __close: what was not committed never was. */
static int tx_release(lua_State *L) {
  jg_self(L, JG_TX);
  jg_tx_rollback(L, 1, false);
  return 0;
}

/* ---- what it tells ------------------------------------------------------------------------- */

static int tx_id(lua_State *L) {
  jg_tx *tx = jg_self(L, JG_TX);
  bool has_lsn = tx->h.open && tx->db->journal != NULL;
  lua_pushinteger(L, !tx->h.open ? -1 : has_lsn ? (lua_Integer)tx->lsn : (lua_Integer)tx->id);
  return 1;
}

static int tx_is_writable(lua_State *L) {
  jg_tx *tx = jg_self(L, JG_TX);
  lua_pushboolean(L, tx->writable);
  return 1;
}

static int tx_db(lua_State *L) {
  jg_self(L, JG_TX);
  lua_getiuservalue(L, 1, OWNER);
  return 1;
}

/* Bytes up to the last page in use when the transaction began (Bolt 30). */
static int tx_size(lua_State *L) {
  jg_tx *tx = jg_self(L, JG_TX);
  lua_pushinteger(L, tx->h.open ? (lua_Integer)tx->size : 0);
  return 1;
}

static int tx_stats(lua_State *L) {
  jg_tx *tx = jg_self(L, JG_TX);
  lua_createtable(L, 0, 8);
  jg_push_counts(L, &tx->counts);
  return 1;
}

static int tx_tostring(lua_State *L) {
  jg_tx *tx = jg_self(L, JG_TX);
  lua_pushfstring(L, "jangada.Tx: %p (%s)", (void *)tx,
                  !tx->h.open    ? "closed"
                  : tx->writable ? "write"
                                 : "read");
  return 1;
}

/* ---- top-level buckets --------------------------------------------------------------------- */

static int tx_bucket(lua_State *L) {
  return jg_bucket_lookup(L, 1, jg_self_tx(L), NULL);
}

static int tx_create_bucket(lua_State *L) {
  return jg_bucket_create(L, 1, jg_self_tx(L), NULL, false);
}

static int tx_ensure_bucket(lua_State *L) {
  return jg_bucket_create(L, 1, jg_self_tx(L), NULL, true);
}

static int tx_delete_bucket(lua_State *L) {
  return jg_bucket_delete(L, 1, jg_self_tx(L), NULL);
}

static int tx_move_bucket(lua_State *L) {
  return jg_bucket_move(L, 1, jg_self_tx(L), NULL);
}

static int tx_buckets(lua_State *L) {
  return jg_buckets(L, 1, jg_self_tx(L), NULL);
}

static const luaL_Reg methods[] = {{"bucket", tx_bucket},
                                   {"create_bucket", tx_create_bucket},
                                   {"ensure_bucket", tx_ensure_bucket},
                                   {"delete_bucket", tx_delete_bucket},
                                   {"move_bucket", tx_move_bucket},
                                   {"buckets", tx_buckets},
                                   {"commit", tx_commit},
                                   {"rollback", tx_rollback},
                                   {"savepoint", jg_tx_savepoint},
                                   {"on_commit", jg_tx_on_commit},
                                   {"on_rollback", jg_tx_on_rollback},
                                   {"id", tx_id},
                                   {"is_writable", tx_is_writable},
                                   {"db", tx_db},
                                   {"size", tx_size},
                                   {"stats", tx_stats},
                                   {NULL, NULL}};

static const luaL_Reg metamethods[] = {
    {"__gc", tx_release}, {"__close", tx_release}, {"__tostring", tx_tostring}, {NULL, NULL}};

void jg_open_tx(lua_State *L) {
  jg_class(L, JG_TX, metamethods, methods);
}
