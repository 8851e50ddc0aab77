/* SPDX-License-Identifier: MIT
**
** pages.c - the format of an LMDB 0.9 file, read byte by byte.
**
** A file is an array of pages of one size (the system's, 4096 almost everywhere). Numbers are in
** the machine's own byte order.
**
**     page 0      page 1      page 2 ...
**     +---------+ +---------+ +---------+     The metas are written in turn: transaction N goes to
**     | meta    | | meta    | | tree,   | ... page N % 2, the one with the higher id counts. A
**     | (even)  | | (odd)   | | free... |     commit writes no page that the last one uses.
**     +---------+ +---------+ +---------+
**
** A meta holds the heads of two B+ trees. The free list: transaction id -> the pages that it gave
** back, {count, page, page, ...} in descending order. The main database: keys of its own, and
** named trees (name -> head of a tree). A page of a tree:
**
**     0          8     10      12      14      16              lower           upper     page size
**     +----------+-----+-------+-------+-------+-------+-------+---------------+-------------+
**     | number   | pad | flags | lower | upper | off 0 | off 1 | ... free ...  | node  node  |
**     +----------+-----+-------+-------+-------+-------+-------+---------------+-------------+
**                                                  |       |__________________ ^      ^
**                                                  |__________________________________|
**     The offsets are sorted by key, the nodes lie as they came, each of an even size.
**
**     leaf node      lo 2 | hi 2 | flags 2 | key size 2 | key | value            size = lo, hi
**                    with BIG: ...                      | key | page number 8    of the value
**     branch node    lo 2 | hi 2 | top 2   | key size 2 | key                    page = lo, hi, top
**                    the key of node 0 is not used: it stands below all others
**
**     overflow page  number 8 | pad 2 | flags 2 | run 4 | value ... to the end of `run` pages
**     fixed leaf     header | key key key ...           keys of `pad` bytes, no offsets
**
** In a tree with several values to a key (DUPS), these are keys of a sub-page (a small page inside
** the node) or, when too many, of a tree whose head is the node's value.
**
** Nothing here follows anything: the functions look at the bytes they are given, reach no byte
** outside of them, and leave it to the caller what to make of the numbers.
*/
#include "pages.h"

#include <errno.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

_Static_assert(sizeof(size_t) == 8, "LMDB's format differs on 32-bit machines");

#define META_MAGIC 0xBEEFC0DEu
#define META_VERSION 1u

/* ---- sources ------------------------------------------------------------------------------- */

static int read_file(const jg_source *source, uint64_t at, void *into, size_t size) {
  for (unsigned char *p = into; size > 0;) {
    ssize_t n = pread(source->fd, p, size, (off_t)at);
    if (n < 0 && errno == EINTR) continue;
    if (n <= 0) return n < 0 ? errno : ENODATA;
    p += n;
    at += (uint64_t)n;
    size -= (size_t)n;
  }
  return 0;
}

static int read_memory(const jg_source *source, uint64_t at, void *into, size_t size) {
  memcpy(into, source->bytes + at, size);
  return 0;
}

int jg_source_file(jg_source *source, int fd) {
  struct stat st;
  if (fstat(fd, &st) != 0) return errno;
  *source = (jg_source){.read = read_file, .size = (uint64_t)st.st_size, .fd = fd};
  return 0;
}

void jg_source_memory(jg_source *source, const void *bytes, size_t size) {
  *source = (jg_source){.read = read_memory, .size = size, .fd = -1, .bytes = bytes};
}

int jg_read(const jg_source *source, uint64_t at, void *into, size_t size) {
  if (size > source->size || at > source->size - size) return ENODATA;
  return size == 0 ? 0 : source->read(source, at, into, size);
}

/* ---- numbers: LMDB aligns them to two bytes at best ---------------------------------------- */

static uint16_t get_u16(const unsigned char *from) {
  uint16_t n;
  memcpy(&n, from, sizeof n);
  return n;
}

static uint32_t get_u32(const unsigned char *from) {
  uint32_t n;
  memcpy(&n, from, sizeof n);
  return n;
}

uint64_t jg_native_u64(const unsigned char from[8]) {
  uint64_t n;
  memcpy(&n, from, sizeof n);
  return n;
}

/* The first four bytes of a node: two halves, which LMDB lays out so that they read as one. */
static uint32_t get_halves(const unsigned char *from) {
  return get_u32(from);
}

/* ---- metas and heads ----------------------------------------------------------------------- */

bool jg_page_size_possible(uint64_t size) {
  return size >= JG_PAGE_SIZE_MIN && size <= JG_PAGE_SIZE_MAX && (size & (size - 1)) == 0;
}

void jg_tree_head_parse(jg_tree_head *head, const unsigned char bytes[JG_TREE_HEAD]) {
  head->pad = get_u32(bytes);
  head->flags = get_u16(bytes + 4);
  head->depth = get_u16(bytes + 6);
  head->branch_pages = jg_native_u64(bytes + 8);
  head->leaf_pages = jg_native_u64(bytes + 16);
  head->overflow_pages = jg_native_u64(bytes + 24);
  head->entries = jg_native_u64(bytes + 32);
  head->root = jg_native_u64(bytes + 40);
}

/* magic 4 | version 4 | map address 8 | map size 8 | head 48 | head 48 | last page 8 | id 8 */
void jg_meta_parse(jg_meta *meta, const unsigned char bytes[JG_META_SIZE]) {
  const unsigned char *p = bytes + JG_PAGE_HEADER;
  meta->number = jg_native_u64(bytes);
  meta->flags = get_u16(bytes + 10);
  meta->magic = get_u32(p);
  meta->version = get_u32(p + 4);
  meta->map_size = jg_native_u64(p + 16);
  jg_tree_head_parse(&meta->trees[0], p + 24);
  jg_tree_head_parse(&meta->trees[1], p + 24 + JG_TREE_HEAD);
  meta->last_page = jg_native_u64(p + 24 + 2 * JG_TREE_HEAD);
  meta->tx_id = jg_native_u64(p + 32 + 2 * JG_TREE_HEAD);
  meta->page_size = meta->trees[0].pad; /* LMDB keeps it there */
}

const char *jg_meta_problem(const jg_meta *meta, uint64_t number) {
  if (meta->magic != META_MAGIC) return "it has not LMDB's magic";
  if (meta->flags != JG_PAGE_META) return "its flags are not those of a meta page";
  if (meta->version != META_VERSION) return "it has another version of LMDB's format";
  if (!jg_page_size_possible(meta->page_size)) return "it names an impossible page size";
  if (meta->number != number) return "it bears another page's number";
  if (meta->last_page < JG_META_COUNT - 1) return "it names an impossible last page";
  return NULL;
}

/* ---- pages and nodes ----------------------------------------------------------------------- */

void jg_page_parse(jg_page *page, const unsigned char *bytes, size_t size) {
  *page = (jg_page){.bytes = bytes, .size = size};
  page->number = jg_native_u64(bytes);
  page->pad = get_u16(bytes + 8);
  page->flags = get_u16(bytes + 10);
  page->lower = get_u16(bytes + 12);
  page->upper = get_u16(bytes + 14);
  page->run = get_u32(bytes + 12);
  page->count = page->lower < JG_PAGE_HEADER ? 0 : (page->lower - JG_PAGE_HEADER) / 2u;
}

const char *jg_page_problem(const jg_page *page) {
  if (page->lower < JG_PAGE_HEADER || page->lower % 2 != 0)
    return "the end of its offsets is impossible";
  if ((page->flags & JG_PAGE_FIXED) != 0)
    return page->pad > 0 && page->count <= (page->size - JG_PAGE_HEADER) / page->pad
               ? NULL
               : "it has more keys than fit into it";
  if (page->upper > page->size || page->lower > page->upper)
    return "the bounds of its free space are impossible";
  return NULL;
}

/* Of a page without a problem, and an index below its count. */
static bool parse_fixed(const jg_page *page, unsigned index, jg_node *node) {
  *node = (jg_node){.offset = JG_PAGE_HEADER + index * page->pad, .size = page->pad};
  node->key = page->bytes + node->offset;
  node->key_size = page->pad;
  node->data = node->key + page->pad;
  return true;
}

bool jg_node_parse(const jg_page *page, unsigned index, jg_node *node) {
  if ((page->flags & JG_PAGE_FIXED) != 0) return parse_fixed(page, index, node);
  size_t offset = get_u16(page->bytes + JG_PAGE_HEADER + 2u * index);
  if (offset < page->upper || offset % 2 != 0 || offset > page->size ||
      page->size - offset < JG_NODE_HEADER)
    return false;
  const unsigned char *p = page->bytes + offset;
  size_t left = page->size - offset - JG_NODE_HEADER;
  *node = (jg_node){.offset = (unsigned)offset, .flags = get_u16(p + 4)};
  node->key = p + JG_NODE_HEADER;
  node->key_size = get_u16(p + 6);
  if (node->key_size > left) return false;
  left -= node->key_size;
  if ((page->flags & JG_PAGE_BRANCH) != 0) {
    node->page = get_halves(p) | (uint64_t)node->flags << 32;
    node->flags = 0;
  } else {
    node->value_size = get_halves(p);
    node->data_size = (node->flags & JG_NODE_BIG) != 0 ? sizeof node->page : node->value_size;
    if (node->data_size > left) return false;
  }
  node->data = node->key + node->key_size;
  node->size = (unsigned)(JG_NODE_HEADER + node->key_size + node->data_size);
  if ((node->flags & JG_NODE_BIG) != 0) node->page = jg_native_u64(node->data);
  return true;
}

/* ---- the order of keys ----------------------------------------------------------------- */

/* From the flags of a tree, of which two tell: for its keys, or for the values of a key. */
jg_key_order jg_key_order_of(uint16_t flags, uint16_t integer, uint16_t reverse) {
  if ((flags & integer) != 0) return JG_BY_INTEGER;
  return (flags & reverse) != 0 ? JG_BY_BYTES_REVERSED : JG_BY_BYTES;
}

static int compare_backwards(jg_bytes a, jg_bytes b) {
  size_t size = a.size < b.size ? a.size : b.size;
  for (size_t i = 1; i <= size; i++) {
    int order = a.bytes[a.size - i] - b.bytes[b.size - i];
    if (order != 0) return order;
  }
  return (a.size > b.size) - (a.size < b.size);
}

int jg_compare_keys(jg_key_order order, jg_bytes a, jg_bytes b) {
#if __BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__
  if (order == JG_BY_INTEGER) return compare_backwards(a, b); /* all are of one size */
#endif
  if (order == JG_BY_BYTES_REVERSED) return compare_backwards(a, b);
  int by_bytes = memcmp(a.bytes, b.bytes, a.size < b.size ? a.size : b.size);
  return by_bytes != 0 ? by_bytes : (a.size > b.size) - (a.size < b.size);
}
