/* SPDX-License-Identifier: MIT
**
** each.c - for key, value in bucket:each{from=, to=, prefix=, reverse=, limit=}
**
** An iteration is a Cursor with bounds. The generic for closes it (its fourth value) also on
** break and on errors; it closes itself at its end.
*/
#include "bucket.h"

#include <string.h>

/* Is the item past the bound at which the iteration stops? */
static bool is_beyond(const jg_cursor *c) {
  const MDB_val *key = &c->key.val;
  if (c->prefix_size > 0 &&
      (key->mv_size < c->prefix_size || memcmp(key->mv_data, c->prefix.bytes, c->prefix_size) != 0))
    return true;
  if (!c->has_stop) return false;
  int order = jg_compare(key, &c->stop.val);
  return c->reverse ? order < 0 : order > 0;
}

static int move_first(jg_cursor *c, MDB_val *key, MDB_val *value) {
  c->started = true;
  if (!c->has_start) return jg_cursor_move(c, c->reverse ? MDB_LAST : MDB_FIRST, key, value);
  int rc = jg_cursor_seek(c, &c->start.val, key, value);
  if (!c->reverse) return rc;
  if (rc == MDB_NOTFOUND) return jg_cursor_move(c, MDB_LAST, key, value);
  bool at_start = rc == 0 && !c->start_excluded && jg_compare(&c->key.val, &c->start.val) == 0;
  return rc != 0 || at_start ? rc : jg_cursor_move(c, MDB_PREV, key, value);
}

static int each_next(lua_State *L) {
  jg_cursor *c = jg_check_handle(L, 1, JG_CURSOR);
  MDB_val key, value;
  if (c->bucket == NULL || !c->h.open)
    jg_raise(L, "cursor_closed", "the iteration has ended, or its transaction has");
  jg_bucket_check(L, c->bucket);
  int rc = MDB_NOTFOUND;
  if (c->left != 0)
    rc = c->started ? jg_cursor_move(c, c->reverse ? MDB_PREV : MDB_NEXT, &key, &value)
                    : move_first(c, &key, &value);
  if (rc == 0 && is_beyond(c)) rc = MDB_NOTFOUND;
  if (c->left > 0) c->left--;
  if (rc == MDB_NOTFOUND) jg_close(&c->h);
  return jg_cursor_push(L, c, rc, &value, "each");
}

/* The bound option, if it is there. */
static bool read_bound(lua_State *L, const char *name, const jg_bucket *b, jg_key *key) {
  if (!jg_has_option(L, 2, name)) return false;
  lua_pushstring(L, name);
  int wanted = (b->record.flags & JG_INTEGER_KEYS) != 0 ? LUA_TNUMBER : LUA_TSTRING;
  int found = lua_rawget(L, 2);
  if (found != wanted)
    luaL_argerror(L, 2,
                  lua_pushfstring(L, "option '%s' must be a %s, not a %s", name,
                                  lua_typename(L, wanted), lua_typename(L, found)));
  jg_check_bound(L, lua_gettop(L), b, name, key);
  lua_pop(L, 1);
  return true;
}

/* The least key above all that begin with a prefix; false when there is none. */
static bool after_prefix(const jg_key *prefix, jg_key *after) {
  size_t size = prefix->val.mv_size;
  memcpy(after->bytes, prefix->bytes, size);
  while (size > 0 && after->bytes[size - 1] == 0xff)
    size--;
  if (size == 0) return false;
  after->bytes[size - 1]++;
  after->val = (MDB_val){size, after->bytes};
  return true;
}

/* A prefix narrows from and to: the iteration starts and stops within all of them. */
static void set_bounds(jg_cursor *c, const jg_key *from, const jg_key *to, const jg_key *prefix) {
  const jg_key *start = c->reverse ? to : from, *stop = c->reverse ? from : to;
  jg_key after;
  if (stop != NULL) {
    c->has_stop = true;
    jg_copy_key(&c->stop, stop);
  }
  if (start != NULL) {
    c->has_start = true;
    jg_copy_key(&c->start, start);
  }
  if (prefix == NULL) return;
  c->prefix_size = prefix->val.mv_size;
  jg_copy_key(&c->prefix, prefix);
  if (!c->reverse && (start == NULL || jg_compare(&start->val, &prefix->val) < 0)) {
    c->has_start = true;
    jg_copy_key(&c->start, prefix);
  } else if (c->reverse && after_prefix(prefix, &after) &&
             (start == NULL || jg_compare(&after.val, &start->val) <= 0)) {
    c->has_start = c->start_excluded = true;
    jg_copy_key(&c->start, &after);
  }
}

int jg_each(lua_State *L) {
  static const char *const known[] = {"from", "to", "prefix", "reverse", "limit", NULL};
  jg_key from, to, prefix;
  jg_self_bucket(L);
  lua_settop(L, 2);
  jg_options_known(L, 2, known);
  lua_pushcfunction(L, each_next);
  jg_cursor *c = jg_cursor_new_bounded(L, 1); /* stack: bucket options each_next cursor */
  c->reverse = jg_option_boolean(L, 2, "reverse", false);
  c->left = jg_option_integer(L, 2, "limit", -1, 0, LUA_MAXINTEGER);
  bool has_from = read_bound(L, "from", c->bucket, &from);
  bool has_to = read_bound(L, "to", c->bucket, &to);
  if ((c->bucket->record.flags & JG_INTEGER_KEYS) != 0 && jg_has_option(L, 2, "prefix"))
    luaL_argerror(L, 2, "integer keys have no prefix");
  bool has_prefix = read_bound(L, "prefix", c->bucket, &prefix);
  lua_settop(L, 4);
  set_bounds(c, has_from ? &from : NULL, has_to ? &to : NULL, has_prefix ? &prefix : NULL);
  lua_pushnil(L);
  lua_pushvalue(L, 4); /* stack: bucket options each_next cursor nil cursor */
  return 4;
}
