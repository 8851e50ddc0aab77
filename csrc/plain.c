/* SPDX-License-Identifier: MIT
**
** plain.c - copies and digests plain data: nil, booleans, numbers but NaN, strings, and tables of
** these without metatables.
**
** The digest of a table is a sum over its fields of a mixture of the hashes of key and value.
** Addition commutes, so the order in which a table gives its fields, which differs from process to
** process, leaves no mark and nothing is sorted. The mixture is not linear, so a nested table
** cannot be mistaken for its parts. jangada.node.plain says what is refused, and why.
*/
#include "jangada.h"

#include <string.h>

#define ODD UINT64_C(0x9E3779B97F4A7C15) /* odd constants spread one hash from another */
#define ODD_TOO UINT64_C(0xBF58476D1CE4E5B9)
#define DEPTH_MAX 64         /* jangada.node.plain has these two as well */
#define TABLES_MAX (1 << 18) /* a value that shares its parts is exponential in its own size */

enum { BYTES, FLOAT, TRUE, FALSE, TABLE, NIL };
static const uint64_t kinds[] = {UINT64_C(0x1F83D9ABFB41BD6B), UINT64_C(0x510E527FADE682D1),
                                 UINT64_C(0x3C6EF372FE94F82B), UINT64_C(0x2545F4914F6CDD1D),
                                 UINT64_C(0x7461626C65737461), UINT64_C(0x61C8864680B583EB)};

typedef struct walk {
  bool copies, digests;
  int tables_left;
} walk;

/* Every bit of both reaches every bit of the result. The finalizer is that of splitmix64 (Steele,
** Lea, Flood: Fast Splittable Pseudorandom Number Generators, OOPSLA 2014). */
static uint64_t mix(uint64_t a, uint64_t b) {
  uint64_t z = a * ODD + b;
  z = (z ^ z >> 30) * ODD_TOO + a;
  z = (z ^ z >> 27) * UINT64_C(0x94D049BB133111EB);
  return z ^ z >> 31;
}

static uint64_t hash_string(const char *s, size_t size) {
  return mix(jg_crc32c(0, s, size) + kinds[BYTES], size);
}

/* The hash of anything plain but a table, whose type is known; false for anything else. */
static bool hash_scalar(lua_State *L, int idx, int type, uint64_t *hash) {
  size_t size;
  switch (type) {
  case LUA_TSTRING: {
    const char *s = lua_tolstring(L, idx, &size);
    *hash = hash_string(s, size);
    return true;
  }
  case LUA_TBOOLEAN: *hash = kinds[lua_toboolean(L, idx) ? TRUE : FALSE]; return true;
  case LUA_TNIL: *hash = kinds[NIL]; return true;
  case LUA_TNUMBER:
    if (lua_isinteger(L, idx)) {
      *hash = (uint64_t)lua_tointeger(L, idx) * ODD;
    } else {
      lua_Number n = lua_tonumber(L, idx);
      uint64_t bits;
      if (n != n) return false;
      memcpy(&bits, &n, sizeof bits);
      *hash = bits * ODD + kinds[FLOAT];
    }
    return true;
  default: return false;
  }
}

static bool walk_table(lua_State *L, walk *w, int depth, uint64_t *digest);

/* Hashes the value on top of the stack; a table that is copied is replaced by its copy. */
static bool walk_value(lua_State *L, walk *w, int depth, uint64_t *hash) {
  int type = lua_type(L, -1);
  if (type == LUA_TTABLE) return walk_table(L, w, depth, hash);
  return !w->digests || hash_scalar(L, -1, type, hash);
}

/* The share of a field in the digest of its table, from the hashes of key and value. */
static uint64_t mix_field(uint64_t key, uint64_t value) {
  uint64_t a = (key ^ value * ODD) * ODD_TOO + value;
  a = (a ^ a >> 29) * ODD;
  return a ^ a >> 32;
}

/* The fields of a copy wait on the stack until they are this many, or all: a table that is made of
** the right size is not made again and again while it grows. */
enum { HELD_MAX = 16 };

/* Makes the copy in its place at `to`, and moves the fields there that are held on top. */
static void make_copy(lua_State *L, int to, int fields, int held) {
  lua_createtable(L, 0, fields);
  lua_replace(L, to);
  while (held-- > 0)
    lua_rawset(L, to);
}

/* Takes over a field; stack: from to (key value)... key value, the last key stays for lua_next. */
static void copy_field(lua_State *L, int to, bool *is_made, int *held) {
  lua_pushvalue(L, -2);
  if (*is_made) {
    lua_insert(L, -2);
    lua_rawset(L, to);
  } else if (++*held == HELD_MAX) {
    lua_insert(L, to + 1);
    make_copy(L, to, 2 * HELD_MAX, HELD_MAX);
    *is_made = true;
  }
}

static bool walk_table(lua_State *L, walk *w, int depth, uint64_t *digest) {
  int from = lua_gettop(L), to = from + 1, held = 0;
  if (depth >= DEPTH_MAX || w->tables_left-- <= 0) return false;
  if (lua_getmetatable(L, from)) return false;
  luaL_checkstack(L, 2 * HELD_MAX + 8, "plain data");
  bool is_made = false;
  if (w->copies) {
    int length = (int)lua_rawlen(L, from);
    is_made = length > 0;
    if (is_made)
      lua_createtable(L, length, 0);
    else
      lua_pushnil(L);
  }
  uint64_t sum = kinds[TABLE], key = 0, value = 0;
  lua_pushnil(L);
  while (lua_next(L, from) != 0) {
    if (w->digests && !hash_scalar(L, -2, lua_type(L, -2), &key)) return false;
    if (!walk_value(L, w, depth + 1, &value)) return false;
    if (w->digests) sum += mix_field(key, value);
    if (w->copies)
      copy_field(L, to, &is_made, &held);
    else
      lua_pop(L, 1);
  }
  if (w->copies) {
    if (!is_made) make_copy(L, to, held, held);
    lua_replace(L, from);
  }
  *digest = sum;
  return true;
}

/* Replaces the value at index 1 by its copy, if that is asked for, and pushes its digest: nil when
** the value is not plain, nests deeper than it may or holds too many tables. */
static int walk_argument(lua_State *L, bool copies) {
  walk w = {copies, true, TABLES_MAX};
  uint64_t digest;
  lua_settop(L, 1);
  if (walk_value(L, &w, 0, &digest)) {
    lua_pushinteger(L, (lua_Integer)digest);
  } else {
    lua_settop(L, 1);
    lua_pushnil(L);
  }
  return 2;
}

/* copy(value): the copy, and the digest or nil */
static int plain_copy(lua_State *L) {
  return walk_argument(L, true);
}

/* clone(value): the copy of what is known to be plain */
static int plain_clone(lua_State *L) {
  walk w = {true, false, TABLES_MAX};
  uint64_t digest;
  lua_settop(L, 1);
  walk_value(L, &w, 0, &digest);
  lua_settop(L, 1);
  return 1;
}

/* copy_body(body): the same of what can be the body of a message, nil and nil for all else */
static int plain_copy_body(lua_State *L) {
  lua_settop(L, 1);
  bool is_body = false;
  if (lua_istable(L, 1)) {
    lua_pushliteral(L, "type");
    is_body = lua_rawget(L, 1) == LUA_TSTRING;
  }
  if (is_body) return walk_argument(L, true);
  lua_settop(L, 0);
  lua_pushnil(L);
  lua_pushnil(L);
  return 2;
}

/* digest(value): the digest or nil */
static int plain_digest(lua_State *L) {
  walk_argument(L, false);
  return 1;
}

/* digest_field(key, value): its share in the digest of its table, or nil */
static int plain_digest_field(lua_State *L) {
  walk w = {false, true, TABLES_MAX};
  uint64_t key, value;
  lua_settop(L, 2);
  if (hash_scalar(L, 1, lua_type(L, 1), &key) && walk_value(L, &w, 1, &value))
    lua_pushinteger(L, (lua_Integer)mix_field(key, value));
  else
    lua_pushnil(L);
  return 1;
}

/* mix(a, b) */
static int plain_mix(lua_State *L) {
  uint64_t a = (uint64_t)luaL_checkinteger(L, 1), b = (uint64_t)luaL_checkinteger(L, 2);
  lua_pushinteger(L, (lua_Integer)mix(a, b));
  return 1;
}

/* hash_string(s) */
static int plain_hash_string(lua_State *L) {
  size_t size;
  const char *s = luaL_checklstring(L, 1, &size);
  lua_pushinteger(L, (lua_Integer)mix(jg_crc32c(0, s, size), size));
  return 1;
}

static const luaL_Reg functions[] = {
    {"copy", plain_copy},
    {"clone", plain_clone},
    {"copy_body", plain_copy_body},
    {"digest", plain_digest},
    {"digest_field", plain_digest_field},
    {"mix", plain_mix},
    {"hash_string", plain_hash_string},
    {NULL, NULL}};

/* Pushes what jangada.node.plain is made of. */
void jg_push_plain(lua_State *L) {
  luaL_newlib(L, functions);
}
