/* SPDX-License-Identifier: MIT
**
** records.c - values with a fixed header and a checksum, written and read many at a time.
**
** A layout says what a value is made of, from its first byte on:
**
**     "time:I8 kind:I1? sum:T :C text:*"
**
**     I1 to I8   a field of the row: an unsigned integer of so many bytes, big-endian; with a
**                question mark, 0 where the row has none; with a plus, one that never falls from
**                a row to the next
**     T          8 bytes, the sum of the sizes of the rest, of this record and all before it
**     C          4 bytes, CRC-32C over the key (8 bytes, big-endian) and all else of the value
**     *          the rest, a field of the row: a string; it stands last
**
** store.pack_records makes values out of rows (tables with these fields), for bucket:append: one
** string, with the size of each before it. bucket:records reads them back as columns, an array for
** each field that has a name and is no C. In between no header, no checksum and no value becomes a
** Lua value.
*/
#include "journal.h"
#include "records.h"

#include <stdio.h>
#include <string.h>

/* ---- writing ------------------------------------------------------------------------------- */

/* The stack of pack_records(layout, first, rows [, total]): its arguments, what belongs to one row,
** the names of its fields as they were found, and the buffer. */
enum { LAYOUT = 1, FIRST, ROWS, TOTAL, ROW, REST, NAMES };
enum { SIZE_SIZE = 4, ROOM_MAX = 1 << 20 };

typedef struct pack {
  jg_layout layout;
  const char *text; /* of the layout */
  uint64_t key, total;
  const char *seen[JG_FIELDS_MAX]; /* the strings at NAMES */
  uint64_t before[JG_FIELDS_MAX];  /* of the record before, in fields that never fall */
} pack;

typedef struct row {
  uint64_t numbers[JG_FIELDS_MAX]; /* of those that are not absent */
  uint8_t states[JG_FIELDS_MAX];   /* of the integers */
  bool has_unknown;                /* a key that is no field */
} row;

enum { ABSENT, GOOD, BAD };

static bool is_of_row(const jg_field *f) {
  return f->kind == 'I' || f->kind == '*';
}

/* The field that the string at `idx` names, or NULL. The same string is found again by its address:
** it is kept on the stack, so no other can have that. */
static const jg_field *find_field(lua_State *L, pack *p, int idx) {
  size_t size;
  if (lua_type(L, idx) != LUA_TSTRING) return NULL;
  const char *name = lua_tolstring(L, idx, &size);
  for (int i = 0; i < p->layout.count; i++)
    if (p->seen[i] == name) return &p->layout.fields[i];
  for (int i = 0; i < p->layout.count; i++) {
    const jg_field *f = &p->layout.fields[i];
    if (f->name_size != size || !is_of_row(f) || memcmp(p->text + f->name, name, size) != 0)
      continue;
    p->seen[i] = name;
    lua_copy(L, idx, NAMES + i);
    return f;
  }
  return NULL;
}

/* Reads the row at ROW in one pass: its integers, and the rest to REST. */
static void read_row(lua_State *L, pack *p, row *r) {
  memset(r->states, ABSENT, sizeof r->states);
  r->has_unknown = false;
  lua_pushnil(L);
  lua_copy(L, -1, REST);
  while (lua_next(L, ROW)) {
    const jg_field *f = find_field(L, p, -2);
    if (f == NULL)
      r->has_unknown = true;
    else if (f->kind == '*')
      lua_copy(L, -1, REST);
    else {
      bool is_integer = lua_isinteger(L, -1);
      uint64_t n = is_integer ? (uint64_t)lua_tointeger(L, -1) : 0;
      bool fits = f->width == 8 ? n <= INT64_MAX : n >> (8 * f->width) == 0;
      r->numbers[f - p->layout.fields] = n;
      r->states[f - p->layout.fields] = is_integer && fits ? GOOD : BAD;
    }
    lua_pop(L, 1);
  }
}

static bool push_name(lua_State *L, const pack *p, const jg_field *f) {
  lua_pushlstring(L, p->text + f->name, f->name_size);
  return true;
}

/* Pushes the key that is at fault in the row, if there is one: first a field, then what is none. */
static bool push_fault(lua_State *L, pack *p, const row *r) {
  const jg_layout *l = &p->layout;
  if (lua_type(L, REST) != LUA_TSTRING) return push_name(L, p, &l->fields[l->count - 1]);
  for (int i = 0; i < l->count; i++) {
    const jg_field *f = &l->fields[i];
    if (f->kind != 'I') continue;
    bool is_good = r->states[i] == GOOD || (r->states[i] == ABSENT && f->optional);
    if (!is_good || (f->ascends && r->numbers[i] < p->before[i])) return push_name(L, p, f);
    if (f->ascends) p->before[i] = r->numbers[i];
  }
  if (!r->has_unknown) return false;
  for (lua_pushnil(L); lua_next(L, ROW); lua_pop(L, 1))
    if (find_field(L, p, -2) == NULL) break;
  lua_pop(L, 1);
  return true;
}

static void fill_header(const pack *p, const row *r, unsigned char *at) {
  const jg_layout *l = &p->layout;
  for (int i = 0; i < l->count - 1; i++) {
    const jg_field *f = &l->fields[i];
    uint64_t n = f->kind == 'T' ? p->total : r->states[i] == GOOD ? r->numbers[i] : 0;
    at = jg_put_field(at, f->width, n);
  }
}

/* Room for this value behind those that are there; for the first one, for all rows that are left
** if they are like it, within reason. */
static unsigned char *make_room(luaL_Buffer *buffer, size_t size, lua_Integer rows_left) {
  size_t more = luaL_bufflen(buffer) > 0 ? 1 : ROOM_MAX / size;
  if ((lua_Unsigned)rows_left < more) more = (size_t)rows_left;
  return (unsigned char *)luaL_prepbuffsize(buffer, more > 1 ? more * size : size);
}

static void add_value(lua_State *L, pack *p, const row *r, luaL_Buffer *buffer,
                      lua_Integer rows_left) {
  unsigned char key[8];
  size_t header = p->layout.header, rest_size;
  const char *rest = lua_tolstring(L, REST, &rest_size);
  if (rest_size > JG_VALUE_SIZE_MAX - header)
    jg_raise(L, "value_too_large", "pack_records: a value of %I bytes is over the limit of %I",
             (LUAI_UACINT)(rest_size + header), (LUAI_UACINT)JG_VALUE_SIZE_MAX);
  p->total += rest_size;
  luaL_argcheck(L, p->total <= INT64_MAX, TOTAL, "the total passes 2^63-1");
  size_t size = SIZE_SIZE + header + rest_size;
  unsigned char *into = make_room(buffer, size, rows_left);
  jg_put_u32(into, header + rest_size);
  into += SIZE_SIZE;
  fill_header(p, r, into);
  memcpy(into + header, rest, rest_size);
  if (p->layout.has_crc) {
    jg_put_u64(key, p->key);
    jg_put_field(into + p->layout.crc_at, JG_CRC_SIZE,
                 jg_record_checksum(&p->layout, key, into, rest, rest_size));
  }
  luaL_addsize(buffer, size);
}

static lua_Integer check_natural(lua_State *L, int idx) {
  luaL_checktype(L, idx, LUA_TNUMBER);
  lua_Integer n = luaL_checkinteger(L, idx);
  luaL_argcheck(L, n >= 0, idx, "it is below 0");
  return n;
}

/* store.pack_records(layout, first, rows [, total]): the values in one string, and the new total;
** or nil, the number of the first row that is not as it should be, and the key in it that is at
** fault (nil: it is no plain table). */
int jg_pack_records(lua_State *L) {
  pack p = {.total = 0};
  row r;
  luaL_Buffer buffer;
  lua_settop(L, TOTAL);
  jg_check_layout(L, LAYOUT, &p.layout);
  p.text = lua_tostring(L, LAYOUT);
  p.key = (uint64_t)check_natural(L, FIRST);
  luaL_checktype(L, ROWS, LUA_TTABLE);
  p.total = lua_isnil(L, TOTAL) ? 0 : (uint64_t)check_natural(L, TOTAL);
  lua_Integer n = (lua_Integer)lua_rawlen(L, ROWS);
  if (n > 0 && p.key + (uint64_t)(n - 1) > INT64_MAX)
    jg_raise(L, "key_out_of_range", "pack_records: a key past 2^63-1");
  lua_settop(L, NAMES + JG_FIELDS_MAX - 1); /* the buffer's place is above all of these */
  luaL_buffinit(L, &buffer);
  for (lua_Integer i = 1; i <= n; i++, p.key++) {
    lua_rawgeti(L, ROWS, i);
    lua_replace(L, ROW);
    bool is_plain = lua_istable(L, ROW) && !lua_getmetatable(L, ROW);
    if (is_plain) read_row(L, &p, &r);
    if (!is_plain || push_fault(L, &p, &r)) {
      if (!is_plain) lua_pushnil(L);
      lua_pushnil(L);
      lua_pushinteger(L, i);
      lua_pushvalue(L, -3);
      return 3;
    }
    add_value(L, &p, &r, &buffer, n - i + 1);
  }
  luaL_pushresult(&buffer);
  lua_pushinteger(L, (lua_Integer)p.total);
  return 2;
}

/* ---- reading ------------------------------------------------------------------------------- */

/* What is wrong with a value, or NULL. The text, if there is one, is on top of the stack. */
static const char *find_fault(lua_State *L, const jg_layout *l, const unsigned char key[8],
                              const MDB_val *value) {
  const unsigned char *p = value->mv_data;
  if (value->mv_size < l->header)
    return lua_pushfstring(L, "is damaged: it has %I bytes, and its header %I",
                           (LUAI_UACINT)value->mv_size, (LUAI_UACINT)l->header);
  if (!l->has_crc) return NULL;
  uint32_t said = (uint32_t)jg_get_field(p + l->crc_at, JG_CRC_SIZE);
  uint32_t found = jg_record_checksum(l, key, p, p + l->header, value->mv_size - l->header);
  if (said == found) return NULL;
  char text[96];
  snprintf(text, sizeof text, "is damaged: its CRC-32C says %08x, its bytes give %08x",
           (unsigned)said, (unsigned)found);
  return lua_pushstring(L, text);
}

static void push_field(lua_State *L, const jg_layout *l, const jg_field *f, const unsigned char *p,
                       const MDB_val *value) {
  if (f->kind == '*')
    lua_pushlstring(L, (const char *)p, value->mv_size - l->header);
  else
    lua_pushinteger(L, (lua_Integer)jg_get_field(p, f->width));
}

/* store.unpack_record(layout, key, value): the fields with names, in their order; or nil and what
** is wrong with it. */
int jg_unpack_record(lua_State *L) {
  jg_layout l;
  unsigned char key[8];
  MDB_val value;
  jg_check_layout(L, 1, &l);
  jg_put_u64(key, (uint64_t)check_natural(L, 2));
  luaL_checktype(L, 3, LUA_TSTRING);
  value.mv_data = (void *)lua_tolstring(L, 3, &value.mv_size);
  if (find_fault(L, &l, key, &value) != NULL) {
    lua_pushnil(L);
    lua_insert(L, -2);
    return 2;
  }
  int top = lua_gettop(L);
  const unsigned char *p = value.mv_data;
  for (int i = 0; i < l.count; p += l.fields[i++].width)
    if (jg_is_read(&l.fields[i])) push_field(L, &l, &l.fields[i], p, &value);
  return lua_gettop(L) - top;
}

/* The stack of bucket:records(layout, from, to [, bytes_max]), then the cursor and the columns. */
enum { BUCKET = 1, ITS_LAYOUT, FROM, TO, BYTES_MAX, CURSOR, COLUMNS };

typedef struct reading {
  jg_layout layout;
  lua_Integer bytes_left;
} reading;

/* Adds a record to the columns, in row n. Pushing the rest may run finalizers, so it comes last:
** `value` is in the map. */
static void add_row(lua_State *L, const jg_layout *l, const MDB_val *value, lua_Integer n) {
  const unsigned char *p = value->mv_data;
  int column = COLUMNS;
  for (int i = 0; i < l->count; p += l->fields[i++].width) {
    if (!jg_is_read(&l->fields[i])) continue;
    push_field(L, l, &l->fields[i], p, value);
    lua_rawseti(L, column++, n);
  }
}

/* Reads on until there is a reason to stop; returns the number of rows, and pushes what is wrong
** with the next record, or nil. */
static lua_Integer read_rows(lua_State *L, jg_cursor *c, reading *r, jg_key *from, lua_Integer n) {
  MDB_val key, value;
  size_t skip = c->bucket->prefixed ? JG_PREFIX_SIZE : 0;
  uint64_t expected = jg_get_u64(from->bytes + skip);
  for (lua_Integer i = 1; i <= n; i++, expected++) {
    jg_bucket_check(L, c->bucket);
    if (!c->h.open) jg_raise(L, "cursor_closed", "records: the transaction has ended");
    int rc = i == 1 ? jg_cursor_seek(c, &from->val, &key, &value)
                    : jg_cursor_move(c, MDB_NEXT, &key, &value);
    if (rc != 0 && rc != MDB_NOTFOUND) jg_raise_rc(L, rc, "records");
    if (rc == MDB_NOTFOUND || key.mv_size != skip + 8 ||
        jg_get_u64((const unsigned char *)key.mv_data + skip) != expected) {
      lua_pushliteral(L, "is missing");
      return i - 1;
    }
    size_t header = r->layout.header;
    r->bytes_left -= value.mv_size > header ? (lua_Integer)(value.mv_size - header) : 0;
    if (r->bytes_left < 0 && i > 1) {
      n = i - 1;
      break;
    }
    if (find_fault(L, &r->layout, (const unsigned char *)key.mv_data + skip, &value) != NULL)
      return i - 1;
    add_row(L, &r->layout, &value, i);
  }
  lua_pushnil(L);
  return n;
}

/* bucket:records(layout, from, to [, bytes_max]): how many, an array for each field with a name,
** and what is wrong with the record after them, where that is why they end. */
int jg_records(lua_State *L) {
  reading r;
  jg_key from, to;
  jg_bucket *b = jg_check_bucket(L, BUCKET);
  lua_settop(L, BYTES_MAX);
  jg_check_layout(L, ITS_LAYOUT, &r.layout);
  luaL_argcheck(L, (b->record.flags & JG_INTEGER_KEYS) != 0, BUCKET, "its keys are no integers");
  jg_check_bound(L, FROM, b, "records", &from);
  jg_check_bound(L, TO, b, "records", &to);
  r.bytes_left = lua_isnil(L, BYTES_MAX) ? LUA_MAXINTEGER : check_natural(L, BYTES_MAX);
  size_t skip = b->prefixed ? JG_PREFIX_SIZE : 0;
  lua_Integer first = (lua_Integer)jg_get_u64(from.bytes + skip);
  lua_Integer last = (lua_Integer)jg_get_u64(to.bytes + skip);
  lua_Integer n = last < first ? 0 : last - first == LUA_MAXINTEGER ? last : last - first + 1;
  luaL_checkstack(L, JG_FIELDS_MAX + 8, NULL);
  jg_cursor *c = jg_cursor_new(L, BUCKET);
  for (int i = 0; i < r.layout.count; i++)
    if (jg_is_read(&r.layout.fields[i])) lua_createtable(L, (int)(n < 256 ? n : 256), 0);
  lua_Integer count = read_rows(L, c, &r, &from, n);
  jg_close(&c->h);
  b->tx->counts.gets += (uint64_t)count;
  lua_pushinteger(L, count);
  lua_replace(L, CURSOR);
  return lua_gettop(L) - CURSOR + 1;
}
