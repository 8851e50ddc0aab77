/* SPDX-License-Identifier: MIT
**
** check_lua.c - db:check and store.check.
**
** The walk reads the file with pread, while others may write to it. What keeps its snapshot whole:
**
**   db:check      a read transaction: LMDB does not reuse a page that a reader may see. The walk
**                 begins at the meta page of that transaction's id, and asks again with a new
**                 transaction if another process has overwritten it already.
**   store.check   no LMDB at all, so it also serves for a file that LMDB would die of. A shared
**                 lock keeps out whoever owns the file alone; whether a process that shares it
**                 wrote meanwhile is seen in the meta pages afterwards, and then it is `in_use`.
**
** The walk calls Lua only to tell its progress, under pcall: an error there ends the walk first and
** is raised when nothing is held any more.
*/
#include "pages.h"

#include <errno.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static const char checker_class[] = "jangada.Check";
#define FINDINGS_MAX 100
#define ATTEMPTS_MAX 100

enum { SUBJECT = 1, OPTIONS, PROGRESS, CHECKER_AT, TX }; /* places on the stack */

typedef struct watch { /* what `progress` needs */
  lua_State *L;
  const jg_db *db; /* NULL: none */
  const jg_handle *tx;
  bool raised; /* the error is on top of the stack */
} watch;

void jg_checker_drop(jg_checker *k) {
  jg_check_free(k->check);
  k->check = NULL;
  if (k->fd >= 0) close(k->fd);
  k->fd = -1;
}

static int checker_gc(lua_State *L) {
  jg_checker_drop(jg_check_handle(L, 1, checker_class));
  return 0;
}

/* ---- one run ------------------------------------------------------------------------------- */

/* Brings the stack into order: DB or path, options, progress function or nil, checker. */
static jg_checker *prepare(lua_State *L, const char *const known[]) {
  lua_settop(L, OPTIONS);
  jg_options_known(L, OPTIONS, known);
  lua_pushnil(L);
  if (lua_istable(L, OPTIONS)) {
    lua_pushliteral(L, "progress");
    if (lua_rawget(L, OPTIONS) != LUA_TNIL && !lua_isfunction(L, -1))
      luaL_argerror(L, OPTIONS,
                    lua_pushfstring(L, "option 'progress' must be a function, not a %s",
                                    luaL_typename(L, -1)));
    lua_replace(L, PROGRESS);
  }
  jg_checker *k = lua_newuserdatauv(L, sizeof *k, 0);
  *k = (jg_checker){.fd = -1};
  jg_set_class(L, checker_class);
  luaL_checkstack(L, 16, "check");
  return k;
}

static bool tell(void *context, uint64_t done, uint64_t total) {
  watch *w = context;
  lua_pushvalue(w->L, PROGRESS);
  lua_pushinteger(w->L, (lua_Integer)done);
  lua_pushinteger(w->L, (lua_Integer)total);
  w->raised = lua_pcall(w->L, 2, 0, 0) != LUA_OK;
  if (w->raised) return false;
  return w->db == NULL || (w->tx->open && !jg_is_forked(w->db));
}

/* Walks the file; raises nothing. */
static int run(jg_checker *k, int fd, watch *w, lua_Integer findings_max, bool map,
               const size_t *tx_id) {
  jg_source source;
  jg_check_settings settings = {.findings_max = (size_t)findings_max, .map = map, .context = w};
  if (!lua_isnil(w->L, PROGRESS)) settings.progress = tell;
  if (tx_id != NULL) {
    settings.pinned = true;
    settings.tx_id = *tx_id;
  }
  int rc = jg_source_file(&source, fd);
  if (rc != 0) return rc;
  jg_check_free(k->check);
  k->check = jg_check_new(&source, &settings);
  return k->check == NULL ? ENOMEM : jg_check_run(k->check);
}

static lua_Integer findings_max(lua_State *L) {
  return jg_option_integer(L, OPTIONS, "findings_max", FINDINGS_MAX, 1, 1000000);
}

/* Raises what ended a walk early. */
static void check_ended(lua_State *L, jg_checker *k, const watch *w, int rc) {
  if (rc == 0) return;
  jg_checker_drop(k);
  if (w->raised) lua_error(L);
  if (rc == JG_CHECK_STOPPED) jg_self_db(L); /* closed or forked by `progress` */
  if (rc < 0) jg_raise(L, "in_use", "check: the file is being written to all the time");
  jg_raise_rc(L, rc, "check");
}

/* ---- results ------------------------------------------------------------------------------- */

static void push_finding(lua_State *L, const jg_finding *f) {
  lua_createtable(L, 0, 3);
  lua_pushstring(L, jg_finding_names[f->code]);
  lua_setfield(L, -2, "code");
  lua_pushinteger(L, (lua_Integer)f->page);
  lua_setfield(L, -2, "page");
  lua_pushstring(L, f->message);
  lua_setfield(L, -2, "message");
}

/* Pushes the array of what was found. */
void jg_push_findings(lua_State *L, const jg_check *c) {
  const jg_finding *findings;
  size_t count = jg_check_findings(c, &findings);
  uint64_t more = jg_check_more(c);
  lua_createtable(L, (int)count, 0);
  for (size_t i = 0; i < count; i++) {
    push_finding(L, &findings[i]);
    lua_rawseti(L, -2, (lua_Integer)i + 1);
  }
  if (more == 0) return;
  lua_createtable(L, 0, 3);
  lua_pushliteral(L, "more");
  lua_setfield(L, -2, "code");
  lua_pushinteger(L, (lua_Integer)more);
  lua_setfield(L, -2, "count");
  lua_pushfstring(L, "and %I more", (LUAI_UACINT)more);
  lua_setfield(L, -2, "message");
  lua_rawseti(L, -2, (lua_Integer)count + 1);
}

/* true, or false and the array */
static int push_verdict(lua_State *L, jg_checker *k) {
  jg_push_findings(L, k->check);
  bool clean = lua_rawlen(L, -1) == 0;
  jg_checker_drop(k);
  lua_pushboolean(L, clean);
  lua_insert(L, -2);
  return clean ? (lua_pop(L, 1), 1) : 2;
}

/* ---- db:check ------------------------------------------------------------------------------ */

static int db_check(lua_State *L) {
  static const char *const known[] = {"findings_max", "progress", NULL};
  jg_self_db(L);
  jg_checker *k = prepare(L, known);
  lua_Integer max = findings_max(L);
  int rc = JG_CHECK_MOVED;
  watch w;
  for (int attempt = 0; rc == JG_CHECK_MOVED && attempt < ATTEMPTS_MAX; attempt++) {
    lua_settop(L, CHECKER_AT);
    jg_tx *tx = jg_tx_begin(L, SUBJECT, JG_MANAGED | JG_SNAPSHOT);
    int fd = -1;
    w = (watch){.L = L, .db = tx->db, .tx = &tx->h};
    rc = mdb_env_get_fd(tx->db->env, &fd);
    if (rc == 0) rc = run(k, fd, &w, max, false, &tx->id);
    jg_tx_rollback(L, TX, true);
  }
  check_ended(L, k, &w, rc);
  return push_verdict(L, k);
}

/* ---- store.check --------------------------------------------------------------------------- */

const char *jg_check_path_argument(lua_State *L, int idx) {
  size_t size;
  luaL_checktype(L, idx, LUA_TSTRING);
  const char *path = lua_tolstring(L, idx, &size);
  luaL_argcheck(L, size > 0, idx, "the path is empty");
  luaL_argcheck(L, strlen(path) == size, idx, "the path holds a NUL byte");
  return path;
}

/* A lock of our own would only make us wait for ourselves. */
static bool is_open_here(const char *path) {
  struct stat st;
  if (stat(path, &st) != 0) return false;
  jg_db probe = {.dev = st.st_dev, .ino = st.st_ino};
  if (!jg_register(&probe)) return true;
  jg_unregister(&probe);
  return false;
}

/* Walks the file whose path is at 1, with options at 2. */
jg_checker *jg_check_path(lua_State *L, bool map) {
  static const char *const known[] = {"findings_max", "progress", "lock_timeout_ms", NULL};
  const char *path = jg_check_path_argument(L, SUBJECT);
  jg_checker *k = prepare(L, known);
  lua_Integer max = findings_max(L);
  jg_open_options o = {.read_only = true};
  o.lock_timeout_ms = (int)jg_option_integer(L, OPTIONS, "lock_timeout_ms", 1000, 0, 86400000);
  if (is_open_here(path))
    jg_raise(L, "already_open", "%s: this process has it open: its DB can check it", path);
  jg_failure f = {0};
  bool missing;
  watch w = {.L = L};
  k->fd = jg_file_lock(path, &o, &missing, &f);
  if (k->fd < 0) jg_raise_failure(L, &f);
  check_ended(L, k, &w, run(k, k->fd, &w, max, map, NULL));
  if (jg_check_overtaken(k->check)) {
    jg_checker_drop(k);
    jg_raise(L, "in_use", "%s: another process has written to it meanwhile", path);
  }
  return k;
}

static int store_check(lua_State *L) {
  return push_verdict(L, jg_check_path(L, false));
}

/* ---- the module ---------------------------------------------------------------------------- */

const luaL_Reg jg_check_functions[] = {
    {"check", store_check}, {"page", jg_store_page}, {"pages", jg_store_pages}, {NULL, NULL}};

/* Adds `check` to the methods of DB. */
void jg_open_check(lua_State *L) {
  static const luaL_Reg metamethods[] = {{"__gc", checker_gc}, {NULL, NULL}};
  static const luaL_Reg none[] = {{NULL, NULL}}, methods[] = {{"check", db_check}, {NULL, NULL}};
  jg_class(L, checker_class, metamethods, none);
  jg_add_methods(L, JG_DB, methods);
}

/* Pushes a table: code of a finding -> one sentence. */
void jg_push_finding_codes(lua_State *L) {
  lua_createtable(L, 0, JG_FINDING_CODES);
  for (int i = 0; i < JG_FINDING_CODES; i++) {
    lua_pushstring(L, jg_finding_sentences[i]);
    lua_setfield(L, -2, jg_finding_names[i]);
  }
}
