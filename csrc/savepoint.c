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
static int finish(lua_State *L, jg_tx *tx, MDB_txn *parent, bool keep, lua_Integer handlers) {
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
    tx->structure++;
    jg_tx_handlers(L, 1, JG_ON_ROLLBACK, handlers);
  }
  return rc;
}

/* tx:savepoint(fn, ...) runs fn(tx, ...) and returns what it returns. */
int jg_tx_savepoint(lua_State *L) {
  jg_tx *tx = jg_check_tx(L, 1);
  luaL_checktype(L, 2, LUA_TFUNCTION);
  jg_check_writable(L, tx, "savepoint");
  lua_Integer handlers = jg_tx_handler_count(L, 1);
  lua_pushvalue(L, 1);
  lua_insert(L, 3); /* stack: tx fn tx ... */
  jg_tx_drop_cursors(tx);
  MDB_txn *parent = tx->txn, *child;
  int rc = mdb_txn_begin(tx->db->env, parent, 0, &child);
  if (rc != 0) jg_raise_rc(L, rc, "savepoint");
  tx->txn = child;
  unsigned level = ++tx->level;
  bool ok = lua_pcall(L, lua_gettop(L) - 2, LUA_MULTRET, 0) == LUA_OK; /* no yield across it */
  if (tx->h.open && tx->level == level) {
    rc = finish(L, tx, parent, ok, handlers);
    if (rc != 0) jg_raise_rc(L, rc, "savepoint");
  } else if (ok) {
    jg_raise(L, "tx_closed", "savepoint: the transaction was ended within it");
  }
  if (!ok) lua_error(L);
  return lua_gettop(L) - 1;
}
