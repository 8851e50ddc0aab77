/* SPDX-License-Identifier: MIT
**
** process.c - what Lua cannot do and the specs of the store need: fork, threads, and other Lua
** states in this process. A Lua module, spec.process; `make spec-tools` builds it.
**
**     fork(fn, ...)              runs fn(...) in a child, which then ends without running any more
**                                Lua code; returns its pid and a descriptor for `wait`
**     wait(pid, fd)              -> "exit" or "signal", its number, what fn returned or raised
**     split()                    forks: both run on from here; -> the child's pid, or 0 in it
**     quit()                     closes the Lua state and ends the process, without what C does at
**                                the end: a child's copies of its parent's memory are no leaks
**     kill(pid, signal)
**     pause()                    until a signal ends this process
**     readable(fd [, ms])        is there something to read, at once or within so many milliseconds?
**     alarm(seconds)             this process dies of SIGALRM then: no spec hangs for ever
**     in_thread(fn, ...)         runs fn(...) on another thread of the same Lua state, while this
**                                one waits; returns or raises what it does
**     state()                    a Lua state beside this one: s:run(source, ...) -> text,
**                                s:close() or collection closes it; in it, starve(n) lets all
**                                its allocations fail but the next n, and starve() ends that
**                                and tells how many did
**     race(n, source, ...)       runs source(i, ...) in n Lua states on n threads at once -> texts
*/
#include <lauxlib.h>
#include <lua.h>
#include <lualib.h>

#include <errno.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#define STATE "spec.process.State"
#define WELL_FED (-1)
#define THREADS_MAX 32

static int fail(lua_State *L, const char *what) {
  return luaL_error(L, "%s: %s", what, strerror(errno));
}

/* ---- processes ----------------------------------------------------------------------------- */

static void write_all(int fd, const char *s, size_t size) {
  while (size > 0) {
    ssize_t n = write(fd, s, size);
    if (n < 0) _exit(254);
    s += n;
    size -= (size_t)n;
  }
}

static int process_fork(lua_State *L) {
  int ends[2];
  luaL_checktype(L, 1, LUA_TFUNCTION);
  if (pipe(ends) != 0) return fail(L, "pipe");
  pid_t pid = fork();
  if (pid < 0) return fail(L, "fork");
  if (pid == 0) {
    close(ends[0]);
    int rc = lua_pcall(L, lua_gettop(L) - 1, 1, 0);
    size_t size;
    const char *text = luaL_tolstring(L, -1, &size);
    write_all(ends[1], text, size);
    _exit(rc == LUA_OK ? 0 : 255);
  }
  close(ends[1]);
  lua_pushinteger(L, pid);
  lua_pushinteger(L, ends[0]);
  return 2;
}

static int process_split(lua_State *L) {
  pid_t pid = fork();
  if (pid < 0) return fail(L, "fork");
  lua_pushinteger(L, pid);
  return 1;
}

static int process_wait(lua_State *L) {
  pid_t pid = (pid_t)luaL_checkinteger(L, 1);
  int fd = (int)luaL_optinteger(L, 2, -1), status;
  luaL_Buffer text;
  luaL_buffinit(L, &text);
  while (fd >= 0) {
    char *into = luaL_prepbuffer(&text);
    ssize_t n = read(fd, into, LUAL_BUFFERSIZE);
    if (n <= 0) break;
    luaL_addsize(&text, (size_t)n);
  }
  if (fd >= 0) close(fd);
  luaL_pushresult(&text);
  if (waitpid(pid, &status, 0) != pid) return fail(L, "waitpid");
  lua_pushstring(L, WIFSIGNALED(status) ? "signal" : "exit");
  lua_pushinteger(L, WIFSIGNALED(status) ? WTERMSIG(status) : WEXITSTATUS(status));
  lua_rotate(L, -3, -1);
  return 3;
}

static int process_quit(lua_State *L) {
  lua_close(L); /* which would unload this module, but for -z nodelete */
  _exit(0);
}

static int process_kill(lua_State *L) {
  if (kill((pid_t)luaL_checkinteger(L, 1), (int)luaL_checkinteger(L, 2)) != 0)
    return fail(L, "kill");
  return 0;
}

static int process_pause(lua_State *L) {
  (void)L;
  pause();
  return 0;
}

static int process_readable(lua_State *L) {
  struct pollfd one = {.fd = (int)luaL_checkinteger(L, 1), .events = POLLIN};
  int n = poll(&one, 1, (int)luaL_optinteger(L, 2, 0));
  if (n < 0) return fail(L, "poll");
  lua_pushboolean(L, n > 0);
  return 1;
}

static int process_alarm(lua_State *L) {
  alarm((unsigned)luaL_checkinteger(L, 1));
  return 0;
}

/* ---- threads ------------------------------------------------------------------------------- */

typedef struct call {
  lua_State *L;
  int args, rc;
} call;

static void *run_call(void *context) {
  call *c = context;
  c->rc = lua_pcall(c->L, c->args, LUA_MULTRET, 0);
  return NULL;
}

static int process_in_thread(lua_State *L) {
  pthread_t thread;
  call c = {.L = L, .args = lua_gettop(L) - 1};
  luaL_checktype(L, 1, LUA_TFUNCTION);
  if ((errno = pthread_create(&thread, NULL, run_call, &c)) != 0) return fail(L, "pthread_create");
  pthread_join(thread, NULL);
  return c.rc == LUA_OK ? lua_gettop(L) : lua_error(L);
}

/* ---- Lua states ---------------------------------------------------------------------------- */

typedef struct memory { /* of a state */
  lua_Integer left;     /* allocations that succeed; WELL_FED: all */
  lua_Integer failed;
} memory;

static void *allocate(void *context, void *block, size_t old_size, size_t size) {
  memory *m = context;
  if (size == 0) {
    free(block);
    return NULL;
  }
  bool is_shrinking = block != NULL && size <= old_size; /* which must not fail, Lua says */
  if (!is_shrinking && m->left == 0) {
    m->failed++;
    return NULL;
  }
  if (!is_shrinking && m->left > 0) m->left--;
  return realloc(block, size);
}

static int state_starve(lua_State *L) {
  memory *m;
  lua_getallocf(L, (void **)&m);
  m->left = luaL_optinteger(L, 1, WELL_FED);
  lua_Integer failed = m->failed;
  m->failed = 0;
  lua_pushinteger(L, failed);
  return 1;
}

/* A state that finds the modules that `L` does. */
static lua_State *new_state(lua_State *L) {
  static const char *const fields[] = {"path", "cpath"};
  memory *m = malloc(sizeof *m);
  if (m == NULL) luaL_error(L, "out of memory");
  *m = (memory){.left = WELL_FED};
  lua_State *state = lua_newstate(allocate, m);
  if (state == NULL) luaL_error(L, "out of memory");
  luaL_openlibs(state);
  lua_register(state, "starve", state_starve);
  lua_getglobal(L, "package");
  lua_getglobal(state, "package");
  for (int i = 0; i < 2; i++) {
    lua_getfield(L, -1, fields[i]);
    lua_pushstring(state, lua_tostring(L, -1));
    lua_setfield(state, -2, fields[i]);
    lua_pop(L, 1);
  }
  lua_pop(L, 1);
  lua_settop(state, 0);
  return state;
}

/* Puts the source at `idx` of L and the strings after it on the stack of the state. */
static int push_call(lua_State *L, int idx, lua_State *state) {
  int args = 0;
  if (luaL_loadstring(state, luaL_checkstring(L, idx)) != LUA_OK)
    luaL_error(L, "%s", lua_tostring(state, -1));
  for (int i = idx + 1; i <= lua_gettop(L); i++, args++)
    lua_pushstring(state, luaL_checkstring(L, i));
  return args;
}

static void close_state(lua_State *state) {
  memory *m;
  lua_getallocf(state, (void **)&m);
  m->left = WELL_FED;
  lua_close(state);
  free(m);
}

static lua_State **check_state(lua_State *L) {
  lua_State **state = luaL_checkudata(L, 1, STATE);
  luaL_argcheck(L, *state != NULL, 1, "closed");
  return state;
}

static int state_run(lua_State *L) {
  lua_State *state = *check_state(L);
  int rc = lua_pcall(state, push_call(L, 2, state), 1, 0);
  lua_pushstring(L, luaL_tolstring(state, -1, NULL));
  lua_settop(state, 0);
  return rc == LUA_OK ? 1 : lua_error(L);
}

static int state_close(lua_State *L) {
  lua_State **state = luaL_checkudata(L, 1, STATE);
  if (*state != NULL) close_state(*state);
  *state = NULL;
  return 0;
}

static int process_state(lua_State *L) {
  lua_State **state = lua_newuserdatauv(L, sizeof *state, 0);
  *state = NULL;
  luaL_setmetatable(L, STATE);
  *state = new_state(L);
  return 1;
}

static void *run_race(void *context) {
  call *c = context;
  c->rc = lua_pcall(c->L, c->args, 1, 0);
  luaL_tolstring(c->L, -1, NULL);
  return NULL;
}

static int process_race(lua_State *L) {
  pthread_t threads[THREADS_MAX];
  call calls[THREADS_MAX];
  int n = (int)luaL_checkinteger(L, 1);
  luaL_argcheck(L, n > 0 && n <= THREADS_MAX, 1, "too many threads");
  for (int i = 0; i < n; i++) {
    calls[i].L = new_state(L);
    calls[i].args = 1 + push_call(L, 2, calls[i].L);
    lua_pushinteger(calls[i].L, i + 1);
    lua_insert(calls[i].L, 2);
  }
  for (int i = 0; i < n; i++)
    if (pthread_create(&threads[i], NULL, run_race, &calls[i]) != 0) abort();
  for (int i = 0; i < n; i++)
    pthread_join(threads[i], NULL);
  lua_createtable(L, n, 0);
  for (int i = 0; i < n; i++) {
    lua_pushstring(L, lua_tostring(calls[i].L, -1));
    lua_rawseti(L, -2, i + 1);
    close_state(calls[i].L);
  }
  return 1;
}

static const luaL_Reg functions[] = {{"fork", process_fork},
                                     {"wait", process_wait},
                                     {"split", process_split},
                                     {"kill", process_kill},
                                     {"alarm", process_alarm},
                                     {"readable", process_readable},
                                     {"in_thread", process_in_thread},
                                     {"state", process_state},
                                     {"race", process_race},
                                     {"quit", process_quit},
                                     {"pause", process_pause},
                                     {NULL, NULL}};

int luaopen_spec_process(lua_State *L);

__attribute__((visibility("default"))) int luaopen_spec_process(lua_State *L) {
  static const luaL_Reg methods[] = {{"run", state_run}, {"close", state_close}, {NULL, NULL}};
  if (luaL_newmetatable(L, STATE)) {
    luaL_newlib(L, methods);
    lua_setfield(L, -2, "__index");
    lua_pushcfunction(L, state_close);
    lua_setfield(L, -2, "__gc");
  }
  luaL_newlib(L, functions);
  return 1;
}
