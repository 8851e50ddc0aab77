/* SPDX-License-Identifier: MIT
**
** append.c - bucket:append: many items past the last one of a bucket, in one call.
**
** The values are a table, or one string with each of them behind its size: what store.pack_records
** makes, for which no value becomes a Lua string of its own. All is checked before the first is
** written, and a refused call leaves the bucket as it was.
*/
#include "bucket.h"
#include "journal.h"

enum { KEYS = 2, VALUES, SIZE_SIZE = 4 };

typedef struct values {
  const unsigned char *next; /* in the string; NULL: they are a table */
} values;

/* ---- values -------------------------------------------------------------------------------- */

static void check_type(lua_State *L, lua_Integer i) {
  if (lua_type(L, -1) == LUA_TSTRING) return;
  luaL_argerror(
      L, VALUES,
      lua_pushfstring(L, "value %I is a %s, not a string", (LUAI_UACINT)i, luaL_typename(L, -1)));
}

static void check_size(lua_State *L, size_t size) {
  if (size > JG_VALUE_SIZE_MAX)
    jg_raise(L, "value_too_large", "append: value of %I bytes is over the limit of %I",
             (LUAI_UACINT)size, (LUAI_UACINT)JG_VALUE_SIZE_MAX);
}

static lua_Integer check_packed(lua_State *L) {
  size_t size, left;
  lua_Integer count = 0;
  const unsigned char *p = (const unsigned char *)lua_tolstring(L, VALUES, &left);
  for (; left > 0; p += size, left -= size) {
    count++;
    size = left >= SIZE_SIZE ? jg_get_u32(p) : left;
    if (left < SIZE_SIZE || size > left - SIZE_SIZE)
      luaL_argerror(L, VALUES, lua_pushfstring(L, "value %I is cut short", (LUAI_UACINT)count));
    check_size(L, size);
    size += SIZE_SIZE;
  }
  return count;
}

static lua_Integer check_table(lua_State *L) {
  luaL_checktype(L, VALUES, LUA_TTABLE);
  lua_Integer count = (lua_Integer)lua_rawlen(L, VALUES);
  for (lua_Integer i = 1; i <= count; i++) {
    lua_rawgeti(L, VALUES, i);
    check_type(L, i);
    check_size(L, lua_rawlen(L, -1));
    lua_pop(L, 1);
  }
  return count;
}

static values first_value(lua_State *L) {
  bool is_packed = lua_type(L, VALUES) == LUA_TSTRING;
  return (values){is_packed ? (const unsigned char *)lua_tostring(L, VALUES) : NULL};
}

/* The i-th value, after the one before it. It has been checked: nothing here can raise. */
static MDB_val next_value(lua_State *L, values *v, lua_Integer i) {
  MDB_val value;
  if (v->next != NULL) {
    value = (MDB_val){jg_get_u32(v->next), (void *)(v->next + SIZE_SIZE)};
    v->next += SIZE_SIZE + value.mv_size;
    return value;
  }
  lua_rawgeti(L, VALUES, i);
  value.mv_data = (void *)lua_tolstring(L, -1, &value.mv_size);
  lua_pop(L, 1); /* the table keeps it */
  return value;
}

/* ---- keys ---------------------------------------------------------------------------------- */

/* The key of the i-th item, i from 1: from the list of them, or counted from a first one. */
static void append_key(lua_State *L, const jg_bucket *b, lua_Integer i, jg_key *key) {
  if (lua_istable(L, KEYS)) {
    lua_rawgeti(L, KEYS, i);
    jg_check_key(L, lua_gettop(L), b, "append", key);
    lua_pop(L, 1); /* the table keeps it, and its bytes are copied */
  } else {
    jg_check_key(L, KEYS, b, "append", key);
    size_t skip = b->prefixed ? JG_PREFIX_SIZE : 0;
    uint64_t n = jg_get_u64(key->bytes + skip) + (uint64_t)(i - 1);
    if (n > INT64_MAX) jg_raise(L, "key_out_of_range", "append: a key past 2^63-1");
    jg_put_u64(key->bytes + skip, n);
  }
}

/* Is a key past the last one of the bucket? */
static int is_past_last(jg_bucket *b, const MDB_val *key, bool *past) {
  MDB_cursor *cursor;
  MDB_val at = *key, value;
  int rc = mdb_cursor_open(b->tx->txn, b->dbi, &cursor);
  *past = false;
  if (rc != 0) return rc;
  rc = mdb_cursor_get(cursor, &at, &value, MDB_SET_RANGE);
  *past = rc == MDB_NOTFOUND || (rc == 0 && !jg_in_bucket(b, &at));
  mdb_cursor_close(cursor);
  return rc == MDB_NOTFOUND ? 0 : rc;
}

static int raise_not_past(lua_State *L) {
  return jg_raise(L, "not_ascending", "append: the first key is not past the bucket's last");
}

static void check_keys(lua_State *L, jg_bucket *b, lua_Integer n) {
  jg_key keys[2];
  bool past, has_list = lua_istable(L, KEYS);
  if (!has_list && n > 0) { /* the last of a row is in range, too */
    append_key(L, b, 1, &keys[0]);
    append_key(L, b, n, &keys[0]);
  }
  for (lua_Integer i = 1; has_list && i <= n; i++) {
    jg_key *key = &keys[i & 1];
    append_key(L, b, i, key);
    if (i > 1 && jg_compare(&key->val, &keys[~i & 1].val) <= 0)
      jg_raise(L, "not_ascending", "append: key %I is not past the one before it", (LUAI_UACINT)i);
  }
  if (n == 0 || !b->prefixed) return; /* in a tree of its own LMDB looks itself */
  append_key(L, b, 1, &keys[0]);
  int rc = is_past_last(b, &keys[0].val, &past);
  if (rc != 0) jg_raise_rc(L, rc, "append");
  if (!past) raise_not_past(L);
}

/* ---- both ---------------------------------------------------------------------------------- */

/* All has been checked. One cursor for all: LMDB then stays on the last page; a single item needs
** none. */
static int append_all(lua_State *L, jg_bucket *b, lua_Integer n) {
  MDB_cursor *cursor = NULL;
  jg_key key;
  bool has_list = lua_istable(L, KEYS);
  size_t skip = b->prefixed ? JG_PREFIX_SIZE : 0;
  unsigned flags = b->prefixed ? 0 : MDB_APPEND; /* behind a prefix another bucket may follow */
  int rc = n > 1 ? mdb_cursor_open(b->tx->txn, b->dbi, &cursor) : 0;
  if (rc != 0) return rc;
  values v = first_value(L);
  append_key(L, b, 1, &key);
  uint64_t first = has_list ? 0 : jg_get_u64(key.bytes + skip);
  for (lua_Integer i = 1; rc == 0 && i <= n; i++) { /* nothing in here can raise */
    if (has_list)
      append_key(L, b, i, &key);
    else
      jg_put_u64(key.bytes + skip, first + (uint64_t)(i - 1));
    MDB_val value = next_value(L, &v, i);
    rc = jg_put(b->tx, b->dbi, cursor, &key.val, &value, flags, jg_value_escapes(b, &value));
    if (rc == MDB_KEYEXIST && i > 1) rc = MDB_CORRUPTED; /* they ascend */
  }
  if (cursor != NULL) mdb_cursor_close(cursor);
  return rc;
}

/* bucket:append(keys, values), or bucket:append(first, values) in a bucket of integer keys. */
int jg_append(lua_State *L) {
  jg_bucket *b = jg_self_bucket(L);
  lua_settop(L, VALUES);
  jg_check_writable(L, b->tx, "append");
  if (!lua_istable(L, KEYS) && (b->record.flags & JG_INTEGER_KEYS) == 0)
    luaL_typeerror(L, KEYS, "table of keys");
  lua_Integer n = lua_type(L, VALUES) == LUA_TSTRING ? check_packed(L) : check_table(L);
  if (lua_istable(L, KEYS))
    luaL_argcheck(L, (lua_Integer)lua_rawlen(L, KEYS) == n, VALUES,
                  "as many values as keys expected");
  check_keys(L, b, n);
  b->tx->writes++;
  size_t mark = jg_ops_mark(b->tx);
  int rc = 0;
  do
    if (n > 0) rc = append_all(L, b, n);
  while (jg_again(b->tx, mark, &rc));
  if (rc == MDB_KEYEXIST) raise_not_past(L);
  if (rc != 0) jg_raise_rc(L, rc, "append");
  b->tx->counts.appended += (uint64_t)n;
  lua_pushinteger(L, n);
  return 1;
}
