/* SPDX-License-Identifier: MIT
**
** layout.c - reads what a layout of records says. records.c has the grammar.
*/
#include "records.h"

#include <string.h>

/* Layouts are constants of their users, and few: those read last are kept. */
enum { TEXT_MAX = 127, KEPT = 4 };

static _Thread_local struct {
  size_t size;
  char text[TEXT_MAX];
  jg_layout layout;
} kept[KEPT];

static _Thread_local unsigned next_kept;

static void check(lua_State *L, int idx, bool is_good, const char *rule) {
  if (!is_good) luaL_argerror(L, idx, lua_pushfstring(L, "a bad layout: %s", rule));
}

/* Reads one field at p; returns where the next one begins. */
static const char *parse_field(lua_State *L, int idx, const char *text, const char *p,
                               jg_field *f) {
  size_t size = strcspn(p, ": ");
  check(L, idx, p[size] == ':', "a field is name:kind");
  *f = (jg_field){.name = (uint8_t)(p - text), .name_size = (uint8_t)size, .kind = p[size + 1]};
  p += size + 1;
  check(L, idx, *p != '\0' && strchr("ITC*", *p) != NULL, "kinds are I1 to I8, T, C and *");
  p++;
  f->width = f->kind == 'T' ? 8 : f->kind == 'C' ? JG_CRC_SIZE : 0;
  check(L, idx, size > 0 || f->width > 0, "only T and C go without a name");
  if (f->kind == 'I') {
    check(L, idx, *p >= '1' && *p <= '8', "an integer has 1 to 8 bytes");
    f->width = (uint8_t)(*p++ - '0');
    f->optional = *p == '?';
    f->ascends = *p == '+';
    if (f->optional || f->ascends) p++;
  }
  check(L, idx, *p == '\0' || *p == ' ', "a space ends a field");
  check(L, idx, (f->kind == '*') == (*p == '\0'), "the rest, *, stands last");
  return *p == ' ' ? p + 1 : p;
}

bool jg_is_read(const jg_field *f) {
  return f->kind != 'C' && f->name_size > 0;
}

static void parse(lua_State *L, int idx, const char *text, jg_layout *l) {
  const char *p = text;
  jg_field *f;
  *l = (jg_layout){.count = 0};
  do {
    check(L, idx, l->count < JG_FIELDS_MAX, "there are more than 8 fields");
    f = &l->fields[l->count++];
    p = parse_field(L, idx, text, p, f);
    if (f->kind == 'C') {
      check(L, idx, !l->has_crc, "it has two checksums");
      l->has_crc = true;
      l->crc_at = l->header;
    }
    l->header += f->width;
  } while (f->kind != '*'); /* which stands last */
}

void jg_check_layout(lua_State *L, int idx, jg_layout *l) {
  size_t size;
  luaL_checktype(L, idx, LUA_TSTRING);
  const char *text = lua_tolstring(L, idx, &size);
  for (int i = 0; i < KEPT; i++) {
    if (kept[i].size == size && memcmp(kept[i].text, text, size) == 0 && size > 0) {
      *l = kept[i].layout;
      return;
    }
  }
  check(L, idx, size <= TEXT_MAX && strlen(text) == size,
        "it has 127 bytes at most, none of them 0");
  parse(L, idx, text, l);
  unsigned at = next_kept++ % KEPT;
  memcpy(kept[at].text, text, size);
  kept[at].size = size;
  kept[at].layout = *l;
}

unsigned char *jg_put_field(unsigned char *into, unsigned width, uint64_t n) {
  if (width == 8) {
    jg_put_u64(into, n);
    return into + 8;
  }
  for (unsigned i = width; i-- > 0; n >>= 8)
    into[i] = (unsigned char)n;
  return into + width;
}

uint64_t jg_get_field(const unsigned char *from, unsigned width) {
  uint64_t n = 0;
  for (unsigned i = 0; i < width; i++)
    n = n << 8 | from[i];
  return n;
}

uint32_t jg_record_checksum(const jg_layout *l, const unsigned char key[8],
                            const unsigned char *header, const void *rest, size_t rest_size) {
  size_t after = l->crc_at + JG_CRC_SIZE;
  uint32_t crc = jg_crc32c(0, key, 8);
  crc = jg_crc32c(crc, header, l->crc_at);
  crc = jg_crc32c(crc, header + after, l->header - after);
  return jg_crc32c(crc, rest, rest_size);
}
