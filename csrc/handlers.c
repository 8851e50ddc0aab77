/* SPDX-License-Identifier: MIT
**
** handlers.c - what a transaction has to do when it ends: on_commit, on_rollback.
**
** They are a user value of the Tx: a list {kind, fn, kind, fn, ...}, or the only one, of kind
** tx->handler (most have one, and need no table for it).
*/
#include "jangada.h"

enum { HANDLERS = JG_TX_HANDLERS };

lua_Integer jg_tx_handler_count(lua_State *L, int idx) {
  int kind = lua_getiuservalue(L, idx, HANDLERS);
  lua_Integer n = kind == LUA_TTABLE ? (lua_Integer)lua_rawlen(L, -1) : kind == LUA_TNIL ? 0 : 2;
  lua_pop(L, 1);
  return n;
}

/* May something have to be done when it is committed? */
bool jg_tx_awaits_commit(lua_State *L, int idx) {
  const jg_tx *tx = lua_touserdata(L, idx);
  int kind = lua_getiuservalue(L, idx, HANDLERS);
  lua_pop(L, 1);
  return kind == LUA_TTABLE || (kind == LUA_TFUNCTION && tx->handler == JG_ON_COMMIT);
}

/* Pops an error object; none of its metamethods is run, they might raise. */
static void warn_of_error(lua_State *L) {
  if (lua_istable(L, -1)) {
    lua_pushliteral(L, "message");
    lua_rawget(L, -2);
    lua_remove(L, -2);
  }
  lua_warning(L, "jangada: a handler of a transaction failed: ", 1);
  lua_warning(L, lua_isstring(L, -1) ? lua_tostring(L, -1) : luaL_typename(L, -1), 0);
  lua_pop(L, 1);
}

/* The same for a transaction with one handler, which is on top of the stack. */
static void run_only_handler(lua_State *L, int idx, jg_outcome outcome, bool failing) {
  jg_tx *tx = lua_touserdata(L, idx);
  lua_pushnil(L);
  lua_setiuservalue(L, idx, HANDLERS);
  if (tx->handler != outcome) {
    lua_pop(L, 1);
  } else if (lua_pcall(L, 0, 0, 0) != LUA_OK) {
    if (!failing) lua_error(L);
    warn_of_error(L);
  }
}

/* Runs the handlers of one outcome that were registered after the first `from` slots, in order,
** and forgets all after them. A handler that raises does not keep the others from running; the
** first error is raised when all have run. When an error is on its way already (`failing`), that
** one goes on, and those of the handlers become warnings. */
void jg_tx_handlers(lua_State *L, int idx, jg_outcome outcome, lua_Integer from, bool failing) {
  luaL_checkstack(L, 8, "handlers");
  lua_getiuservalue(L, idx, HANDLERS);
  if (lua_isfunction(L, -1) && from == 0) {
    run_only_handler(L, idx, outcome, failing);
    return;
  }
  if (!lua_istable(L, -1)) {
    lua_pop(L, 1);
    return;
  }
  int table = lua_gettop(L);
  lua_Integer n = (lua_Integer)lua_rawlen(L, table);
  lua_createtable(L, (int)(n - from), 0); /* a handler may register others: walk a copy */
  int copy = lua_gettop(L);
  for (lua_Integer i = n; i > from; i--) {
    lua_rawgeti(L, table, i);
    lua_rawseti(L, copy, i - from);
    lua_pushnil(L);
    lua_rawseti(L, table, i);
  }
  bool failed = false;
  for (lua_Integer i = 1; i <= n - from; i += 2) {
    lua_rawgeti(L, copy, i);
    bool wanted = lua_tointeger(L, -1) == (lua_Integer)outcome;
    lua_pop(L, 1);
    if (!wanted) continue;
    lua_rawgeti(L, copy, i + 1);
    if (lua_pcall(L, 0, 0, 0) == LUA_OK) continue;
    if (!failing && !failed) {
      failed = true; /* its error object stays on the stack */
      continue;
    }
    warn_of_error(L);
  }
  if (failed) lua_error(L);
  lua_settop(L, table - 1);
}

static int add_handler(lua_State *L, jg_outcome outcome, const char *what) {
  jg_tx *tx = jg_self_tx(L);
  luaL_checktype(L, 2, LUA_TFUNCTION);
  jg_check_writable(L, tx, what);
  int kind = lua_getiuservalue(L, 1, HANDLERS);
  if (kind == LUA_TNIL) {
    tx->handler = outcome;
    lua_pushvalue(L, 2);
    lua_setiuservalue(L, 1, HANDLERS);
    return 0;
  }
  if (kind == LUA_TFUNCTION) {
    lua_createtable(L, 4, 0);
    lua_pushinteger(L, (lua_Integer)tx->handler);
    lua_rawseti(L, -2, 1);
    lua_insert(L, -2);
    lua_rawseti(L, -2, 2);
    lua_pushvalue(L, -1);
    lua_setiuservalue(L, 1, HANDLERS);
  }
  lua_Integer n = (lua_Integer)lua_rawlen(L, -1);
  lua_pushinteger(L, (lua_Integer)outcome);
  lua_rawseti(L, -2, n + 1);
  lua_pushvalue(L, 2);
  lua_rawseti(L, -2, n + 2);
  return 0;
}

int jg_tx_on_commit(lua_State *L) {
  return add_handler(L, JG_ON_COMMIT, "on_commit");
}

int jg_tx_on_rollback(lua_State *L) {
  return add_handler(L, JG_ON_ROLLBACK, "on_rollback");
}
