/* SPDX-License-Identifier: MIT
**
** error.c - error objects: {code=, message=, where=} with the metatable of jangada.errors.
*/
#include "jangada.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

/* The first failure stands: what follows from it is not the cause. */
bool jg_fail(jg_failure *f, const char *code, const char *format, ...) {
  va_list args;
  if (f->code != NULL) return false;
  va_start(args, format);
  f->code = code;
  vsnprintf(f->message, sizeof f->message, format, args);
  va_end(args);
  return false;
}

bool jg_fail_rc(jg_failure *f, int rc, const char *what) {
  return jg_fail(f, jg_code_of(rc), "%s: %s", what, mdb_strerror(rc));
}

/* The code for what LMDB or the system returned. */
const char *jg_code_of(int rc) {
  switch (rc) {
  case MDB_MAP_RESIZED: return "map_resized";
  case MDB_MAP_FULL: return "map_full";
  case MDB_READERS_FULL: return "readers_full";
  case MDB_DBS_FULL: return "trees_full";
  case MDB_BAD_TXN: return "tx_failed";
  case MDB_PANIC: return "poisoned";
  case MDB_INCOMPATIBLE: return "incompatible";
  case MDB_VERSION_MISMATCH: return "version_mismatch";
  case MDB_TXN_FULL: return "tx_full";
  case EBUSY: return "in_use";
  case EISDIR:
  case MDB_INVALID: return "invalid_file";
  case MDB_CORRUPTED:
  case MDB_PAGE_NOTFOUND:
  case MDB_CURSOR_FULL: return "corrupted";
  case ENOSPC:
  case EDQUOT:
  case EFBIG: return "no_space";
  case ENOMEM: return "no_memory";
  case ENOENT:
  case ENAMETOOLONG:
  case ENOTDIR: return "not_found";
  case EACCES:
  case EPERM:
  case EROFS: return "permission_denied";
  default: return "io_error";
  }
}

/* Expects the message on top of the stack, and raises. */
static int raise(lua_State *L, const char *code) {
  lua_createtable(L, 0, 3);
  lua_insert(L, -2);
  lua_setfield(L, -2, "message");
  lua_pushstring(L, code);
  lua_setfield(L, -2, "code");
  luaL_where(L, 1); /* the Lua function that called us */
  lua_setfield(L, -2, "where");
  luaL_setmetatable(L, JG_ERROR);
  return lua_error(L);
}

int jg_raise(lua_State *L, const char *code, const char *fmt, ...) {
  va_list args;
  va_start(args, fmt);
  lua_pushvfstring(L, fmt, args);
  va_end(args);
  return raise(L, code);
}

int jg_raise_rc(lua_State *L, int rc, const char *what) {
  return jg_raise(L, jg_code_of(rc), "%s: %s", what, mdb_strerror(rc));
}

int jg_raise_failure(lua_State *L, const jg_failure *f) {
  return jg_raise(L, f->code, "%s", f->message);
}

/* Error objects made here and in Lua are of one kind: jangada.errors owns the metatable. */
void jg_open_errors(lua_State *L) {
  lua_getglobal(L, "require");
  lua_pushliteral(L, "jangada.errors");
  lua_call(L, 1, 1);
  lua_getfield(L, -1, "Error");
  lua_setfield(L, LUA_REGISTRYINDEX, JG_ERROR);
  lua_pop(L, 1);
}
