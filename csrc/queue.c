/* SPDX-License-Identifier: MIT
**
** queue.c - the queue of events of a simulated world (jangada.lab.heap): a binary heap of values in
** the total order (time, sequence).
**
** Both halves of the order live in one integer, so that comparing two events is comparing two
** integers:
**
**     63            22 21           0
**     | microseconds  |  sequence  |        41 bits are 25 days of simulated time
**
** The sequence counts pushes, so events of one microsecond leave in the order they came. When its
** 22 bits are used up, the events that wait are numbered anew, in order: a sorted array is a heap,
** so nothing else changes.
**
** The values stand in a table, its user value, each in a slot of its own. items[0..size) are the
** heap; the items behind it keep the slots that are free.
*/
#include "jangada.h"

#include <stdlib.h>
#include <string.h>

#define QUEUE "jangada.lab.Heap"
#define SEQUENCE_BITS 22
#define SEQUENCE_MAX ((1 << SEQUENCE_BITS) - 1)
#define TIME_MAX ((INT64_C(1) << (63 - SEQUENCE_BITS)) - 1)
#define SIZE_MAX_EVENTS (1u << 20)

enum { VALUES = 1 };

typedef struct item {
  int64_t key;
  unsigned slot;
} item;

typedef struct queue {
  item *items;
  unsigned size, capacity;
  int64_t sequence; /* pushes since the last renumbering */
} queue;

static int compare_items(const void *a, const void *b) {
  int64_t x = ((const item *)a)->key, y = ((const item *)b)->key;
  return (x > y) - (x < y);
}

/* Gives the waiting events the sequences 1..size, keeping their order. */
static void renumber(queue *q) {
  qsort(q->items, q->size, sizeof *q->items, compare_items);
  for (unsigned i = 0; i < q->size; i++)
    q->items[i].key = (q->items[i].key & ~(int64_t)SEQUENCE_MAX) | (i + 1);
  q->sequence = q->size;
}

static void grow(lua_State *L, queue *q) {
  unsigned capacity = q->capacity == 0 ? 64 : 2 * q->capacity;
  item *items = realloc(q->items, capacity * sizeof *items);
  if (items == NULL) jg_raise(L, "no_memory", "the queue of events cannot grow");
  for (unsigned i = q->capacity; i < capacity; i++)
    items[i] = (item){0, i};
  q->items = items;
  q->capacity = capacity;
}

/* push(queue, time_us, value [, size_max]): false, and nothing done, when that many wait. */
static int queue_push(lua_State *L) {
  queue *q = jg_self(L, QUEUE);
  lua_Integer time_us = luaL_checkinteger(L, 2);
  luaL_checkany(L, 3);
  if (luaL_optinteger(L, 4, LUA_MAXINTEGER) <= (lua_Integer)q->size) {
    lua_pushboolean(L, false);
    return 1;
  }
  lua_settop(L, 3);
  if (time_us < 0 || time_us > TIME_MAX)
    jg_raise(L, "time_out_of_range", "the lab's clock cannot reach %I us", (LUAI_UACINT)time_us);
  if (q->size == SIZE_MAX_EVENTS)
    jg_raise(L, "queue_full", "more than %d events wait at %I us", (int)SIZE_MAX_EVENTS,
             (LUAI_UACINT)time_us);
  if (q->size == q->capacity) grow(L, q);
  unsigned slot = q->items[q->size].slot;
  lua_getiuservalue(L, 1, VALUES);
  lua_insert(L, 3);
  lua_rawseti(L, 3, (lua_Integer)slot + 1); /* may raise, so it comes first; runs no finalizer */
  if (q->sequence == SEQUENCE_MAX) renumber(q);
  int64_t key = time_us << SEQUENCE_BITS | ++q->sequence;
  item *items = q->items;
  unsigned i = q->size++;
  for (; i > 0; i = (i - 1) / 2) { /* sift up: pull parents down into the hole */
    unsigned parent = (i - 1) / 2;
    if (items[parent].key < key) break;
    items[i] = items[parent];
  }
  items[i] = (item){key, slot};
  lua_pushboolean(L, true);
  return 1;
}

/* Takes the first item out and keeps its slot behind the heap. */
static item take_first(queue *q) {
  item *items = q->items;
  item first = items[0], last = items[--q->size];
  unsigned size = q->size, i = 0, child;
  while ((child = 2 * i + 1) < size) { /* sift the last one down from the root */
    if (child + 1 < size && items[child + 1].key < items[child].key) child++;
    if (last.key < items[child].key) break;
    items[i] = items[child];
    i = child;
  }
  items[i] = last;
  items[size] = first;
  return first;
}

/* pop(queue [, limit_us]): time, value and key of the first event; nil when none waits, or none up
** to the limit. */
static int queue_pop(lua_State *L) {
  queue *q = jg_self(L, QUEUE);
  lua_Integer limit_us = luaL_optinteger(L, 2, TIME_MAX);
  if (q->size == 0 || q->items[0].key >> SEQUENCE_BITS > limit_us) {
    lua_pushnil(L);
    return 1;
  }
  lua_settop(L, 1);
  lua_getiuservalue(L, 1, VALUES);
  item first = take_first(q);
  lua_pushinteger(L, first.key >> SEQUENCE_BITS);
  lua_rawgeti(L, 2, (lua_Integer)first.slot + 1);
  lua_pushnil(L);
  lua_rawseti(L, 2, (lua_Integer)first.slot + 1);
  lua_pushinteger(L, first.key);
  return 3;
}

/* peek(queue): when the first event is due; nil when none waits. */
static int queue_peek(lua_State *L) {
  queue *q = jg_self(L, QUEUE);
  if (q->size == 0)
    lua_pushnil(L);
  else
    lua_pushinteger(L, q->items[0].key >> SEQUENCE_BITS);
  return 1;
}

/* list(queue): times, values and keys of all that wait, three arrays in the order of the queue. */
static int queue_list(lua_State *L) {
  queue *q = jg_self(L, QUEUE);
  lua_settop(L, 1);
  if (q->size > 1) /* a sorted array is a heap */
    qsort(q->items, q->size, sizeof *q->items, compare_items);
  lua_getiuservalue(L, 1, VALUES);
  for (int i = 0; i < 3; i++)
    lua_createtable(L, (int)q->size, 0); /* 3: times; 4: values; 5: keys */
  for (unsigned i = 0; i < q->size; i++) {
    item it = q->items[i];
    lua_Integer n = (lua_Integer)i + 1;
    lua_pushinteger(L, it.key >> SEQUENCE_BITS);
    lua_rawseti(L, 3, n);
    lua_rawgeti(L, 2, (lua_Integer)it.slot + 1);
    lua_rawseti(L, 4, n);
    lua_pushinteger(L, it.key);
    lua_rawseti(L, 5, n);
  }
  return 3;
}

/* remove(queue, key, value): the time of that event, wherever it stands; nil, and nothing done, when
** it does not wait. */
static int queue_remove(lua_State *L) {
  queue *q = jg_self(L, QUEUE);
  lua_Integer key = luaL_checkinteger(L, 2);
  item *items = q->items;
  unsigned i = 0;
  while (i < q->size && items[i].key != key) i++;
  lua_settop(L, 3);
  lua_getiuservalue(L, 1, VALUES);
  if (i < q->size) lua_rawgeti(L, 4, (lua_Integer)items[i].slot + 1);
  if (i == q->size || !lua_rawequal(L, 3, 5)) {
    lua_pushnil(L);
    return 1;
  }
  item removed = items[i];
  for (; i > 0; i = (i - 1) / 2) /* it becomes the first one: its ancestors move down */
    items[i] = items[(i - 1) / 2];
  items[0] = removed;
  take_first(q);
  lua_pushnil(L);
  lua_rawseti(L, 4, (lua_Integer)removed.slot + 1);
  lua_pushinteger(L, removed.key >> SEQUENCE_BITS);
  return 1;
}

/* Upvalue 2: the methods. */
static int queue_index(lua_State *L) {
  queue *q = jg_self(L, QUEUE);
  const char *name = lua_type(L, 2) == LUA_TSTRING ? lua_tostring(L, 2) : "";
  if (strcmp(name, "size") == 0) {
    lua_pushinteger(L, q->size);
  } else if (strcmp(name, "sequence") == 0) {
    lua_pushinteger(L, q->sequence);
  } else {
    lua_settop(L, 2);
    lua_rawget(L, lua_upvalueindex(2));
  }
  return 1;
}

/* Only the sequence can be set, and only upwards: for who wants to see it used up. */
static int queue_newindex(lua_State *L) {
  queue *q = jg_self(L, QUEUE);
  lua_Integer sequence = luaL_checkinteger(L, 3);
  luaL_argcheck(L, strcmp(luaL_checkstring(L, 2), "sequence") == 0, 2, "no such field");
  luaL_argcheck(L, sequence >= q->sequence && sequence <= SEQUENCE_MAX, 3, "out of range");
  q->sequence = sequence;
  return 0;
}

static int queue_release(lua_State *L) {
  queue *q = jg_self(L, QUEUE);
  free(q->items);
  *q = (queue){0};
  return 0;
}

static int queue_new(lua_State *L) {
  queue *q = lua_newuserdatauv(L, sizeof *q, 1);
  *q = (queue){0};
  lua_createtable(L, 64, 0);
  lua_setiuservalue(L, -2, VALUES);
  lua_pushvalue(L, lua_upvalueindex(1));
  lua_setmetatable(L, -2);
  return 1;
}

static const luaL_Reg functions[] = {{"new", queue_new},
                                     {"push", queue_push},
                                     {"pop", queue_pop},
                                     {"peek", queue_peek},
                                     {"list", queue_list},
                                     {"remove", queue_remove},
                                     {NULL, NULL}};
static const luaL_Reg metamethods[] = {
    {"__newindex", queue_newindex}, {"__gc", queue_release}, {NULL, NULL}};

/* Pushes what jangada.lab.heap shows. */
void jg_push_queue(lua_State *L) {
  lua_createtable(L, 0, 8);
  lua_createtable(L, 0, 8); /* stack: functions metatable */
  lua_pushliteral(L, QUEUE);
  lua_setfield(L, -2, "__name");
  lua_pushboolean(L, false);
  lua_setfield(L, -2, "__metatable");
  lua_pushvalue(L, -1);
  luaL_setfuncs(L, metamethods, 1);
  lua_pushvalue(L, -1);
  lua_pushvalue(L, -3);
  lua_pushcclosure(L, queue_index, 2);
  lua_setfield(L, -2, "__index");
  luaL_setfuncs(L, functions, 1);
}
