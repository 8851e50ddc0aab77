/* SPDX-License-Identifier: MIT
**
** check.c - the walk over a whole file: its frame, its metas, its findings. check.h has the plan.
*/
#include "check.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define PROGRESS_PAGES 1024u

const char *const jg_finding_names[] = {
#define JG_FINDING(constant, name, sentence) name,
#include "findings.h"
#undef JG_FINDING
};

const char *const jg_finding_sentences[] = {
#define JG_FINDING(constant, name, sentence) sentence,
#include "findings.h"
#undef JG_FINDING
};

const char *const jg_use_names[] = {"unused", "meta",     "free",     "branch",
                                    "leaf",   "overflow", "continued"};

/* ---- findings ------------------------------------------------------------------------------ */

/* jg_grow; memory that is short is c->failure. */
void *jg_check_grow(jg_check *c, void *array, size_t *capacity, size_t count, size_t item_size) {
  void *moved = jg_grow(array, capacity, count, item_size);
  if (moved == NULL) c->failure = ENOMEM;
  return moved;
}

void jg_report(jg_check *c, jg_finding_code code, uint64_t page, const char *format, ...) {
  if (c->finding_count >= c->settings.findings_max) {
    c->more++;
    return;
  }
  jg_finding *f =
      jg_check_grow(c, c->findings, &c->finding_capacity, c->finding_count, sizeof *c->findings);
  if (f == NULL) return;
  c->findings = f;
  f += c->finding_count;
  *f = (jg_finding){.page = page, .order = c->finding_count++, .code = code};
  va_list args;
  va_start(args, format);
  vsnprintf(f->message, sizeof f->message, format, args);
  va_end(args);
}

static int by_page(const void *a, const void *b) {
  const jg_finding *f = a, *g = b;
  if (f->page != g->page) return f->page < g->page ? -1 : 1;
  return f->order < g->order ? -1 : f->order > g->order;
}

size_t jg_check_findings(const jg_check *c, const jg_finding **findings) {
  if (c->finding_count > 0) qsort(c->findings, c->finding_count, sizeof *c->findings, by_page);
  *findings = c->findings;
  return c->finding_count;
}

uint64_t jg_check_more(const jg_check *c) {
  return c->more;
}

/* Bytes as text of at most 60 characters: what does not print is given in hexadecimal. */
const char *jg_printable(const unsigned char *bytes, size_t size, char into[JG_LABEL_SIZE]) {
  size_t at = 0;
  for (size_t i = 0; i < size; i++) {
    if (at > 56) {
      memcpy(into + at, "...", 3);
      at += 3;
      break;
    }
    if (bytes[i] >= ' ' && bytes[i] < 127 && bytes[i] != '\\' && bytes[i] != '\'')
      into[at++] = (char)bytes[i];
    else
      at += (size_t)snprintf(into + at, 5, "\\x%02x", bytes[i]);
  }
  into[at] = '\0';
  return into;
}

const char *jg_label(const jg_check *c, uint32_t tree, char into[JG_LABEL_SIZE]) {
  char name[JG_LABEL_SIZE];
  if (tree == JG_FREE_TREE) return "the free list";
  if (tree == JG_MAIN_TREE) return "the main database";
  const check_tree *t = &c->trees[tree - JG_NAMED_TREES];
  jg_printable(t->name, t->name_size, name);
  snprintf(into, JG_LABEL_SIZE, "tree '%.70s'", name);
  return into;
}

/* ---- claiming pages ------------------------------------------------------------------------ */

static void progress(jg_check *c) {
  const jg_check_settings *s = &c->settings;
  if (c->failure == 0 && s->progress != NULL && !s->progress(s->context, c->claimed, c->page_count))
    c->failure = JG_CHECK_STOPPED;
}

/* LMDB may take pages at the end of the file and free them again before they are written: then the
** file ends before its last page, and all past its end are free. */
static bool claim_past_end(jg_check *c, uint64_t page, jg_use use, uint32_t tree, uint64_t from) {
  char label[JG_LABEL_SIZE];
  bool exists = page >= JG_META_COUNT && page <= c->meta.last_page;
  if (exists && use == JG_USE_FREE) {
    c->free_past_end++;
    return true;
  }
  jg_report(c, exists ? JG_TRUNCATED : JG_OUT_OF_RANGE, from,
            "%s refers to page %llu, the file has %llu", jg_label(c, tree, label), ull(page),
            ull(c->page_count));
  return false;
}

/* Takes a page for one use. False, and reported, when it does not exist or has a use already;
** `from` is the page that refers to it. */
bool jg_claim(jg_check *c, uint64_t page, jg_use use, uint32_t tree, uint64_t from) {
  char label[JG_LABEL_SIZE];
  if (page < JG_META_COUNT || page >= c->page_count)
    return claim_past_end(c, page, use, tree, from);
  if (c->uses[page] != JG_UNUSED) {
    jg_report(c, JG_DOUBLE_USE, page, "page %llu (%s) is used again by %s, as %s page", ull(page),
              jg_use_names[c->uses[page]], jg_label(c, tree, label), jg_use_names[use]);
    return false;
  }
  c->uses[page] = (uint8_t)use;
  if (c->owners != NULL) c->owners[page] = tree;
  if (++c->claimed % PROGRESS_PAGES == 0) progress(c);
  return true;
}

/* Must be asked when the whole free list was read. */
static void report_end(jg_check *c) {
  if (c->meta.last_page < c->page_count) return;
  uint64_t missing = c->meta.last_page - c->page_count; /* and one */
  if (c->free_past_end == 0 || c->free_past_end - 1 != missing)
    jg_report(c, JG_TRUNCATED, c->page_count,
              "the file has %llu pages, its meta page says %llu, and %llu of the others are free",
              ull(c->page_count), ull(c->meta.last_page + 1), ull(c->free_past_end));
}

/* Reports the runs of pages that nobody claimed. */
static void report_leaks(jg_check *c) {
  const char *why = c->whole ? "" : " (they may belong to what could not be walked)";
  for (uint64_t page = JG_META_COUNT; page < c->page_count && c->failure == 0; page++) {
    if (c->uses[page] != JG_UNUSED) continue;
    uint64_t last = page;
    while (last + 1 < c->page_count && c->uses[last + 1] == JG_UNUSED)
      last++;
    if (last == page)
      jg_report(c, JG_LEAKED, page, "page %llu is neither used nor free%s", ull(page), why);
    else
      jg_report(c, JG_LEAKED, page, "pages %llu to %llu are neither used nor free%s", ull(page),
                ull(last), why);
    page = last;
  }
}

/* ---- metas --------------------------------------------------------------------------------- */

/* The size of the file's pages; 0 when neither meta page tells. */
uint64_t jg_find_page_size(const jg_source *source) {
  unsigned char bytes[JG_META_SIZE];
  jg_meta meta;
  if (jg_read(source, 0, bytes, sizeof bytes) == 0) {
    jg_meta_parse(&meta, bytes);
    if (jg_meta_problem(&meta, 0) == NULL) return meta.page_size;
  }
  for (uint64_t size = JG_PAGE_SIZE_MIN; size <= JG_PAGE_SIZE_MAX; size *= 2) {
    if (jg_read(source, size, bytes, sizeof bytes) != 0) continue;
    jg_meta_parse(&meta, bytes);
    if (jg_meta_problem(&meta, 1) == NULL && meta.page_size == size) return size;
  }
  return 0;
}

typedef struct metas {
  jg_meta metas[JG_META_COUNT];
  const char *problems[JG_META_COUNT]; /* NULL: a meta page */
} metas;

static void read_metas(const jg_source *source, uint64_t page_size, metas *m) {
  unsigned char bytes[JG_META_SIZE], again[JG_META_SIZE];
  for (unsigned i = 0; i < JG_META_COUNT; i++) {
    m->metas[i] = (jg_meta){0};
    m->problems[i] = "it cannot be read";
    for (int attempt = 0; attempt < 16; attempt++) { /* a writer may be at it: until two agree */
      if (jg_read(source, i * page_size, bytes, sizeof bytes) != 0 ||
          jg_read(source, i * page_size, again, sizeof again) != 0)
        break;
      if (memcmp(bytes, again, sizeof bytes) != 0) continue;
      jg_meta_parse(&m->metas[i], bytes);
      m->problems[i] = jg_meta_problem(&m->metas[i], i);
      if (m->problems[i] == NULL && m->metas[i].page_size != page_size)
        m->problems[i] = "it names another page size than the other meta page";
      break;
    }
  }
}

static unsigned newest(const metas *m) {
  if (m->problems[0] != NULL) return 1;
  return m->problems[1] == NULL && m->metas[1].tx_id > m->metas[0].tx_id;
}

static void compare_metas(jg_check *c, const metas *m) {
  const jg_meta *new = &m->metas[newest(m)], *old = &m->metas[!newest(m)];
  for (unsigned i = 0; i < JG_META_COUNT; i++)
    if (m->metas[i].tx_id != 0 && m->metas[i].tx_id % JG_META_COUNT != i)
      jg_report(c, JG_BAD_META, i, "transaction %llu is written to the other meta page",
                ull(m->metas[i].tx_id));
  if (new->tx_id == old->tx_id &&new->tx_id != 0)
    jg_report(c, JG_BAD_META, 0, "both meta pages are of transaction %llu", ull(new->tx_id));
  if (old->last_page > new->last_page)
    jg_report(c, JG_BAD_META, !newest(m),
              "the older meta page has %llu as the last page, the newer %llu: files do not shrink",
              ull(old->last_page), ull(new->last_page));
}

/* Chooses the snapshot. False: there is none to walk. */
static bool choose_meta(jg_check *c) {
  metas m;
  uint64_t page_size = jg_find_page_size(&c->source);
  if (page_size == 0) {
    jg_report(c, JG_BAD_META, 0, "not an LMDB file, or both meta pages are damaged");
    return false;
  }
  read_metas(&c->source, page_size, &m);
  unsigned which = newest(&m);
  uint64_t wanted = c->settings.pinned ? c->settings.tx_id : m.metas[which].tx_id;
  if (m.metas[which].tx_id != wanted) which = !which;
  if (m.metas[which].tx_id != wanted) {
    c->failure = JG_CHECK_MOVED;
    return false;
  }
  for (unsigned i = 0; i < JG_META_COUNT; i++)
    if (m.problems[i] != NULL) jg_report(c, JG_BAD_META, i, "meta page %u: %s", i, m.problems[i]);
  if (m.problems[0] == NULL && m.problems[1] == NULL) compare_metas(c, &m);
  if (m.problems[which] != NULL) return false;
  c->meta = m.metas[which];
  return true;
}

/* ---- the whole ----------------------------------------------------------------------------- */

static bool prepare(jg_check *c) {
  uint64_t in_file = c->source.size / c->meta.page_size;
  c->page_count = c->meta.last_page < in_file ? c->meta.last_page + 1 : in_file;
  size_t size = (size_t)c->page_count + JG_META_COUNT;
  c->uses = calloc(size, 1);
  if (c->settings.map) c->owners = calloc(size, sizeof *c->owners);
  if (c->uses == NULL || (c->settings.map && c->owners == NULL)) {
    c->failure = ENOMEM;
    return false;
  }
  c->uses[0] = c->uses[1] = JG_USE_META;
  c->claimed = JG_META_COUNT;
  return true;
}

jg_check *jg_check_new(const jg_source *source, const jg_check_settings *settings) {
  jg_check *c = calloc(1, sizeof *c);
  if (c != NULL) {
    c->source = *source;
    c->settings = *settings;
    c->whole = true;
  }
  return c;
}

int jg_check_run(jg_check *c) {
  if (!choose_meta(c) || !prepare(c)) return c->failure;
  uint64_t at = c->meta.tx_id % JG_META_COUNT;
  jg_walk_tree(c, &c->meta.trees[JG_FREE_TREE], JG_FREE_TREE, at);
  if (c->whole) report_end(c);
  c->main_whole = jg_walk_tree(c, &c->meta.trees[JG_MAIN_TREE], JG_MAIN_TREE, at);
  c->trees_whole = c->main_whole;
  jg_trees_found(c);
  for (uint32_t i = 0; i < c->tree_count && c->failure == 0; i++)
    if (!jg_walk_tree(c, &c->trees[i].head, JG_NAMED_TREES + i, c->trees[i].page))
      c->trees_whole = false;
  if (c->failure == 0 && c->root_tree != NO_TREE) jg_check_buckets(c);
  report_leaks(c);
  c->claimed = c->page_count;
  progress(c);
  return c->failure;
}

/* Transaction N + 3 may be the first to write into pages of snapshot N (those which N + 1 freed),
** so a walk without a read transaction was safe if N + 2 was not committed while it went on. */
bool jg_check_overtaken(const jg_check *c) {
  metas m;
  if (c->meta.page_size == 0) return false;
  read_metas(&c->source, c->meta.page_size, &m);
  unsigned which = newest(&m);
  uint64_t id = m.metas[which].tx_id;
  return m.problems[which] == NULL && id > c->meta.tx_id && id - c->meta.tx_id > 1;
}

void jg_check_free(jg_check *c) {
  if (c == NULL) return;
  for (size_t i = 0; i < sizeof c->frames / sizeof *c->frames; i++)
    free(c->frames[i]);
  free(c->uses);
  free(c->owners);
  free(c->findings);
  free(c->names);
  free(c->trees);
  free(c->records);
  free(c->prefixes);
  free(c);
}

/* ---- the map of pages ---------------------------------------------------------------------- */

uint64_t jg_check_page_count(const jg_check *c) {
  return c->page_count;
}

uint64_t jg_check_page_size(const jg_check *c) {
  return c->meta.page_size;
}

jg_use jg_check_use(const jg_check *c, uint64_t page, uint32_t *tree) {
  *tree = c->owners != NULL ? c->owners[page] : JG_FREE_TREE;
  return (jg_use)c->uses[page];
}

const char *jg_check_tree_name(const jg_check *c, uint32_t tree, size_t *size) {
  if (tree < JG_NAMED_TREES) return NULL;
  const check_tree *t = &c->trees[tree - JG_NAMED_TREES];
  *size = t->name_size;
  return (const char *)t->name;
}
