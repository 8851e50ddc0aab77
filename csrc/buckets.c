/* SPDX-License-Identifier: MIT
**
** buckets.c - for name, bucket in parent:buckets()
*/
#include "bucket.h"

/* The iterator of buckets(): up values: parent, name of the last bucket or nil. Each step seeks
** the next name, so whatever is done between two steps is fine. */
static int next_bucket(lua_State *L) {
  jg_tx *tx;
  jg_bucket *up = NULL;
  if ((tx = jg_test_handle(L, lua_upvalueindex(1), JG_TX)) != NULL) {
    jg_check_usable(L, tx);
  } else {
    up = jg_check_bucket(L, lua_upvalueindex(1));
    tx = up->tx;
  }
  lua_settop(L, 0);
  lua_pushvalue(L, lua_upvalueindex(1));
  jg_key next;
  size_t after_size = 0;
  const char *after = lua_tolstring(L, lua_upvalueindex(2), &after_size);
  if (after == NULL) after = "";
  int rc = jg_next_name(tx, up, after, after_size, &next);
  if (rc == MDB_NOTFOUND) return 0;
  if (rc != 0) jg_raise_rc(L, rc, "buckets");
  lua_pushlstring(L, next.val.mv_data, next.val.mv_size); /* bytes of ours, not of the map */
  lua_pushvalue(L, -1);
  lua_replace(L, lua_upvalueindex(2));
  lua_settop(L, 2); /* stack: parent name */
  jg_check_parent(L, tx, up);
  jg_found found;
  size_t size;
  const char *name = lua_tolstring(L, 2, &size);
  rc = jg_find(tx, up, name, size, &found);
  if (rc != 0) jg_raise_rc(L, rc, "buckets");
  if (found.kind == JG_IS_FOREIGN)
    lua_pushnil(L);
  else
    jg_bucket_lookup(L, 1, tx, up);
  lua_pushvalue(L, 2);
  lua_insert(L, -2);
  return 2;
}

int jg_buckets(lua_State *L, int parent_idx, jg_tx *tx, jg_bucket *up) {
  jg_check_parent(L, tx, up);
  lua_pushvalue(L, parent_idx);
  lua_pushnil(L);
  lua_pushcclosure(L, next_bucket, 2);
  return 1;
}
