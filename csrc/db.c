/* SPDX-License-Identifier: MIT
**
** db.c - the class DB: one open file (open.c says how it is opened).
**
** User values of a DB: 1 a weak table that holds the open write transaction, 2 its memory disk,
** 3 transactions whose handlers wait for their flush (ticket.c).
*/
#include "bucket.h"
#include "journal.h"

#include <stdlib.h>
#include <string.h>

enum { WRITER = 1, DISK, QUEUE, USER_VALUES = QUEUE };

/* ---- checks ------------------------------------------------------------------------------ */

void jg_check_process(lua_State *L, const jg_db *db) {
  if (jg_is_forked(db))
    jg_raise(L, "forked", "the file was opened before a fork: only the parent may use it");
  if (!pthread_equal(db->thread, pthread_self()))
    jg_raise(L, "wrong_thread", "the file was opened by another thread");
}

/* After a failed flush nobody knows what the disk holds. */
void jg_check_serving(lua_State *L, const jg_db *db) {
  jg_check_process(L, db);
  if (db->journal != NULL && atomic_load(&db->journal->failed) != 0)
    jg_raise_journal(L, db, 0, db->path);
}

void jg_check_open(lua_State *L, const jg_db *db) {
  if (!db->h.open) jg_raise(L, "db_closed", "the DB is closed");
  jg_check_serving(L, db);
}

jg_db *jg_self_db(lua_State *L) {
  jg_db *db = jg_self(L, JG_DB);
  jg_check_open(L, db);
  return db;
}

/* ---- store.open --------------------------------------------------------------------------- */

static const char *const open_options[] = {
    "mode",         "read_only",    "durability",  "size_max",     "lock_timeout_ms",
    "shared",       "trees_max",    "readers_max", "allow_remote", "verify",
    "journal_size", "journal_disk", "flusher",     "salvage",      NULL};
static const char *const durabilities[] = {"commit", "none", "journal", NULL};

static void read_options(lua_State *L, int idx, jg_open_options *o) {
  jg_options_known(L, idx, open_options);
  o->mode = (int)jg_option_integer(L, idx, "mode", 0600, 0, 0777);
  o->read_only = jg_option_boolean(L, idx, "read_only", false);
  o->shared = jg_option_boolean(L, idx, "shared", false);
  o->verify = jg_option_boolean(L, idx, "verify", false);
  o->allow_remote = jg_option_boolean(L, idx, "allow_remote", false);
  o->durability = jg_option_choice(L, idx, "durability", durabilities);
  o->lock_timeout_ms = (int)jg_option_integer(L, idx, "lock_timeout_ms", 1000, 0, 86400000);
  o->size_max = (size_t)jg_option_integer(L, idx, "size_max", (lua_Integer)1 << 40, 1 << 16,
                                          (lua_Integer)1 << 46);
  o->size_max &= ~(size_t)0xffff; /* whole pages, of any machine */
  o->journal_size = (uint64_t)jg_option_integer(L, idx, "journal_size", 16 << 20,
                                                JG_JOURNAL_SIZE_MIN, JG_JOURNAL_SIZE_MAX);
  o->journal_size &= ~(uint64_t)4095; /* whole blocks (disk.c) */
  o->flusher = jg_option_boolean(L, idx, "flusher", true);
  o->salvage = jg_option_boolean(L, idx, "salvage", false);
  if (o->shared && o->durability == JG_JOURNAL)
    luaL_argerror(L, idx, "durability 'journal' and shared exclude each other");
  o->trees_max = (unsigned)jg_option_integer(L, idx, "trees_max", 128, 1, 65536);
  o->readers_max = (unsigned)jg_option_integer(L, idx, "readers_max", 1024, 1, 65536);
}

int jg_store_open(lua_State *L) {
  size_t size;
  luaL_checktype(L, 1, LUA_TSTRING);
  const char *path = lua_tolstring(L, 1, &size);
  luaL_argcheck(L, size > 0, 1, "the path is empty");
  luaL_argcheck(L, strlen(path) == size, 1, "the path holds a NUL byte");
  jg_open_options options = {0};
  read_options(L, 2, &options);
  lua_settop(L, 2);
  jg_db *db = lua_newuserdatauv(L, sizeof *db, USER_VALUES);
  memset(db, 0, sizeof *db);
  db->lock_fd = -1;
  db->queue_first = 1;
  jg_set_class(L, JG_DB);
  lua_createtable(L, 1, 0);
  jg_set_weak(L);
  lua_setiuservalue(L, -2, WRITER);
  if (jg_has_option(L, 2, "journal_disk")) {
    lua_pushliteral(L, "journal_disk");
    lua_rawget(L, 2);
    options.journal_disk = jg_check_memory_disk(L, lua_gettop(L));
    lua_setiuservalue(L, -2, DISK);
  }
  jg_failure f = {0};
  jg_handle *root = jg_root(L);
  if (!root->open) jg_fail(&f, "state_closed", "%s: the Lua state is being closed", path);
  if (!root->open || !jg_db_open(db, path, &options, &f)) {
    jg_db_release(&db->h);
    lua_pushnil(L);
    lua_pushstring(L, f.message);
    lua_pushstring(L, f.code);
    return 3;
  }
  jg_link(&db->h, root, jg_db_release);
  return 1;
}

/* ---- transactions -------------------------------------------------------------------------- */

/* Expects the write transaction on top of the stack. */
void jg_db_set_writer(lua_State *L, int db_idx) {
  lua_getiuservalue(L, db_idx, WRITER);
  lua_pushvalue(L, -2);
  lua_rawseti(L, -2, 1);
  lua_pop(L, 1);
}

/* Pushes the open write transaction or nil. */
static void push_writer(lua_State *L, const jg_db *db) {
  lua_getiuservalue(L, 1, WRITER);
  lua_rawgeti(L, -1, 1);
  lua_remove(L, -2);
  if (db->writer == NULL || lua_touserdata(L, -1) != (void *)db->writer) {
    lua_pop(L, 1);
    lua_pushnil(L);
  }
}

static int db_write_tx(lua_State *L) {
  push_writer(L, jg_self_db(L));
  return 1;
}

/* fn(tx, ...) in a transaction of its own; returns what fn returns. */
static int run(lua_State *L, bool writable) {
  jg_self_db(L);
  luaL_checktype(L, 2, LUA_TFUNCTION);
  int args = lua_gettop(L) - 2;
  luaL_checkstack(L, args + 8, "too many arguments");
  jg_tx *tx = jg_tx_begin(L, 1, JG_MANAGED | (writable ? JG_WRITES : 0));
  int at = lua_gettop(L); /* stack: db fn args tx */
  lua_pushvalue(L, 2);
  lua_pushvalue(L, at);
  for (int i = 0; i < args; i++)
    lua_pushvalue(L, 3 + i);
  bool ok = lua_pcall(L, args + 1, LUA_MULTRET, 0) == LUA_OK; /* a yield cannot cross it */
  if (jg_is_forked(tx->db)) { /* the child came back out of its parent's transaction */
    jg_close(&tx->h);
    if (ok) jg_check_process(L, tx->db);
    lua_error(L);
  }
  if (ok && !tx->h.open)
    jg_raise(L, "tx_closed", "%s: %s within it", writable ? "update" : "view",
             tx->db->h.open ? "its transaction was ended" : "the DB was closed");
  if (ok && writable)
    jg_tx_commit(L, at, true);
  else
    jg_tx_rollback(L, at, !ok);
  if (!ok) lua_error(L);
  return lua_gettop(L) - at;
}

static int db_update(lua_State *L) {
  return run(L, true);
}

static int db_view(lua_State *L) {
  return run(L, false);
}

/* db:batch{fn, ...}: all in one commit, and one that fails is undone alone (Bolt 87 to 90). */
static int db_batch(lua_State *L) {
  jg_self_db(L);
  luaL_checktype(L, 2, LUA_TTABLE);
  lua_settop(L, 2);
  lua_Integer n = (lua_Integer)lua_rawlen(L, 2);
  for (lua_Integer i = 1; i <= n; i++) {
    if (lua_rawgeti(L, 2, i) != LUA_TFUNCTION)
      luaL_argerror(L, 2,
                    lua_pushfstring(L, "member %I is a %s, not a function", (LUAI_UACINT)i,
                                    luaL_typename(L, -1)));
    lua_pop(L, 1);
  }
  lua_pushcfunction(L, jg_tx_batch);
  lua_insert(L, 2); /* stack: db batch functions */
  return run(L, true);
}

static int db_begin(lua_State *L) {
  static const char *const kinds[] = {"read", "write", NULL};
  jg_self_db(L);
  luaL_checktype(L, 2, LUA_TSTRING);
  jg_tx_begin(L, 1, luaL_checkoption(L, 2, NULL, kinds) == 1 ? JG_WRITES : JG_SNAPSHOT);
  return 1;
}

/* Another process may have made the file larger than our map, which can follow only while nothing
** of ours is open. */
int jg_db_begin_txn(jg_db *db, unsigned flags, MDB_txn **txn) {
  int rc = mdb_txn_begin(db->env, NULL, flags, txn);
  if (rc != MDB_MAP_RESIZED || db->h.child != NULL) return rc;
  if (db->spare != NULL) mdb_txn_abort(db->spare);
  db->spare = NULL;
  rc = mdb_env_set_mapsize(db->env, 0);
  return rc != 0 ? rc : mdb_txn_begin(db->env, NULL, flags, txn);
}

/* First of all: whoever writes would wait for it for ever. */
void jg_db_end_orphan(jg_db *db) {
  if (db->orphan == NULL) return;
  mdb_txn_abort(db->orphan);
  db->orphan = NULL;
  jg_trees_forget(&db->trees, 1);
}

/* Before a transaction begins: trees that other processes made are opened, and trees of deleted
** buckets removed when they crowd out new ones. Both need that nothing is open. */
int jg_db_refresh(jg_db *db, bool writable) {
  jg_db_end_orphan(db);
  if (db->h.child != NULL) return 0;
  if (db->shared || db->read_only) return jg_trees_refresh(db);
  if (!writable || db->trees.count + 4 < db->trees_max) return 0;
  return jg_purge(db);
}

/* ---- the end ------------------------------------------------------------------------------- */

/* Closes it with all that is open in it; the open write transaction learns that it never was. */
static void close_all(lua_State *L, jg_db *db) {
  push_writer(L, db);
  jg_close(&db->h);
  if (jg_is_forked(db)) return;
  int writer = lua_gettop(L);
  bool failed = db->close_rc == 0 && jg_fire_durable(L, db, 1);
  if (!lua_isnil(L, writer)) jg_tx_handlers(L, writer, JG_ON_ROLLBACK, 0, failed);
  if (failed) lua_error(L);
}

static int db_close(lua_State *L) {
  static const char *const known[] = {"force", NULL};
  jg_db *db = jg_self(L, JG_DB);
  jg_options_known(L, 2, known);
  bool force = jg_option_boolean(L, 2, "force", false);
  if (!db->h.open) return 0; /* Bolt: closing twice is no error */
  jg_check_process(L, db);
  if (db->h.child != NULL && !force)
    jg_raise(L, "tx_open", "%s: transactions are open (force=true rolls them back)", db->path);
  if (db->journal != NULL && db->journal->views > 0)
    jg_raise(L, "read_tx_active", "%s: a view is open", db->path);
  close_all(L, db);
  if (db->close_rc == MDB_PANIC)
    jg_raise(L, "poisoned", "close: a flush failed: the next open shows what the disk holds");
  if (db->close_rc != 0)
    jg_raise(L, jg_code_of(db->close_rc),
             "close: %s; what was committed is in the journal, and not lost",
             mdb_strerror(db->close_rc));
  return 0;
}

/* db:abandon(): drops it as a crash would, for tests and simulation. */
static int db_abandon(lua_State *L) {
  jg_db *db = jg_self(L, JG_DB);
  if (!db->h.open) return 0;
  jg_check_process(L, db);
  if (db->journal != NULL && db->journal->views > 0)
    jg_raise(L, "read_tx_active", "%s: a view is open", db->path);
  db->abandons = true;
  jg_close(&db->h);
  return 0;
}

/* __gc and __close */
static int db_release(lua_State *L) {
  jg_db *db = jg_self(L, JG_DB);
  if (db->h.open) close_all(L, db);
  return 0;
}

/* ---- what it tells ------------------------------------------------------------------------- */

static int db_path(lua_State *L) {
  jg_db *db = jg_self(L, JG_DB);
  lua_pushstring(L, db->h.open ? db->path : "");
  return 1;
}

static int db_is_read_only(lua_State *L) {
  lua_pushboolean(L, jg_self_db(L)->read_only);
  return 1;
}

static int db_key_size_max(lua_State *L) {
  jg_self(L, JG_DB);
  lua_pushinteger(L, JG_KEY_SIZE_MAX);
  return 1;
}

static int db_tostring(lua_State *L) {
  jg_db *db = jg_self(L, JG_DB);
  lua_pushfstring(L, "jangada.DB: %p (%s)", (void *)db, db->h.open ? db->path : "closed");
  return 1;
}

static const luaL_Reg methods[] = {{"update", db_update},
                                   {"view", db_view},
                                   {"batch", db_batch},
                                   {"begin", db_begin},
                                   {"write_tx", db_write_tx},
                                   {"close", db_close},
                                   {"abandon", db_abandon},
                                   {"path", db_path},
                                   {"is_read_only", db_is_read_only},
                                   {"key_size_max", db_key_size_max},
                                   {NULL, NULL}};

static const luaL_Reg metamethods[] = {
    {"__gc", db_release}, {"__close", db_release}, {"__tostring", db_tostring}, {NULL, NULL}};

void jg_open_db(lua_State *L) {
  jg_class(L, JG_DB, metamethods, methods);
  jg_add_methods(L, JG_DB, jg_db_stats_methods);
  jg_add_methods(L, JG_DB, jg_backup_methods);
  jg_add_methods(L, JG_DB, jg_journal_methods);
}
