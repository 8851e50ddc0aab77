/* SPDX-License-Identifier: MIT
**
** check_free.c - the free list: transaction id -> {count, page, page, ...}, the pages that the
** transaction gave back, in descending order. A record may have room for more than it holds.
*/
#include "check.h"

#include <string.h>

#define CHUNK 512u /* numbers read at once */

/* Bytes of a value, from the page that holds it or from its overflow pages. */
static bool read_value(jg_check *c, const jg_value *value, uint64_t from, void *into, size_t size) {
  if (value->at != 0) return jg_read(&c->source, value->at + from, into, size) == 0;
  memcpy(into, value->head.bytes + from, size);
  return true;
}

static const char *claim_pages(jg_check *c, uint64_t page, const jg_value *value, uint64_t count) {
  unsigned char bytes[CHUNK * sizeof(uint64_t)];
  uint64_t last = UINT64_MAX;
  for (uint64_t done = 0; done < count;) {
    uint64_t n = count - done < CHUNK ? count - done : CHUNK;
    if (!read_value(c, value, (1 + done) * sizeof last, bytes, n * sizeof last))
      return "it cannot be read";
    for (uint64_t i = 0; i < n && c->failure == 0; i++) {
      uint64_t number = jg_native_u64(bytes + i * sizeof last);
      if (number >= last) return "its pages are not in descending order";
      jg_claim(c, number, JG_USE_FREE, JG_FREE_TREE, page);
      last = number;
    }
    if (c->failure != 0) break;
    done += n;
  }
  return NULL;
}

static const char *claim_record(jg_check *c, uint64_t page, jg_bytes key, const jg_value *value) {
  unsigned char bytes[sizeof(uint64_t)];
  if (key.size != sizeof bytes) return "its key is no transaction id";
  uint64_t id = jg_native_u64(key.bytes);
  if (id == 0 || id > c->meta.tx_id) return "its transaction has not been yet";
  if (value->size < sizeof bytes) return "it is too short";
  if (!read_value(c, value, 0, bytes, sizeof bytes)) return "it cannot be read";
  uint64_t count = jg_native_u64(bytes);
  if (count > value->size / sizeof bytes - 1) return "it holds less than it says";
  return claim_pages(c, page, value, count);
}

void jg_check_free_record(jg_check *c, uint64_t page, jg_bytes key, const jg_value *value) {
  const char *problem = claim_record(c, page, key, value);
  if (problem == NULL) return;
  c->whole = false; /* the pages that it does not name would seem leaked */
  jg_report(c, JG_BAD_FREE_LIST, page, "a record of the free list on page %llu: %s", ull(page),
            problem);
}
