/* SPDX-License-Identifier: MIT
**
** tree.c - the table of trees: the named LMDB databases of one file.
**
** LMDB's handles (DBI numbers) are the most dangerous thing it has: opened by two readers they
** alias each other's data without an error, opened in an aborted transaction they are dead and
** their number goes to the next. So users never hold one, and there are three rules:
**
**   - all trees of the file are opened when the file is, in one transaction that commits;
**   - a tree is made only in the write transaction, and forgotten when that is rolled back;
**   - a transaction does not see a tree that is younger than its snapshot.
**
** The order of keys is LMDB's own, but our function for it takes half as long as LMDB's.
*/
#include "bucket.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

static int add(jg_trees *trees, const char *name, jg_tree **tree) {
  jg_tree *list = jg_grow(trees->list, &trees->capacity, trees->count, sizeof *list);
  if (list == NULL) return ENOMEM;
  trees->list = list;
  char *copy = strdup(name);
  if (copy == NULL) return ENOMEM;
  *tree = &trees->list[trees->count++];
  **tree = (jg_tree){.name = copy};
  return 0;
}

static void remove_at(jg_trees *trees, unsigned i) {
  free(trees->list[i].name);
  trees->list[i] = trees->list[--trees->count];
}

void jg_trees_free(jg_trees *trees) {
  while (trees->count > 0)
    remove_at(trees, trees->count - 1);
  free(trees->list);
  *trees = (jg_trees){0};
}

/* Opens one database into the table, or passes over a plain key of the main database. */
static int load_one(jg_db *db, MDB_txn *txn, const MDB_val *key, unsigned level, size_t birth) {
  char name[JG_LMDB_KEY_SIZE_MAX + 1];
  if (key->mv_size > JG_LMDB_KEY_SIZE_MAX || memchr(key->mv_data, 0, key->mv_size) != NULL)
    return 0; /* no C string: LMDB cannot open it by name */
  memcpy(name, key->mv_data, key->mv_size);
  name[key->mv_size] = '\0';
  for (unsigned i = 0; i < db->trees.count; i++)
    if (strcmp(db->trees.list[i].name, name) == 0) return 0;
  MDB_dbi dbi;
  unsigned flags;
  int rc = mdb_dbi_open(txn, name, 0, &dbi);
  if (rc == MDB_INCOMPATIBLE) return 0;
  jg_tree *tree;
  if (rc != 0 || (rc = mdb_dbi_flags(txn, dbi, &flags)) != 0 ||
      (flags == 0 && (rc = mdb_set_compare(txn, dbi, jg_compare)) != 0) ||
      (rc = add(&db->trees, name, &tree)) != 0)
    return rc;
  tree->dbi = dbi;
  tree->compatible = flags == 0;
  tree->level = level;
  tree->birth = birth;
  return 0;
}

static int load_all(jg_db *db, MDB_txn *txn, unsigned level, size_t birth) {
  MDB_cursor *cursor;
  MDB_val key, value;
  MDB_dbi main_dbi;
  /* LMDB learns how to compare the main database's keys when any database is opened: in a file
  ** that has none it would call a null pointer. */
  int rc = mdb_dbi_open(txn, NULL, 0, &main_dbi);
  if (rc == 0) rc = mdb_cursor_open(txn, JG_MAIN_DBI, &cursor);
  if (rc != 0) return rc;
  while (rc == 0 && (rc = mdb_cursor_get(cursor, &key, &value, MDB_NEXT)) == 0)
    if (value.mv_size == 48)
      rc = load_one(db, txn, &key, level, birth); /* the size of a database's record */
  mdb_cursor_close(cursor);
  return rc == MDB_NOTFOUND ? 0 : rc;
}

/* Opens all trees, or those that other processes made since: no transaction of ours is open. */
int jg_trees_refresh(jg_db *db) {
  MDB_txn *txn;
  MDB_stat stat;
  int rc = jg_db_begin_txn(db, MDB_RDONLY, &txn);
  if (rc != 0) return rc;
  rc = mdb_stat(txn, JG_MAIN_DBI, &stat);
  if (rc == 0 && stat.ms_entries == db->trees_seen) {
    mdb_txn_abort(txn);
    return 0;
  }
  if (rc == 0) rc = load_all(db, txn, 0, 0);
  if (rc != 0) {
    mdb_txn_abort(txn);
    return rc;
  }
  db->trees_seen = stat.ms_entries;
  return mdb_txn_commit(txn); /* an abort would kill the handles */
}

/* The same within a write transaction, while older snapshots of ours are open, which then do not
** see them: a name that another process took must not look free to a writer. */
int jg_trees_refresh_in(jg_tx *tx) {
  MDB_stat stat;
  int rc = mdb_stat(tx->txn, JG_MAIN_DBI, &stat);
  if (rc != 0 || stat.ms_entries == tx->db->trees_seen) return rc;
  return load_all(tx->db, tx->txn, tx->level, tx->id);
}

/* NULL if there is none, or the transaction is too old to see it. */
jg_tree *jg_tree_find(const jg_tx *tx, const char *name) {
  jg_trees *trees = &tx->db->trees;
  for (unsigned i = 0; i < trees->count; i++) {
    jg_tree *tree = &trees->list[i];
    if (strcmp(tree->name, name) != 0) continue;
    return tx->writable || (tree->level == 0 && tree->birth <= tx->id) ? tree : NULL;
  }
  return NULL;
}

int jg_tree_create(jg_tx *tx, const char *name, jg_tree **tree) {
  MDB_dbi dbi;
  int rc = jg_make_tree(tx, name, &dbi);
  if (rc == 0) rc = add(&tx->db->trees, name, tree);
  if (rc != 0) return rc;
  (*tree)->dbi = dbi;
  (*tree)->birth = tx->id;
  (*tree)->level = tx->level;
  (*tree)->compatible = true;
  return 0;
}

/* The transaction or savepoint of `level` ends: what it made goes up a level, or is forgotten. */
void jg_trees_end(jg_tx *tx, unsigned level, bool keep) {
  jg_trees *trees = &tx->db->trees;
  if (!keep) {
    jg_trees_forget(trees, level);
    return;
  }
  for (unsigned i = 0; i < trees->count; i++)
    if (trees->list[i].level >= level) trees->list[i].level = level - 1;
}

void jg_trees_forget(jg_trees *trees, unsigned level) {
  for (unsigned i = trees->count; i-- > 0;)
    if (trees->list[i].level >= level) remove_at(trees, i);
}

void jg_trees_forget_young(jg_trees *trees, size_t txn_id) {
  for (unsigned i = trees->count; i-- > 0;)
    if (trees->list[i].birth > txn_id) remove_at(trees, i);
}

/* Deletes a tree and its handle at once: only while no transaction but this one is open. */
int jg_tree_purge(jg_tx *tx, const char *name) {
  jg_trees *trees = &tx->db->trees;
  for (unsigned i = 0; i < trees->count; i++) {
    if (strcmp(trees->list[i].name, name) != 0) continue;
    int rc = mdb_drop(tx->txn, trees->list[i].dbi, 1);
    if (rc == 0) remove_at(trees, i);
    return rc;
  }
  return 0;
}
