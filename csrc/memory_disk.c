/* SPDX-License-Identifier: MIT
**
** memory_disk.c - the class MemoryDisk: a journal's disk in memory, for simulation and specs.
**
** It knows what has been flushed: the bytes that unflushed writes replaced are kept, so that a
** power failure can take back all of them, or any sectors of them. It outlives the DB that uses it,
** as a disk does, and is used by one at a time.
*/
#include "journal.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#define SECTOR_SIZE 512

enum { WRITE, FLUSH, TRUNCATE, KINDS };

typedef struct memory_disk {
  jg_disk disk;
  bool exists, in_use, lies; /* lies: a flush succeeds, and keeps nothing */
  unsigned char *bytes, *before; /* before: what [from, to) held when it was flushed */
  uint64_t size, from, to;       /* from == to: everything is flushed */
  lua_Integer fails_in[KINDS];   /* the how many-th call from now fails; 0: none */
  int error[KINDS];
} memory_disk;

static int must_fail(memory_disk *m, int kind) {
  return m->fails_in[kind] > 0 && --m->fails_in[kind] == 0 ? m->error[kind] : 0;
}

static int memory_open(jg_disk *d, bool make) {
  memory_disk *m = (memory_disk *)d;
  if (m->in_use) return EBUSY;
  if (!m->exists && !make) return ENOENT;
  m->exists = m->in_use = true;
  return 0;
}

static int memory_size(jg_disk *d, uint64_t *size) {
  *size = ((memory_disk *)d)->size;
  return 0;
}

static int memory_read(jg_disk *d, uint64_t at, void *into, size_t size) {
  memory_disk *m = (memory_disk *)d;
  if (at > m->size || size > m->size - at) return EIO;
  if (size > 0) memcpy(into, m->bytes + at, size);
  return 0;
}

/* Keeps what a range holds, with all between it and what is kept already. */
static int keep_before(memory_disk *m, uint64_t from, uint64_t to) {
  if (m->from == m->to) m->from = m->to = from;
  uint64_t new_from = from < m->from ? from : m->from, new_to = to > m->to ? to : m->to;
  if (new_from == m->from && new_to == m->to) return 0;
  unsigned char *before = malloc((size_t)(new_to - new_from));
  if (before == NULL) return ENOMEM;
  memcpy(before, m->bytes + new_from, (size_t)(new_to - new_from));
  if (m->to > m->from) memcpy(before + (m->from - new_from), m->before, (size_t)(m->to - m->from));
  free(m->before);
  m->before = before;
  m->from = new_from;
  m->to = new_to;
  return 0;
}

static int memory_write(jg_disk *d, uint64_t at, const void *bytes, size_t size, bool *flush) {
  memory_disk *m = (memory_disk *)d;
  (void)flush; /* it never does */
  if (at % SECTOR_SIZE != 0) return EINVAL;
  if (at > m->size || size > m->size - at) return EFBIG;
  int rc = keep_before(m, at, at + size);
  if (rc != 0) return rc;
  int failure = must_fail(m, WRITE);
  memcpy(m->bytes + at, bytes, failure != 0 ? size / 2 : size); /* a failed write may be half one */
  return failure;
}

static void forget_before(memory_disk *m) {
  free(m->before);
  m->before = NULL;
  m->from = m->to = 0;
}

static int memory_flush(jg_disk *d) {
  memory_disk *m = (memory_disk *)d;
  int rc = must_fail(m, FLUSH);
  if (rc == 0 && !m->lies) forget_before(m);
  return rc;
}

static int memory_truncate(jg_disk *d, uint64_t size) {
  memory_disk *m = (memory_disk *)d;
  int rc = must_fail(m, TRUNCATE);
  if (rc != 0) return rc;
  unsigned char *bytes = realloc(m->bytes, (size_t)size + 1);
  if (bytes == NULL) return ENOMEM;
  if (size > m->size) memset(bytes + m->size, 0, (size_t)(size - m->size));
  m->bytes = bytes;
  m->size = size;
  forget_before(m);
  return 0;
}

static void memory_close(jg_disk *d) {
  ((memory_disk *)d)->in_use = false;
}

/* ---- Lua ----------------------------------------------------------------------------------- */

static memory_disk *check_disk(lua_State *L) {
  return jg_check_handle(L, 1, JG_MEMORY_DISK);
}

/* One whose bytes may change: no DB uses it. */
static memory_disk *check_idle(lua_State *L, const char *what) {
  memory_disk *m = check_disk(L);
  if (m->in_use) jg_raise(L, "in_use", "%s: a DB uses the disk", what);
  return m;
}

jg_disk *jg_check_memory_disk(lua_State *L, int idx) {
  memory_disk *m = jg_test_handle(L, idx, JG_MEMORY_DISK);
  if (m == NULL)
    luaL_argerror(L, 2,
                  lua_pushfstring(L, "option 'journal_disk' must be a MemoryDisk, not a %s",
                                  luaL_typename(L, idx)));
  return &m->disk;
}

int jg_memory_disk(lua_State *L) {
  static const jg_disk_calls calls = {memory_open,  memory_size,     memory_read, memory_write,
                                      memory_flush, memory_truncate, memory_close};
  memory_disk *m = lua_newuserdatauv(L, sizeof *m, 0);
  memset(m, 0, sizeof *m);
  m->disk = (jg_disk){.calls = &calls, .path = "memory disk", .block = SECTOR_SIZE, .fd = -1};
  jg_set_class(L, JG_MEMORY_DISK);
  return 1;
}

static int disk_size(lua_State *L) {
  lua_pushinteger(L, (lua_Integer)check_disk(L)->size);
  return 1;
}

/* disk:unflushed(): the range [from, to) that writes since the last flush lie in; nil: none. */
static int disk_unflushed(lua_State *L) {
  memory_disk *m = check_disk(L);
  if (m->from == m->to) {
    lua_pushnil(L);
    return 1;
  }
  lua_pushinteger(L, (lua_Integer)m->from);
  lua_pushinteger(L, (lua_Integer)m->to);
  return 2;
}

/* disk:read(at, size) */
static int disk_read(lua_State *L) {
  memory_disk *m = check_disk(L);
  lua_Integer at = luaL_checkinteger(L, 2), size = luaL_checkinteger(L, 3);
  luaL_argcheck(L, at >= 0 && (uint64_t)at <= m->size, 2, "past the end of the disk");
  luaL_argcheck(L, size >= 0 && (uint64_t)size <= m->size - (uint64_t)at, 3,
                "past the end of the disk");
  lua_pushlstring(L, m->bytes != NULL ? (const char *)m->bytes + at : "", (size_t)size);
  return 1;
}

/* disk:cut([keep]): a power failure that lets the first `keep` unflushed bytes survive. */
static int disk_cut(lua_State *L) {
  memory_disk *m = check_idle(L, "cut");
  lua_Integer keep = luaL_optinteger(L, 2, 0);
  luaL_argcheck(L, keep >= 0, 2, "not negative");
  uint64_t size = m->to - m->from, kept = (uint64_t)keep < size ? (uint64_t)keep : size;
  if (size > kept) memcpy(m->bytes + m->from + kept, m->before + kept, (size_t)(size - kept));
  forget_before(m);
  return 0;
}

/* disk:tear(survives): one that each unflushed sector survives or not, as survives(n) says, n from
** 1. Nothing changes if that raises. */
static int disk_tear(lua_State *L) {
  memory_disk *m = check_idle(L, "tear");
  luaL_checktype(L, 2, LUA_TFUNCTION);
  uint64_t first = m->from / SECTOR_SIZE, count = (m->to + SECTOR_SIZE - 1) / SECTOR_SIZE - first;
  if (m->from == m->to) count = 0;
  char *survives = lua_newuserdatauv(L, (size_t)count + 1, 0);
  for (uint64_t i = 0; i < count; i++) {
    lua_pushvalue(L, 2);
    lua_pushinteger(L, (lua_Integer)i + 1);
    lua_call(L, 1, 1);
    survives[i] = (char)lua_toboolean(L, -1);
    lua_pop(L, 1);
  }
  m = check_idle(L, "tear");
  for (uint64_t i = 0; i < count && m->from < m->to; i++) {
    uint64_t from = (first + i) * SECTOR_SIZE, to = from + SECTOR_SIZE;
    if (from < m->from) from = m->from;
    if (to > m->to) to = m->to;
    if (!survives[i] && from < to)
      memcpy(m->bytes + from, m->before + (from - m->from), (size_t)(to - from));
  }
  forget_before(m);
  return 0;
}

/* disk:scribble(at, bytes): what no disk should do. */
static int disk_scribble(lua_State *L) {
  memory_disk *m = check_idle(L, "scribble");
  lua_Integer at = luaL_checkinteger(L, 2);
  size_t size;
  luaL_checktype(L, 3, LUA_TSTRING);
  const char *bytes = lua_tolstring(L, 3, &size);
  luaL_argcheck(L, at >= 0 && (uint64_t)at <= m->size && size <= m->size - (uint64_t)at, 2,
                "past the end of the disk");
  if (size > 0) memcpy(m->bytes + at, bytes, size);
  return 0;
}

/* disk:fail(call, n, error): the n-th "write", "flush" or "truncate" from now fails, with "EIO" or
** "ENOSPC". */
static int disk_fail(lua_State *L) {
  static const char *const kinds[] = {"write", "flush", "truncate", NULL};
  static const char *const names[] = {"EIO", "ENOSPC", NULL};
  static const int errors[] = {EIO, ENOSPC};
  memory_disk *m = check_disk(L);
  int kind = luaL_checkoption(L, 2, NULL, kinds);
  lua_Integer n = luaL_optinteger(L, 3, 1);
  luaL_argcheck(L, n >= 0, 3, "not negative");
  m->error[kind] = errors[luaL_checkoption(L, 4, "EIO", names)];
  m->fails_in[kind] = n;
  return 0;
}

/* disk:lie(on): from now on, or no longer, flushes succeed and keep nothing. */
static int disk_lie(lua_State *L) {
  memory_disk *m = check_disk(L);
  luaL_checktype(L, 2, LUA_TBOOLEAN);
  m->lies = lua_toboolean(L, 2);
  return 0;
}

static int disk_gc(lua_State *L) {
  memory_disk *m = check_disk(L);
  if (m->in_use) return 0; /* a resurrected one; the DB that uses it is on its way, too */
  free(m->bytes);
  m->bytes = NULL;
  m->size = 0;
  forget_before(m);
  return 0;
}

static int disk_tostring(lua_State *L) {
  memory_disk *m = check_disk(L);
  lua_pushfstring(L, "jangada.MemoryDisk: %p (%I bytes)", (void *)m, (LUAI_UACINT)m->size);
  return 1;
}

void jg_open_memory_disk(lua_State *L) {
  static const luaL_Reg methods[] = {
      {"size", disk_size}, {"unflushed", disk_unflushed}, {"read", disk_read}, {"cut", disk_cut},
      {"tear", disk_tear}, {"scribble", disk_scribble},   {"fail", disk_fail}, {"lie", disk_lie},
      {NULL, NULL}};
  static const luaL_Reg metamethods[] = {
      {"__gc", disk_gc}, {"__tostring", disk_tostring}, {NULL, NULL}};
  jg_class(L, JG_MEMORY_DISK, metamethods, methods);
}
