/* SPDX-License-Identifier: MIT
**
** backup.c - a copy of a live file.
*/
#include "journal.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

/* The compacting copy takes a snapshot of the last commit and no lock of the writer: the other
** one would wait for an open write transaction of our own for ever. */
static bool copy(jg_db *db, const char *path, jg_failure *f) {
  char temporary[PATH_MAX];
  struct stat st;
  int n = snprintf(temporary, sizeof temporary, "%s.new-XXXXXX", path);
  if (n < 0 || n >= (int)sizeof temporary)
    return jg_fail(f, "not_found", "%.200s...: the path is too long", path);
  if (lstat(path, &st) == 0) return jg_fail(f, "file_exists", "%s: it exists already", path);
  int fd = mkostemp(temporary, O_CLOEXEC);
  if (fd < 0) return jg_fail(f, jg_code_of(errno), "%s: %s", path, strerror(errno));
  int rc = fstat(db->lock_fd, &st) == 0 && fchmod(fd, st.st_mode & 0777) == 0 ? 0 : errno;
  if (rc == 0) rc = mdb_env_copyfd2(db->env, fd, MDB_CP_COMPACT);
  if (rc == 0 && fsync(fd) != 0) rc = errno;
  close(fd);
  if (rc != 0)
    jg_fail(f, jg_code_of(rc), "%s: %s", path, mdb_strerror(rc));
  else
    jg_file_publish(temporary, path, f);
  unlink(temporary);
  return f->code == NULL;
}

/* db:backup(path): a compacted, flushed copy of the last commit, while the file is in use. It is
** made under another name and linked: `path` is a whole file or none, and is not overwritten. */
static int db_backup(lua_State *L) {
  size_t size;
  jg_db *db = jg_self_db(L);
  luaL_checktype(L, 2, LUA_TSTRING);
  const char *path = lua_tolstring(L, 2, &size);
  luaL_argcheck(L, size > 0, 2, "the path is empty");
  luaL_argcheck(L, strlen(path) == size, 2, "the path holds a NUL byte");
  jg_failure f = {0};
  jg_db_checkpoint(L, db, "backup", true);
  if (!copy(db, path, &f)) jg_raise_failure(L, &f);
  return 0;
}

const luaL_Reg jg_backup_methods[] = {{"backup", db_backup}, {NULL, NULL}};
