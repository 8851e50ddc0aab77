/* SPDX-License-Identifier: MIT
**
** ticket.c - the class Ticket: a commit that was not waited for; and what else DB can do with a
** journal: flush, checkpoint, durable_fd.
**
** Commits become durable in their order. Their on_commit handlers run when that is seen, by any
** of the calls here or by a commit that waits: until then their transactions stand in a queue.
**
** User values of a Ticket: 1 its DB.
*/
#include "journal.h"

#include <string.h>
#include <sys/eventfd.h>
#include <unistd.h>

enum { QUEUE = 3 }; /* a user value of DB: transactions by number */

typedef struct ticket {
  jg_db *db;
  uint64_t lsn;
} ticket;

int jg_raise_journal(lua_State *L, const jg_db *db, int rc, const char *what) {
  int failed = db->journal != NULL ? atomic_load(&db->journal->failed) : 0;
  if (failed == 0) return jg_raise_rc(L, rc, what);
  db->journal->is_told = true;
  return jg_raise(
      L, "poisoned",
      "%s: a flush failed (%s): what the disk holds is unknown until the file is opened "
      "again",
      what, mdb_strerror(failed));
}

/* ---- handlers that wait -------------------------------------------------------------------- */

static uint64_t durable_lsn(const jg_db *db) {
  return db->journal != NULL ? atomic_load(&db->journal->flushed_lsn) : db->durable_lsn;
}

/* Before its commit, which cannot be undone for want of memory. */
void jg_queue_handlers(lua_State *L, int tx_idx, int db_idx) {
  jg_tx *tx = lua_touserdata(L, tx_idx);
  if (!jg_tx_awaits_commit(L, tx_idx)) return;
  if (lua_getiuservalue(L, db_idx, QUEUE) != LUA_TTABLE) {
    lua_pop(L, 1);
    lua_newtable(L);
    lua_pushvalue(L, -1);
    lua_setiuservalue(L, db_idx, QUEUE);
  }
  lua_pushvalue(L, tx_idx);
  lua_rawseti(L, -2, tx->db->queue_last + 1);
  tx->db->queue_last++;
  lua_pop(L, 1);
}

static int fire(lua_State *L) {
  jg_tx_handlers(L, 1, JG_ON_COMMIT, 0, false);
  return 0;
}

/* Runs those of commits that are durable by now. One that raises does not keep the others from
** running: true, and the first error is on top of the stack. */
bool jg_fire_durable(lua_State *L, jg_db *db, int db_idx) {
  bool failed = false;
  while (db->queue_first <= db->queue_last) {
    luaL_checkstack(L, 8, "handlers");
    lua_getiuservalue(L, db_idx, QUEUE);
    lua_rawgeti(L, -1, db->queue_first);
    const jg_tx *tx = lua_touserdata(L, -1);
    if (tx->committed && tx->lsn > durable_lsn(db)) {
      lua_pop(L, 2);
      return failed;
    }
    lua_pushnil(L);
    lua_rawseti(L, -3, db->queue_first++);
    lua_remove(L, -2); /* stack: tx */
    if (!tx->committed) { /* its commit was refused */
      lua_pop(L, 1);
      continue;
    }
    if (failed) {
      jg_tx_handlers(L, lua_gettop(L), JG_ON_COMMIT, 0, true);
      lua_pop(L, 1);
      continue;
    }
    lua_pushcfunction(L, fire);
    lua_insert(L, -2);
    failed = lua_pcall(L, 1, 0, 0) != LUA_OK;
  }
  return failed;
}

/* Somebody looks: what watches may sleep again. This comes before the look, so that it is woken by
** whatever becomes durable after it. */
static void drain(const jg_db *db) {
  uint64_t count;
  if (db->journal != NULL && db->journal->event_fd >= 0 &&
      read(db->journal->event_fd, &count, sizeof count) < 0)
    return; /* nothing new */
}

static void fire_durable(lua_State *L, jg_db *db, int db_idx) {
  if (jg_fire_durable(L, db, db_idx)) lua_error(L);
}

/* ---- tickets ------------------------------------------------------------------------------- */

int jg_tx_commit_ticket(lua_State *L) {
  jg_tx *tx = lua_touserdata(L, 1);
  jg_db *db = tx->db;
  lua_settop(L, 1);
  lua_getiuservalue(L, 1, JG_TX_OWNER);
  ticket *t = lua_newuserdatauv(L, sizeof *t, 1);
  *t = (ticket){.db = db};
  jg_set_class(L, JG_TICKET);
  lua_pushvalue(L, 2);
  lua_setiuservalue(L, -2, 1);
  if (db->journal != NULL) jg_queue_handlers(L, 1, 2);
  jg_check_usable(L, tx); /* the allocations may have run finalizers */
  jg_tx_commit(L, 1, false);
  t->lsn = tx->lsn;
  return 1;
}

/* Pushes its DB. */
static ticket *check_ticket(lua_State *L) {
  ticket *t = jg_self(L, JG_TICKET);
  lua_settop(L, 2);
  lua_getiuservalue(L, 1, 1);
  if (t->db->h.open || jg_is_forked(t->db)) jg_check_serving(L, t->db);
  return t;
}

/* ticket:is_durable() */
static int ticket_is_durable(lua_State *L) {
  ticket *t = check_ticket(L);
  drain(t->db);
  bool is_durable = t->lsn <= durable_lsn(t->db);
  fire_durable(L, t->db, 3);
  lua_pushboolean(L, is_durable);
  return 1;
}

/* ticket:wait([timeout_ms]): true once it is durable, false when the time is over. */
static int ticket_wait(lua_State *L) {
  ticket *t = check_ticket(L);
  lua_Integer timeout_ms = luaL_optinteger(L, 2, -1);
  luaL_argcheck(L, lua_isnoneornil(L, 2) || (timeout_ms >= 0 && timeout_ms <= 86400000), 2,
                "milliseconds, up to a day");
  if (t->lsn > durable_lsn(t->db)) {
    if (!t->db->h.open)
      jg_raise(L, "db_closed", "wait: the DB was dropped before the commit was durable");
    jg_journal_wait(t->db->journal, t->lsn, timeout_ms);
  }
  drain(t->db);
  bool is_durable = t->lsn <= durable_lsn(t->db);
  if (!is_durable) jg_check_serving(L, t->db);
  fire_durable(L, t->db, 3);
  lua_pushboolean(L, is_durable);
  return 1;
}

static int ticket_id(lua_State *L) {
  ticket *t = jg_self(L, JG_TICKET);
  lua_pushinteger(L, (lua_Integer)t->lsn);
  return 1;
}

static int ticket_tostring(lua_State *L) {
  ticket *t = jg_self(L, JG_TICKET);
  lua_pushfstring(L, "jangada.Ticket: commit %I (%s)", (LUAI_UACINT)t->lsn,
                  t->lsn <= durable_lsn(t->db) ? "durable" : "not durable yet");
  return 1;
}

/* ---- DB ------------------------------------------------------------------------------------ */

/* db:sync(), db:flush(): all that is committed is durable on return. */
static int db_flush(lua_State *L) {
  jg_db *db = jg_self_db(L);
  if (db->read_only) jg_raise(L, "db_read_only", "flush: %s: opened read_only", db->path);
  int rc = db->journal != NULL ? jg_journal_flush(db->journal) : mdb_env_sync(db->env, 1);
  if (rc != 0) jg_raise_journal(L, db, rc, "flush");
  drain(db);
  fire_durable(L, db, 1);
  return 0;
}

void jg_db_checkpoint(lua_State *L, jg_db *db, const char *what, bool clean) {
  if (db->journal == NULL) return;
  if (db->journal->views > 0) jg_raise(L, "read_tx_active", "%s: a view is open", what);
  if (db->writer != NULL) jg_raise(L, "write_tx_active", "%s: a write transaction is open", what);
  int rc = jg_checkpoint(db, clean);
  if (rc != 0) jg_raise_journal(L, db, rc, what);
}

/* db:checkpoint(): all that is committed is in the file itself, and flushed. */
static int db_checkpoint(lua_State *L) {
  jg_db *db = jg_self_db(L);
  if (db->journal == NULL) return db_flush(L);
  jg_db_checkpoint(L, db, "checkpoint", db->journal->marker_clean);
  drain(db);
  fire_durable(L, db, 1);
  return 0;
}

/* db:durable_fd(): readable when commits became durable since a ticket was last looked at. */
static int db_durable_fd(lua_State *L) {
  jg_db *db = jg_self_db(L);
  jg_journal *j = db->journal;
  if (j == NULL)
    jg_raise(L, "incompatible", "durable_fd: %s: durability is not 'journal'", db->path);
  pthread_mutex_lock(&j->mutex);
  if (j->event_fd < 0) j->event_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
  int fd = j->event_fd;
  pthread_mutex_unlock(&j->mutex);
  if (fd < 0) jg_raise(L, "io_error", "durable_fd: no descriptor to be had");
  lua_pushinteger(L, fd);
  return 1;
}

const luaL_Reg jg_journal_methods[] = {{"sync", db_flush},
                                       {"flush", db_flush},
                                       {"checkpoint", db_checkpoint},
                                       {"durable_fd", db_durable_fd},
                                       {NULL, NULL}};

/* ---- what info and stats say --------------------------------------------------------------- */

/* A finalizer may close the DB, and so end the journal, whenever something is pushed: it is read
** before. */
void jg_push_journal_info(lua_State *L, const jg_db *db) {
  const jg_journal *j = db->journal;
  if (j == NULL) return;
  const struct {
    const char *name;
    uint64_t value;
  } numbers[] = {{"size", j->size},
                 {"used", j->offset},
                 {"epoch", j->epoch},
                 {"lsn", j->lsn},
                 {"flushed_lsn", atomic_load(&j->flushed_lsn)},
                 {"checkpoint_lsn", j->checkpoint_lsn},
                 {"behind", j->lsn - j->checkpoint_lsn},
                 {"replayed", db->replayed}};
  lua_pushstring(L, j->disk->path);
  lua_createtable(L, 0, 12);
  lua_insert(L, -2);
  lua_setfield(L, -2, "path");
  for (size_t i = 0; i < sizeof numbers / sizeof *numbers; i++)
    jg_set_integer(L, numbers[i].name, numbers[i].value);
  lua_setfield(L, -2, "journal");
}

/* {count=, total_us=, max_us=, below={[1]=n, [2]=n, [4]=n, ...}} */
static void push_times(lua_State *L, const jg_times *times) {
  lua_createtable(L, 0, 4);
  jg_set_integer(L, "count", times->count);
  jg_set_integer(L, "total_us", times->total_us);
  jg_set_integer(L, "max_us", times->max_us);
  lua_newtable(L);
  for (int i = 0; i < JG_TIMES; i++) {
    if (times->below[i] == 0) continue;
    lua_pushinteger(L, (lua_Integer)times->below[i]);
    lua_rawseti(L, -2, (lua_Integer)1 << i);
  }
  lua_setfield(L, -2, "below");
}

void jg_push_journal_stats(lua_State *L, const jg_db *db) {
  jg_journal *j = db->journal;
  if (j == NULL) return;
  pthread_mutex_lock(&j->mutex);
  jg_times flushes = j->flush_times;
  pthread_mutex_unlock(&j->mutex);
  jg_times checkpoints = j->checkpoint_times;
  uint64_t failures = j->checkpoint_failures;
  push_times(L, &flushes);
  lua_setfield(L, -2, "flushes");
  push_times(L, &checkpoints);
  lua_setfield(L, -2, "checkpoints");
  jg_set_integer(L, "checkpoint_failures", failures);
}

void jg_open_ticket(lua_State *L) {
  static const luaL_Reg methods[] = {
      {"is_durable", ticket_is_durable}, {"wait", ticket_wait}, {"id", ticket_id}, {NULL, NULL}};
  static const luaL_Reg metamethods[] = {{"__tostring", ticket_tostring}, {NULL, NULL}};
  jg_class(L, JG_TICKET, metamethods, methods);
}
