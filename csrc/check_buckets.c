/* SPDX-License-Identifier: MIT
**
** check_buckets.c - do the records of the buckets agree with the trees, the prefixes, and each
** other?
**
** Records lie in containers: the prefix 0 of the root tree (the top level), the prefix of a nested
** bucket, the tree of a bucket. From the top level on, each record leads to the container of its
** bucket, and so on, breadth first:
**
**     top level --> record --> prefix 7 --> record --> tree "t9" --> ...
**
** Only what is reached that way is judged: a record elsewhere is a value of somebody's, or lies in
** a container that is itself reported as an orphan.
*/
#include "bucket.h"
#include "check.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

typedef struct graph {
  jg_check *c;
  check_record **reached; /* in the order they were reached, each once; in the end by id */
  size_t count;
} graph;

/* ---- reaching ------------------------------------------------------------------------------ */

static int compare_u64(uint64_t a, uint64_t b) {
  return (a > b) - (a < b);
}

static int by_parent(const void *a, const void *b) {
  const check_record *r = a, *s = b;
  if (r->parent_is_tree != s->parent_is_tree) return r->parent_is_tree ? 1 : -1;
  return compare_u64(r->parent, s->parent);
}

static int by_id(const void *a, const void *b) {
  const check_record *const *r = a, *const *s = b;
  int order = compare_u64((*r)->id, (*s)->id);
  return order != 0 ? order : compare_u64((*r)->page, (*s)->page);
}

/* The first record of a container among the sorted ones, or where it would be. */
static size_t first_in(const jg_check *c, bool is_tree, uint64_t parent) {
  check_record wanted = {.parent = parent, .parent_is_tree = is_tree};
  size_t low = 0, high = c->record_count;
  while (low < high) {
    size_t middle = low + (high - low) / 2;
    if (by_parent(&c->records[middle], &wanted) < 0)
      low = middle + 1;
    else
      high = middle;
  }
  return low;
}

static void check_record_alone(jg_check *c, const check_record *r) {
  unsigned long long id = r->id, page = r->page;
  bool known = c->next_id != 0 || c->trees_whole;
  uint64_t next_id = c->next_id != 0 ? c->next_id : 1;
  if (r->id == JG_ROOT_ID || r->id == JG_SYSTEM_ID || (known && r->id >= next_id))
    jg_report(c, JG_BAD_ID, r->page, "page %llu: bucket id %llu, where the next new one is %llu",
              page, id, ull(next_id));
  if ((r->flags & ~(JG_INTEGER_KEYS | JG_HAS_CHILDREN)) != 0 ||
      r->flags == (JG_INTEGER_KEYS | JG_HAS_CHILDREN))
    jg_report(c, JG_BAD_FLAGS, r->page, "page %llu: bucket %llu has the impossible flags %#x", page,
              id, (unsigned)r->flags);
  if (r->kind != 'T') return;
  if (r->tree == NO_TREE) {
    if (c->main_whole)
      jg_report(c, JG_MISSING_TREE, r->page, "page %llu: the tree of bucket %llu does not exist",
                page, id);
    return;
  }
  char text[JG_LABEL_SIZE];
  check_tree *t = jg_check_tree(c, r->tree);
  if (t->referenced)
    jg_report(c, JG_DUPLICATE_TREE, r->page, "page %llu: %s of bucket %llu is another bucket's too",
              page, jg_label(c, r->tree, text), id);
  if (t->mark == JG_DEAD)
    jg_report(c, JG_BAD_MARK, r->page, "page %llu: %s of bucket %llu is marked as deleted", page,
              jg_label(c, r->tree, text), id);
  t->referenced = true;
}

/* Reaches the records of a container, whose bucket has the record `owner`; NULL: it has none. */
static void reach(graph *g, bool is_tree, uint64_t parent, const check_record *owner) {
  jg_check *c = g->c;
  size_t first = first_in(c, is_tree, parent);
  bool may_have = owner != NULL ? (owner->flags & JG_HAS_CHILDREN) != 0 : !is_tree, lied = false;
  if (owner != NULL && (owner->flags & JG_INTEGER_KEYS) != 0) return; /* they are plain values */
  for (size_t i = first; i < c->record_count; i++) {
    check_record *r = &c->records[i];
    if (r->parent_is_tree != is_tree || r->parent != parent || r->reached) break;
    r->reached = true;
    if (r->damaged) {
      jg_report(c, JG_BAD_RECORD, r->page, "page %llu: the record of a bucket is damaged",
                ull(r->page));
      continue;
    }
    if (!may_have && !lied) {
      jg_report(c, JG_BAD_FLAGS, owner != NULL ? owner->page : r->page,
                "page %llu: bucket %llu lies in one whose record says that it has none",
                ull(r->page), ull(r->id));
      lied = true;
    }
    check_record_alone(c, r);
    g->reached[g->count++] = r;
  }
}

static void reach_from(graph *g, size_t next) {
  for (; next < g->count; next++) {
    const check_record *r = g->reached[next];
    if (r->kind == 'P')
      reach(g, false, r->id, r);
    else if (r->tree != NO_TREE)
      reach(g, true, r->tree, r);
  }
}

/* ---- trees and prefixes -------------------------------------------------------------------- */

/* A tree that another program made, and which is a bucket at the top level without a record. */
static bool is_foreign(const jg_check *c, const check_tree *t) {
  return t != &c->trees[c->root_tree - JG_NAMED_TREES] && !t->referenced && t->mark == 0 &&
         !t->shadowed && (t->name_size == 0 || t->name[0] != '\1');
}

static void check_tree_alone(jg_check *c, uint32_t number) {
  char text[JG_LABEL_SIZE];
  const check_tree *t = jg_check_tree(c, number);
  if (number == c->root_tree) {
    if ((t->head.flags & JG_TREE_FLAGS) != 0)
      jg_report(c, JG_BAD_TREE, t->page, "the root tree has flags that the store never sets");
    return;
  }
  if (t->mark == JG_DEAD) {
    if (t->head.entries != 0)
      jg_report(c, JG_BAD_MARK, t->page, "%s is marked as deleted, but not empty",
                jg_label(c, number, text));
    return;
  }
  bool generated = t->name_size == 18 && memcmp(t->name, "\1t", 2) == 0;
  if (c->trees_whole && !t->referenced && (t->mark != 0 || t->shadowed || generated))
    jg_report(c, JG_ORPHAN, t->page, "%s belongs to no bucket", jg_label(c, number, text));
}

static const check_record *find_prefixed(const graph *g, uint64_t id) {
  size_t low = 0, high = g->count;
  while (low < high) {
    size_t middle = low + (high - low) / 2;
    if (g->reached[middle]->id < id)
      low = middle + 1;
    else
      high = middle;
  }
  for (; low < g->count && g->reached[low]->id == id; low++)
    if (g->reached[low]->kind == 'P') return g->reached[low];
  return NULL;
}

static void check_prefixes(const graph *g) {
  jg_check *c = g->c;
  for (size_t i = 0; i < c->prefix_count; i++) {
    const check_prefix *p = &c->prefixes[i];
    if (p->id == JG_ROOT_ID) continue;
    const check_record *r = find_prefixed(g, p->id);
    if (r == NULL && c->trees_whole)
      jg_report(c, JG_ORPHAN, p->page,
                "%llu items from page %llu on are of bucket %llu, which "
                "no record leads to",
                ull(p->items), ull(p->page), ull(p->id));
    if (r != NULL && (r->flags & JG_INTEGER_KEYS) != 0 && p->has_bad_key)
      jg_report(c, JG_BAD_INTEGER_KEY, p->bad_key_page,
                "page %llu: a key of bucket %llu is not the 8 bytes of an integer",
                ull(p->bad_key_page), ull(p->id));
  }
}

/* Of the reached records, sorted by id. */
static void check_ids_and_trees(const graph *g) {
  jg_check *c = g->c;
  char text[JG_LABEL_SIZE];
  for (size_t i = 0; i < g->count; i++) {
    const check_record *r = g->reached[i];
    if (i > 0 && g->reached[i - 1]->id == r->id)
      jg_report(c, JG_DUPLICATE_ID, r->page, "page %llu: bucket id %llu is taken, on page %llu",
                ull(r->page), ull(r->id), ull(g->reached[i - 1]->page));
    if (r->tree == NO_TREE || (r->flags & JG_INTEGER_KEYS) == 0) continue;
    const check_tree *t = jg_check_tree(c, r->tree);
    if (t->has_bad_key)
      jg_report(c, JG_BAD_INTEGER_KEY, t->bad_key_page,
                "page %llu: a key of %s is not the 8 bytes of an integer", ull(t->bad_key_page),
                jg_label(c, r->tree, text));
  }
}

/* ---- the whole ----------------------------------------------------------------------------- */

void jg_check_buckets(jg_check *c) {
  graph g = {.c = c, .reached = malloc((c->record_count + 1) * sizeof *g.reached)};
  if (g.reached == NULL) {
    c->failure = ENOMEM;
    return;
  }
  if (c->record_count > 1) qsort(c->records, c->record_count, sizeof *c->records, by_parent);
  reach(&g, false, JG_ROOT_ID, NULL);
  reach_from(&g, 0);
  for (uint32_t i = 0; i < c->tree_count; i++) {
    if (!is_foreign(c, &c->trees[i])) continue;
    size_t next = g.count;
    reach(&g, true, JG_NAMED_TREES + i, NULL);
    reach_from(&g, next);
  }
  if (g.count > 1) qsort(g.reached, g.count, sizeof *g.reached, by_id);
  for (uint32_t i = 0; i < c->tree_count; i++)
    check_tree_alone(c, JG_NAMED_TREES + i);
  check_ids_and_trees(&g);
  check_prefixes(&g);
  free(g.reached);
}
