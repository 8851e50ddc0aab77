/* SPDX-License-Identifier: MIT
**
** store.c - the module jangada.store: its functions and its classes.
*/
#include "bucket.h"
#include "journal.h"
#include "pages.h"

#include <string.h>

#define STORE_VERSION "0.1.0"

const char jg_class_db[] = "jangada.DB", jg_class_tx[] = "jangada.Tx",
           jg_class_bucket[] = "jangada.Bucket", jg_class_cursor[] = "jangada.Cursor",
           jg_class_ticket[] = "jangada.Ticket", jg_class_disk[] = "jangada.MemoryDisk";

static const char root_key; /* its address is a key of the registry */

/* What a script gets for the metatable on top of the stack: a copy. Could it change the finalizer,
** a handle's memory would go while the handle is still in the list of its parent. */
static void hide_metatable(lua_State *L) {
  lua_newtable(L);
  for (lua_pushnil(L); lua_next(L, -3);) { /* stack: metatable copy key value */
    lua_pushvalue(L, -2);
    lua_insert(L, -2);
    lua_rawset(L, -4);
  }
  lua_setfield(L, -2, "__metatable");
}

/* Fills the metatable of a class once; the module may be loaded again into the same state. A second
** copy of the module has classes of its own, under the addresses of its own names. Each method has
** the metatable as its up value, for jg_self. */
void jg_class(lua_State *L, const char *name, const luaL_Reg *metamethods,
              const luaL_Reg *methods) {
  if (lua_rawgetp(L, LUA_REGISTRYINDEX, name) == LUA_TNIL) {
    lua_newtable(L);
    jg_set_string(L, "__name", name);
    lua_pushvalue(L, -1);
    luaL_setfuncs(L, metamethods, 1);
    lua_newtable(L);
    lua_setfield(L, -2, "__index");
    hide_metatable(L);
    lua_rawsetp(L, LUA_REGISTRYINDEX, name);
  }
  lua_pop(L, 1);
  jg_add_methods(L, name, methods);
}

void jg_add_methods(lua_State *L, const char *name, const luaL_Reg *methods) {
  lua_rawgetp(L, LUA_REGISTRYINDEX, name);
  lua_getfield(L, -1, "__index");
  lua_pushvalue(L, -2); /* stack: metatable index metatable */
  luaL_setfuncs(L, methods, 1);
  lua_pop(L, 2);
}

/* In a method: the handle it was called on. Comparing its metatable with the method's own takes
** half as long as finding the class in the registry. */
void *jg_self(lua_State *L, const char *name) {
  void *handle = lua_touserdata(L, 1);
  bool is_own = false;
  if (handle != NULL && lua_getmetatable(L, 1)) {
    is_own = lua_topointer(L, -1) == lua_topointer(L, lua_upvalueindex(1));
    lua_pop(L, 1);
  }
  if (!is_own) luaL_typeerror(L, 1, name);
  return handle;
}

void *jg_test_handle(lua_State *L, int idx, const char *name) {
  void *handle = lua_touserdata(L, idx);
  if (handle == NULL || !lua_getmetatable(L, idx)) return NULL;
  lua_rawgetp(L, LUA_REGISTRYINDEX, name);
  bool is_of_class = lua_topointer(L, -1) == lua_topointer(L, -2);
  lua_pop(L, 2);
  return is_of_class ? handle : NULL;
}

void *jg_check_handle(lua_State *L, int idx, const char *name) {
  void *handle = jg_test_handle(L, idx, name);
  if (handle == NULL) luaL_typeerror(L, idx, name);
  return handle;
}

void jg_set_class(lua_State *L, const char *name) {
  lua_rawgetp(L, LUA_REGISTRYINDEX, name);
  lua_setmetatable(L, -2);
}

void jg_set_integer(lua_State *L, const char *field, uint64_t n) {
  lua_pushinteger(L, (lua_Integer)n);
  lua_setfield(L, -2, field);
}

void jg_set_string(lua_State *L, const char *field, const char *s) {
  lua_pushstring(L, s);
  lua_setfield(L, -2, field);
}

/* Makes the table on top of the stack hold its values weakly. */
void jg_set_weak(lua_State *L) {
  if (luaL_newmetatable(L, "jangada.weak")) {
    lua_pushliteral(L, "v");
    lua_setfield(L, -2, "__mode");
  }
  lua_setmetatable(L, -2);
}

/* ---- the end of a Lua state ---------------------------------------------------------------- */

static void release_root(jg_handle *root) {
  (void)root;
}

static int close_root(lua_State *L) {
  jg_close(lua_touserdata(L, 1));
  return 0;
}

/* All DBs of a Lua state hang on its root. While a state is being closed Lua marks nothing for
** finalization any more: a DB that a finalizer opens then would go without being closed. The root
** is older than any DB, and so finalized after them; when it is closed, none is opened. */
static void open_root(lua_State *L) {
  if (lua_gc(L, LUA_GCCOUNT) < 0) /* since 5.4.4 in finalizers: this may be the end already */
    luaL_error(L, "jangada.store cannot be loaded by a finalizer");
  if (lua_rawgetp(L, LUA_REGISTRYINDEX, &root_key) == LUA_TNIL) {
    jg_handle *root = lua_newuserdatauv(L, sizeof *root, 0);
    memset(root, 0, sizeof *root);
    jg_link(root, NULL, release_root);
    lua_createtable(L, 0, 1);
    lua_pushcfunction(L, close_root);
    lua_setfield(L, -2, "__gc");
    lua_setmetatable(L, -2);
    lua_rawsetp(L, LUA_REGISTRYINDEX, &root_key);
  }
  lua_pop(L, 1);
}

jg_handle *jg_root(lua_State *L) {
  lua_rawgetp(L, LUA_REGISTRYINDEX, &root_key);
  jg_handle *root = lua_touserdata(L, -1);
  lua_pop(L, 1);
  return root;
}

/* ---- the module ---------------------------------------------------------------------------- */

static int store_crc32c(lua_State *L) {
  size_t size;
  luaL_checktype(L, 1, LUA_TSTRING);
  const char *s = lua_tolstring(L, 1, &size);
  lua_Integer seed = luaL_optinteger(L, 2, 0);
  luaL_argcheck(L, seed >= 0 && seed <= UINT32_MAX, 2, "a CRC has 32 bits");
  lua_pushinteger(L, (lua_Integer)jg_crc32c((uint32_t)seed, s, size));
  return 1;
}

static const luaL_Reg functions[] = {{"open", jg_store_open},
                                     {"crc32c", store_crc32c},
                                     {"memory_disk", jg_memory_disk},
                                     {"pack_records", jg_pack_records},
                                     {"unpack_record", jg_unpack_record},
                                     {NULL, NULL}};

int luaopen_jangada_store(lua_State *L);

__attribute__((visibility("default"))) int luaopen_jangada_store(lua_State *L) {
  jg_crc32c_open();
  jg_open_errors(L);
  open_root(L);
  jg_open_db(L);
  jg_open_tx(L);
  jg_open_bucket(L);
  jg_open_cursor(L);
  jg_open_ticket(L);
  jg_open_memory_disk(L);
  jg_open_check(L);
  luaL_newlib(L, functions);
  luaL_setfuncs(L, jg_check_functions, 0);
  jg_push_plain(L);
  lua_setfield(L, -2, "plain");
  jg_push_queue(L);
  lua_setfield(L, -2, "queue");
  jg_push_streams(L);
  lua_setfield(L, -2, "streams");
  jg_push_finding_codes(L);
  lua_setfield(L, -2, "finding_codes");
  lua_pushliteral(L, STORE_VERSION);
  lua_setfield(L, -2, "version");
  int major, minor, patch;
  mdb_version(&major, &minor, &patch);
  lua_pushfstring(L, "%d.%d.%d", major, minor, patch);
  lua_setfield(L, -2, "lmdb_version");
  return 1;
}
