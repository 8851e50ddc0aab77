/* SPDX-License-Identifier: MIT
**
** access.c - the keys and values of a bucket: get, put, delete, delete_range.
**
** Everything is checked before LMDB is called: some of its errors spoil the whole transaction
** (deleting the record of a sub-database does), and a refused call must leave it as it was.
*/
#include "bucket.h"

#include <errno.h>
#include <string.h>

/* ---- keys ---------------------------------------------------------------------------------- */

static void check_integer_key(lua_State *L, int idx, const char *what, unsigned char into[8]) {
  luaL_checktype(L, idx, LUA_TNUMBER);
  int exact;
  lua_Integer n = lua_tointegerx(L, idx, &exact); /* 7.0 is 7, as an index of a table is */
  luaL_argcheck(L, exact, idx, "this bucket's keys are integers");
  if (n < 0) jg_raise(L, "key_out_of_range", "%s: key %I is below 0", what, (LUAI_UACINT)n);
  jg_put_u64(into, (uint64_t)n);
}

/* Reads a key from the stack; one of no bytes passes: cursors seek it, and it finds nothing. */
static void read_key(lua_State *L, int idx, const jg_bucket *b, const char *what, jg_key *key) {
  size_t skip = 0, size = 8;
  if (b->prefixed) {
    skip = JG_PREFIX_SIZE;
    memcpy(key->bytes, b->prefix, JG_PREFIX_SIZE);
  }
  if ((b->record.flags & JG_INTEGER_KEYS) != 0) {
    check_integer_key(L, idx, what, key->bytes + skip);
  } else {
    luaL_checktype(L, idx, LUA_TSTRING);
    const char *s = lua_tolstring(L, idx, &size);
    if (size > JG_KEY_SIZE_MAX)
      jg_raise(L, "key_too_large", "%s: key of %I bytes is over the limit of %d", what,
               (LUAI_UACINT)size, JG_KEY_SIZE_MAX);
    memcpy(key->bytes + skip, s, size);
  }
  key->val = (MDB_val){skip + size, key->bytes};
}

void jg_check_bound(lua_State *L, int idx, const jg_bucket *b, const char *what, jg_key *key) {
  read_key(L, idx, b, what, key);
}

void jg_check_key(lua_State *L, int idx, const jg_bucket *b, const char *what, jg_key *key) {
  read_key(L, idx, b, what, key);
  if (key->val.mv_size == (b->prefixed ? JG_PREFIX_SIZE : 0))
    jg_raise(L, "key_required", "%s: the key is empty", what);
}

/* The order of LMDB, which calls this, too (tree.c): most keys differ in their first 8 bytes. */
int jg_compare(const MDB_val *a, const MDB_val *b) {
  const unsigned char *p = a->mv_data, *q = b->mv_data;
  size_t size = a->mv_size < b->mv_size ? a->mv_size : b->mv_size;
  if (size >= 8) {
    uint64_t m = jg_get_u64(p), n = jg_get_u64(q);
    if (m != n) return m < n ? -1 : 1;
  }
  int order = size == 8 ? 0 : memcmp(p, q, size);
  return order != 0 ? order : (a->mv_size > b->mv_size) - (a->mv_size < b->mv_size);
}

void jg_copy_key(jg_key *to, const jg_key *from) {
  memcpy(to->bytes, from->bytes, from->val.mv_size);
  to->val = (MDB_val){from->val.mv_size, to->bytes};
}

/* The last key that a prefix can have behind it. */
void jg_prefix_end(const unsigned char *prefix, unsigned char end[JG_LMDB_KEY_SIZE_MAX],
                   MDB_val *key) {
  memset(end, 0xff, JG_LMDB_KEY_SIZE_MAX);
  memcpy(end, prefix, JG_PREFIX_SIZE);
  *key = (MDB_val){JG_LMDB_KEY_SIZE_MAX, end};
}

bool jg_in_bucket(const jg_bucket *b, const MDB_val *key) {
  return !b->prefixed ||
         (key->mv_size >= JG_PREFIX_SIZE && memcmp(key->mv_data, b->prefix, JG_PREFIX_SIZE) == 0);
}

void jg_push_key(lua_State *L, const jg_bucket *b, const MDB_val *key) {
  size_t skip = b->prefixed ? JG_PREFIX_SIZE : 0;
  const unsigned char *p = (const unsigned char *)key->mv_data + skip;
  if ((b->record.flags & JG_INTEGER_KEYS) != 0 && key->mv_size == skip + 8)
    lua_pushinteger(L, (lua_Integer)jg_get_u64(p));
  else
    lua_pushlstring(L, (const char *)p, key->mv_size - skip);
}

/* ---- values -------------------------------------------------------------------------------- */

static bool is_plain(const jg_bucket *b) { /* its values are neither records nor escaped */
  return (b->record.flags & JG_INTEGER_KEYS) != 0;
}

bool jg_push_value(lua_State *L, const jg_bucket *b, const MDB_val *value) {
  jg_record record;
  switch (is_plain(b) ? JG_RAW : jg_value_read(value, &record)) {
  case JG_LITERAL:
    lua_pushlstring(L, (const char *)value->mv_data + JG_ESCAPE_SIZE,
                    value->mv_size - JG_ESCAPE_SIZE);
    return true;
  case JG_RECORD: lua_pushnil(L); return false;
  case JG_DAMAGED: return jg_raise(L, "corrupted", "a bucket's record in '%s' is damaged", b->name);
  default: lua_pushlstring(L, value->mv_data, value->mv_size); return true;
  }
}

void jg_check_value(lua_State *L, int idx, const char *what, MDB_val *value) {
  luaL_checktype(L, idx, LUA_TSTRING);
  value->mv_data = (void *)lua_tolstring(L, idx, &value->mv_size);
  if (value->mv_size > JG_VALUE_SIZE_MAX)
    jg_raise(L, "value_too_large", "%s: value of %I bytes is over the limit of %I", what,
             (LUAI_UACINT)value->mv_size, (LUAI_UACINT)JG_VALUE_SIZE_MAX);
}

bool jg_value_escapes(const jg_bucket *b, const MDB_val *value) {
  return !is_plain(b) && jg_value_must_escape(value);
}

/* Is there a nested bucket under the key? Only a bucket that ever had one needs to look. */
static int find_child(const jg_bucket *b, MDB_val *key, bool *is_child) {
  jg_record record;
  MDB_val value;
  *is_child = false;
  if ((b->record.flags & JG_HAS_CHILDREN) == 0) return 0;
  int rc = mdb_get(b->tx->txn, b->dbi, key, &value);
  if (rc == 0) *is_child = jg_value_read(&value, &record) == JG_RECORD;
  return rc == MDB_NOTFOUND ? 0 : rc;
}

static void check_no_child(lua_State *L, const jg_bucket *b, MDB_val *key, const char *what) {
  bool is_child;
  int rc = find_child(b, key, &is_child);
  if (rc != 0) jg_raise_rc(L, rc, what);
  if (is_child) jg_raise(L, "incompatible", "%s: there is a bucket under that key", what);
}

/* ---- methods ------------------------------------------------------------------------------- */

static int bucket_get(lua_State *L) {
  jg_bucket *b = jg_self_bucket(L);
  jg_key key;
  MDB_val value;
  jg_check_bound(L, 2, b, "get", &key);
  if (key.val.mv_size == 0) {
    lua_pushnil(L);
    return 1;
  }
  b->tx->counts.gets++;
  int rc = mdb_get(b->tx->txn, b->dbi, &key.val, &value);
  if (rc == MDB_NOTFOUND)
    lua_pushnil(L);
  else if (rc == 0)
    jg_push_value(L, b, &value);
  else
    jg_raise_rc(L, rc, "get");
  return 1;
}

static int bucket_put(lua_State *L) {
  jg_bucket *b = jg_self_bucket(L);
  jg_key key;
  MDB_val value;
  jg_check_writable(L, b->tx, "put");
  jg_check_key(L, 2, b, "put", &key);
  jg_check_value(L, 3, "put", &value);
  check_no_child(L, b, &key.val, "put");
  b->tx->writes++;
  b->tx->counts.puts++;
  size_t mark = jg_ops_mark(b->tx);
  int rc;
  do
    rc = jg_put(b->tx, b->dbi, NULL, &key.val, &value, 0, jg_value_escapes(b, &value));
  while (jg_again(b->tx, mark, &rc));
  if (rc != 0) jg_raise_rc(L, rc, "put");
  return 0;
}

static int bucket_delete(lua_State *L) {
  jg_bucket *b = jg_self_bucket(L);
  jg_key key;
  jg_check_writable(L, b->tx, "delete");
  jg_check_key(L, 2, b, "delete", &key);
  check_no_child(L, b, &key.val, "delete");
  b->tx->writes++;
  b->tx->counts.deletes++;
  size_t mark = jg_ops_mark(b->tx);
  int rc, deleted;
  do
    rc = deleted = jg_del(b->tx, b->dbi, NULL, &key.val);
  while (jg_again(b->tx, mark, &rc));
  if (rc != 0 && rc != MDB_NOTFOUND) jg_raise_rc(L, rc, "delete");
  lua_pushboolean(L, deleted == 0);
  return 1;
}

/* ---- delete_range -------------------------------------------------------------------------- */

static int start_range(const jg_bucket *b, MDB_cursor *cursor, const jg_key *from, MDB_val *key,
                       MDB_val *value) {
  if (from == NULL && !b->prefixed) return mdb_cursor_get(cursor, key, value, MDB_FIRST);
  *key = from != NULL ? from->val : (MDB_val){JG_PREFIX_SIZE, (void *)b->prefix};
  if (key->mv_size == 0) return mdb_cursor_get(cursor, key, value, MDB_FIRST);
  return mdb_cursor_get(cursor, key, value, MDB_SET_RANGE);
}

/* One pass over from <= key <= to: looks for nested buckets, or deletes and counts. */
static int walk_range(jg_bucket *b, const jg_key *from, const jg_key *to, bool deletes,
                      bool *has_child, lua_Integer *count) {
  MDB_cursor *cursor;
  MDB_val key, value;
  jg_record record;
  int rc = mdb_cursor_open(b->tx->txn, b->dbi, &cursor);
  if (rc != 0) return rc;
  rc = start_range(b, cursor, from, &key, &value);
  while (rc == 0 && jg_in_bucket(b, &key) && (to == NULL || jg_compare(&key, &to->val) <= 0)) {
    if (!deletes && jg_value_read(&value, &record) == JG_RECORD) {
      *has_child = true;
      break;
    }
    if (deletes && (rc = mdb_cursor_del(cursor, 0)) != 0) break; /* jg_note_range follows */
    ++*count;
    rc = mdb_cursor_get(cursor, &key, &value, MDB_NEXT);
  }
  mdb_cursor_close(cursor);
  return rc == MDB_NOTFOUND ? 0 : rc;
}

static int delete_range(jg_bucket *b, const jg_key *from, const jg_key *to, lua_Integer *count) {
  MDB_val first = {JG_PREFIX_SIZE, b->prefix}, last;
  unsigned char end[JG_LMDB_KEY_SIZE_MAX];
  size_t mark = jg_ops_mark(b->tx);
  bool has_child;
  int rc;
  if (b->prefixed) jg_prefix_end(b->prefix, end, &last);
  do {
    *count = 0;
    rc = walk_range(b, from, to, true, &has_child, count);
    if (rc == 0 && *count > 0)
      rc = jg_note_range(b->tx, b->dbi,
                         from != NULL  ? &from->val
                         : b->prefixed ? &first
                                       : NULL,
                         to != NULL    ? &to->val
                         : b->prefixed ? &last
                                       : NULL,
                         (uint64_t)*count);
  } while (jg_again(b->tx, mark, &rc));
  return rc;
}

/* bucket:delete_range(from, to): both inclusive, nil leaves that end open; returns the count. */
static int bucket_delete_range(lua_State *L) {
  jg_bucket *b = jg_self_bucket(L);
  jg_key from, to;
  bool has_from = !lua_isnoneornil(L, 2), has_to = !lua_isnoneornil(L, 3), has_child = false;
  lua_Integer count = 0;
  jg_check_writable(L, b->tx, "delete_range");
  if (has_from) jg_check_bound(L, 2, b, "delete_range", &from);
  if (has_to) jg_check_bound(L, 3, b, "delete_range", &to);
  int rc = 0;
  if ((b->record.flags & JG_HAS_CHILDREN) != 0)
    rc = walk_range(b, has_from ? &from : NULL, has_to ? &to : NULL, false, &has_child, &count);
  if (rc == 0 && has_child)
    jg_raise(L, "incompatible", "delete_range: there is a bucket within the range");
  b->tx->writes++;
  if (rc == 0) rc = delete_range(b, has_from ? &from : NULL, has_to ? &to : NULL, &count);
  if (rc != 0) jg_raise_rc(L, rc, "delete_range");
  b->tx->counts.deletes += (uint64_t)count;
  lua_pushinteger(L, count);
  return 1;
}

const luaL_Reg jg_access_methods[] = {{"get", bucket_get},
                                      {"put", bucket_put},
                                      {"delete", bucket_delete},
                                      {"append", jg_append},
                                      {"delete_range", bucket_delete_range},
                                      {"each", jg_each},
                                      {"records", jg_records},
                                      {"cursor", jg_bucket_cursor},
                                      {NULL, NULL}};
