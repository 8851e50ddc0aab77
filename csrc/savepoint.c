/* SPDX-License-Identifier: MIT
**
** savepoint.c - a part of a transaction that can fail alone: a child transaction of LMDB.
**
** While a child is open LMDB wants its parent untouched, and a cursor of the parent that is used
** meanwhile answers without an error and wrongly. So all LMDB cursors are closed when a
** savepoint begins and when it ends; the Cursors find their place again by key (cursor.c).
*/
#include "jangada.h"

/* Ends the innermost savepoint; what failed in it is undone, and its handlers are told. */
static int finish(lua_State *L, jg_tx *tx, MDB_txn *parent, bool keep, lua_Integer handlers,
                  size_t mark) {
  MDB_txn *child = tx->txn;
  unsigned level = tx->level;
  jg_tx_drop_cursors(tx);
  tx->txn = parent;
  tx->level--;
  int rc = 0;
  if (keep)
    rc = mdb_txn_commit(child);
  else
    mdb_txn_abort(child);
  keep = keep && rc == 0;
  jg_trees_end(tx, level, keep);
  if (!keep) {
    jg_ops_cut(tx, mark);
    tx->structure++;
    jg_tx_handlers(L, 1, JG_ON_ROLLBACK, handlers, true);
  }
  return rc;
}

/* Runs the function and its arguments on top of the stack, under a pcall that no yield crosses,
** in a savepoint of the transaction at index 1. Leaves what it returned, or its error object;
** raises only where the savepoint itself fails. */
static bool run(lua_State *L, jg_tx *tx, int args, int results) {
  lua_Integer handlers = jg_tx_handler_count(L, 1);
  size_t mark = jg_ops_mark(tx);
  jg_tx_drop_cursors(tx);
  MDB_txn *parent = tx->txn, *child;
  int rc = mdb_txn_begin(tx->db->env, parent, 0, &child);
  if (rc != 0) jg_raise_rc(L, rc, "savepoint");
  tx->txn = child;
  tx->counts.savepoints++;
  unsigned level = ++tx->level;
  bool ok = lua_pcall(L, args, results, 0) == LUA_OK;
  if (jg_is_forked(tx->db)) { /* the child came back out of its parent's transaction */
    jg_close(&tx->h);
    if (ok) jg_check_process(L, tx->db);
    return false;
  }
  if (tx->h.open && tx->level == level) {
    rc = finish(L, tx, parent, ok, handlers, mark);
    if (rc != 0) jg_raise_rc(L, rc, "savepoint");
  } else if (ok) {
    jg_raise(L, "tx_closed", "savepoint: the transaction was ended within it");
  }
  return ok;
}

/* tx:savepoint(fn, ...) runs fn(tx, ...) and returns what it returns. */
int jg_tx_savepoint(lua_State *L) {
  jg_tx *tx = jg_self_tx(L);
  luaL_checktype(L, 2, LUA_TFUNCTION);
  jg_check_writable(L, tx, "savepoint");
  luaL_checkstack(L, 8, "too many arguments");
  lua_pushvalue(L, 1);
  lua_insert(L, 3); /* stack: tx fn tx ... */
  if (!run(L, tx, lua_gettop(L) - 2, LUA_MULTRET)) lua_error(L);
  return lua_gettop(L) - 1;
}

/* The body of db:batch: each function of the list at index 2 in a savepoint of its own. Returns
** the results, and the errors by position or nil. */
int jg_tx_batch(lua_State *L) {
  jg_tx *tx = lua_touserdata(L, 1);
  jg_check_usable(L, tx);
  lua_Integer n = (lua_Integer)lua_rawlen(L, 2);
  bool failed = false;
  lua_createtable(L, (int)n, 0);
  lua_newtable(L); /* stack: tx functions results errors */
  for (lua_Integer i = 1; i <= n; i++) {
    lua_rawgeti(L, 2, i);
    lua_pushvalue(L, 1);
    jg_check_usable(L, tx); /* what was allocated may have run finalizers */
    bool ok = run(L, tx, 1, 1);
    jg_check_usable(L, tx); /* it may have closed the DB, and then failed */
    failed = failed || !ok;
    if (!ok && lua_isnil(L, -1)) { /* error(nil) is an error, too, and must leave a mark */
      lua_pop(L, 1);
      lua_pushboolean(L, false);
    }
    lua_rawseti(L, ok ? 3 : 4, i);
    if (ok) continue;
    lua_pushboolean(L, false); /* so that the results have no holes */
    lua_rawseti(L, 3, i);
  }
  if (!failed) lua_settop(L, 3);
  return failed ? 2 : 1;
}
