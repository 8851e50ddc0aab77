/* SPDX-License-Identifier: MIT
**
** recorder.c - stands between a process and its disk: takes down, in order, what is done to the
** files of one directory, and makes calls on them fail when asked to. It is one library in two
** roles: LD_PRELOAD puts its functions before libc's (recorder_calls.c), and Lua steers it as
** spec.recorder.
**
**     start(directory)      takes down from here on, in a new trace
**     stop()                -> the trace (spec/support/crash/disk.lua follows it)
**     mark(text)            puts a line of the caller's own into the trace
**     fail(directory, kind, nth, how, forever)
**                           of the calls of one kind from now on the nth fails, or it and all
**                           after it. Kind: "write", "flush", "size", "name", "any" of these, or
**                           "growth" (those that need room on the disk) or "read"; how: "EIO",
**                           "ENOSPC", "EDQUOT" or "short"
**     fail()                none fails any more
**     calls()               how many calls of that kind there were
**     clear(directory)      removes the files in it
**     link(old, new)
**     sleep(seconds)
**
** For programs that do not steer it, RECORDER_FAIL="/directory write 7 EIO forever" calls fail.
**
** An event is 32 bytes and then `size` bytes of data, integers little-endian:
**
**     kind 1, unused 3, file 4, error 4, token 4, offset 8, size 8
**
**     o   a file was opened: its number, its name; token 1: it is new
**     w   data was written at offset
**     d   that write of this file was flushed (O_DSYNC), or failed to be, with the error
**     s   a flush begins; S: the flush of that token ended, with its error. File 0: the directory
**     t   a file was cut or extended to offset bytes; a: extended, if it was shorter
**     l   link, r rename: "old\0new"; u: unlink
**     m   a mark
**
** LMDB's lock files (their names end with "-lock") are no part of what a crash leaves.
*/
#include "recorder.h"

#include <lauxlib.h>
#include <lua.h>

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#define FDS_MAX 1024
#define FILES_MAX 1024

static pthread_mutex_t mutex = PTHREAD_MUTEX_INITIALIZER;
static bool recording;
static char directory[PATH_MAX]; /* "": none is watched */
static char *trace;
static size_t trace_size, trace_capacity;
static uint32_t files;
static watched fds[FDS_MAX];

static struct {
  dev_t dev;
  ino_t ino;
} inodes[FILES_MAX]; /* of the file of that number */

static struct {
  int kinds, error;
  long nth, calls;
  bool forever;
} fault;

/* ---- the trace ----------------------------------------------------------------------------- */

void note(event e, const void *data) {
  size_t needed = trace_size + sizeof e + e.size;
  if (!recording) return;
  if (needed > trace_capacity) {
    trace_capacity = 2 * needed + 65536;
    trace = realloc(trace, trace_capacity);
    if (trace == NULL) abort();
  }
  memcpy(trace + trace_size, &e, sizeof e);
  if (e.size > 0) memcpy(trace + trace_size + sizeof e, data, e.size);
  trace_size = needed;
}

void note_names(char kind, const char *old, const char *new_name) {
  char names[2 * PATH_MAX];
  int size = snprintf(names, sizeof names, "%s", old);
  if (new_name != NULL)
    size += 1 + snprintf(names + size + 1, sizeof names - (size_t)size - 1, "%s", new_name);
  note((event){.kind = kind, .size = (uint64_t)size}, names);
}

/* Of a call of these kinds. A full disk takes a part of one write, and nothing of what follows. */
int next_fault(int kinds) {
  if ((fault.kinds & kinds) == 0) return 0;
  fault.calls++;
  if (fault.calls < fault.nth || (fault.calls > fault.nth && !fault.forever)) return 0;
  int how = fault.error;
  if (how == SHORT) fault.error = ENOSPC;
  return how;
}

int or_full(int how) {
  return how == SHORT ? ENOSPC : how;
}

void lock(void) {
  pthread_mutex_lock(&mutex);
}

long done(long result) {
  int saved = errno;
  pthread_mutex_unlock(&mutex);
  errno = saved;
  return result;
}

long failed(int error) {
  errno = error;
  return -1;
}

/* ---- which files ---------------------------------------------------------------------------- */

/* The name that a path has in the directory; "" is the directory; NULL: it is not watched. */
const char *name_of(const char *path) {
  size_t size = strlen(directory), end = strlen(path);
  if (size == 0 || strncmp(path, directory, size) != 0) return NULL;
  if (path[size] == '\0') return "";
  if (path[size] != '/' || strchr(path + size + 1, '/') != NULL) return NULL;
  if (end > 5 && strcmp(path + end - 5, "-lock") == 0) return NULL;
  return path + size + 1;
}

watched *watched_of(int fd) {
  return fd >= 0 && fd < FDS_MAX && fds[fd].used ? &fds[fd] : NULL;
}

void adopt(int fd, const char *name, int flags, bool is_new) {
  struct stat st;
  uint32_t file = 1;
  if (fd < 0 || fd >= FDS_MAX || fstat(fd, &st) != 0) return;
  fds[fd] = (watched){.used = true, .dsync = (flags & O_DSYNC) != 0}; /* O_SYNC has it, too */
  if (name[0] == '\0' || !recording) return;
  while (file <= files && (inodes[file].dev != st.st_dev || inodes[file].ino != st.st_ino))
    file++;
  if (is_new || file > files) {
    if (file <= files) inodes[file].ino = 0; /* a dead file's number, used again */
    file = ++files;
    if (file >= FILES_MAX) abort();
    inodes[file].dev = st.st_dev;
    inodes[file].ino = st.st_ino;
  }
  fds[fd].file = file;
  note((event){.kind = 'o', .file = file, .token = is_new, .size = strlen(name)}, name);
  if ((flags & O_TRUNC) != 0 && !is_new) note((event){.kind = 't', .file = file}, NULL);
}

void adopt_copy(int fd, int of) {
  if (fd < FDS_MAX) fds[fd] = fds[of];
}

/* ---- steering -------------------------------------------------------------------------------- */

static bool set_fault(const char *kind, long nth, const char *how, bool forever) {
  static const struct {
    const char *name;
    int number;
  } kinds[] = {{"write", WRITE}, {"flush", FLUSH}, {"size", SIZE},    {"name", NAME},
               {"read", READ},   {"any", ANY},     {"growth", GROWTH}},
    errors[] = {{"EIO", EIO}, {"ENOSPC", ENOSPC}, {"EDQUOT", EDQUOT}, {"short", SHORT}};
  int bits = 0, error = 0;
  for (size_t i = 0; i < sizeof kinds / sizeof *kinds; i++)
    if (strcmp(kind, kinds[i].name) == 0) bits = kinds[i].number;
  for (size_t i = 0; i < sizeof errors / sizeof *errors; i++)
    if (strcmp(how, errors[i].name) == 0) error = errors[i].number;
  fault.kinds = bits;
  fault.error = error;
  fault.nth = nth;
  fault.calls = 0;
  fault.forever = forever;
  return bits != 0 && error != 0;
}

__attribute__((constructor)) static void read_environment(void) {
  const char *text = getenv("RECORDER_FAIL");
  char kind[8], how[8], forever[8] = "";
  long nth;
  if (text == NULL) return;
  int fields = sscanf(text, "%4095s %7s %ld %7s %7s", directory, kind, &nth, how, forever);
  if (fields < 4 || !set_fault(kind, nth, how, fields == 5)) {
    fprintf(stderr, "RECORDER_FAIL is not \"/directory kind nth how [forever]\"\n");
    abort();
  }
}

/* Only descriptors that are opened from now on are watched. */
static void watch(lua_State *L, const char *path) {
  luaL_argcheck(L, path[0] == '/' && strlen(path) < sizeof directory, 1, "not absolute");
  if (!is_preloaded()) luaL_error(L, "LD_PRELOAD does not name the recorder");
  strcpy(directory, path);
  memset(fds, 0, sizeof fds);
}

static int recorder_start(lua_State *L) {
  watch(L, luaL_checkstring(L, 1));
  trace_size = 0;
  files = 0;
  recording = true;
  return 0;
}

static int recorder_stop(lua_State *L) {
  recording = false;
  directory[0] = '\0';
  memset(fds, 0, sizeof fds);
  lua_pushlstring(L, trace != NULL ? trace : "", trace_size);
  return 1;
}

static int recorder_mark(lua_State *L) {
  size_t size;
  const char *text = luaL_checklstring(L, 1, &size);
  lock();
  note((event){.kind = 'm', .size = size}, text);
  done(0);
  return 0;
}

static int recorder_fail(lua_State *L) {
  fault.kinds = 0;
  if (lua_isnoneornil(L, 1)) return 0;
  const char *kind = luaL_checkstring(L, 2), *how = luaL_checkstring(L, 4);
  if (!recording) watch(L, luaL_checkstring(L, 1));
  if (!set_fault(kind, (long)luaL_checkinteger(L, 3), how, lua_toboolean(L, 5)))
    return luaL_error(L, "no such kind of call, or error");
  return 0;
}

static int recorder_calls(lua_State *L) {
  lua_pushinteger(L, fault.calls);
  return 1;
}

static int recorder_clear(lua_State *L) {
  const char *path = luaL_checkstring(L, 1);
  DIR *d = opendir(path);
  if (d == NULL) return luaL_error(L, "%s: %s", path, strerror(errno));
  for (struct dirent *entry = readdir(d); entry != NULL; entry = readdir(d))
    if (entry->d_type == DT_REG) syscall(SYS_unlinkat, dirfd(d), entry->d_name, 0);
  closedir(d);
  return 0;
}

static int recorder_link(lua_State *L) {
  const char *old = luaL_checkstring(L, 1), *new_name = luaL_checkstring(L, 2);
  if (syscall(SYS_linkat, AT_FDCWD, old, AT_FDCWD, new_name, 0) != 0)
    return luaL_error(L, "%s: %s", new_name, strerror(errno));
  return 0;
}

static int recorder_sleep(lua_State *L) {
  double seconds = luaL_checknumber(L, 1);
  struct timespec t = {(time_t)seconds, (long)((seconds - (double)(time_t)seconds) * 1e9)};
  nanosleep(&t, NULL);
  return 0;
}

int luaopen_spec_recorder(lua_State *L);

VISIBLE int luaopen_spec_recorder(lua_State *L) {
  static const luaL_Reg functions[] = {
      {"start", recorder_start}, {"stop", recorder_stop},   {"mark", recorder_mark},
      {"fail", recorder_fail},   {"calls", recorder_calls}, {"clear", recorder_clear},
      {"link", recorder_link},   {"sleep", recorder_sleep}, {NULL, NULL}};
  luaL_newlib(L, functions);
  return 1;
}
