/* SPDX-License-Identifier: MIT
**
** streams.c - what the command line needs of the system beside files: to read what is there without
** waiting for more, to wait without being busy, to be told of a signal instead of being ended by
** it, and to end what does not end by itself.
**
** Lua's own library has none of it: io.read waits for as much as it was asked for, and a Ctrl-C
** that comes meanwhile is noticed when that has arrived.
*/
#include "jangada.h"

#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <string.h>
#include <sys/time.h>
#include <time.h>
#include <unistd.h>

#define READ_MAX (1 << 20)
#define POLLED_MAX 1024

static volatile sig_atomic_t caught;

static void note_signal(int number) {
  caught = number;
}

static int check_fd(lua_State *L, int idx) {
  luaL_Stream *stream = luaL_checkudata(L, idx, LUA_FILEHANDLE);
  luaL_argcheck(L, stream->closef != NULL, idx, "the file is closed");
  return fileno(stream->f);
}

/* read(file, size_max, timeout_ms): up to so many bytes, as soon as there are any; "" at the end;
** nil when nothing came in time, or a signal did. What the library has read ahead is not seen: a
** file is read by this function alone. A time-out below 0 is none. */
static int streams_read(lua_State *L) {
  int fd = check_fd(L, 1);
  lua_Integer size = luaL_checkinteger(L, 2), timeout_ms = luaL_checkinteger(L, 3);
  luaL_argcheck(L, size > 0 && size <= READ_MAX, 2, "1 to 2^20 bytes");
  luaL_argcheck(L, timeout_ms <= INT32_MAX, 3, "the time is too long");
  luaL_Buffer buffer;
  char *into = luaL_buffinitsize(L, &buffer, (size_t)size);
  struct pollfd pollfd = {.fd = fd, .events = POLLIN};
  int ready = poll(&pollfd, 1, timeout_ms < 0 ? -1 : (int)timeout_ms);
  ssize_t count = ready > 0 ? read(fd, into, (size_t)size) : -1;
  if (count < 0) {
    int error = errno;
    bool is_quiet = ready == 0 || error == EINTR || error == EAGAIN;
    luaL_pushresultsize(&buffer, 0);
    if (!is_quiet) jg_raise(L, "io_error", "read: %s", strerror(error));
    lua_pushnil(L);
    return 1;
  }
  luaL_pushresultsize(&buffer, (size_t)count);
  return 1;
}

/* wait(ms [, file]): returns after so long, or when a signal came, or when nobody reads the file (a
** pipe) any more; true in that last case. */
static int streams_wait(lua_State *L) {
  lua_Integer ms = luaL_checkinteger(L, 1);
  luaL_argcheck(L, ms >= 0 && ms <= INT32_MAX, 1, "milliseconds, not too many");
  struct pollfd pollfd = {.fd = -1, .events = 0}; /* errors are told of without being asked for */
  if (!lua_isnoneornil(L, 2)) pollfd.fd = check_fd(L, 2);
  int ready = poll(&pollfd, 1, (int)ms);
  lua_pushboolean(L, ready > 0 && (pollfd.revents & POLLERR) != 0);
  return 1;
}

/* poll(files, timeout_ms): the indexes of those files that can be read now, or have ended; none
** when nothing came in time, or a signal did. */
static int streams_poll(lua_State *L) {
  luaL_checktype(L, 1, LUA_TTABLE);
  lua_Integer timeout_ms = luaL_checkinteger(L, 2);
  lua_Integer count = luaL_len(L, 1);
  luaL_argcheck(L, timeout_ms >= 0 && timeout_ms <= INT32_MAX, 2, "milliseconds, not too many");
  luaL_argcheck(L, count <= POLLED_MAX, 1, "too many files");
  struct pollfd pollfds[POLLED_MAX];
  for (lua_Integer i = 0; i < count; i++) {
    lua_geti(L, 1, i + 1);
    pollfds[i] = (struct pollfd){.fd = check_fd(L, -1), .events = POLLIN};
    lua_pop(L, 1);
  }
  int ready = poll(pollfds, (nfds_t)count, (int)timeout_ms);
  lua_createtable(L, ready > 0 ? ready : 0, 0);
  for (lua_Integer i = 0, n = 0; ready > 0 && i < count; i++) {
    if (pollfds[i].revents == 0) continue;
    lua_pushinteger(L, i + 1);
    lua_seti(L, -2, ++n);
  }
  return 1;
}

/* clock(): seconds since some moment: for how long something takes, not for what time it is. */
static int streams_clock(lua_State *L) {
  struct timespec now;
  clock_gettime(CLOCK_MONOTONIC, &now);
  lua_pushnumber(L, (lua_Number)now.tv_sec + (lua_Number)now.tv_nsec / 1e9);
  return 1;
}

/* catch([lasting]): from here on the first SIGINT, SIGTERM or SIGHUP is noted, and only a second one
** ends the process, but for SIGINT when it is lasting: then each is noted; a pipe that nobody reads is a failed write. What was noted before is forgotten. */
static int streams_catch(lua_State *L) {
  static const int numbers[] = {SIGINT, SIGTERM, SIGHUP};
  struct sigaction action;
  int lasting = lua_toboolean(L, 1);
  caught = 0;
  memset(&action, 0, sizeof action);
  sigemptyset(&action.sa_mask);
  action.sa_handler = note_signal;
  action.sa_flags = (int)SA_RESETHAND; /* and no SA_RESTART: who waits is to be told */
  for (size_t i = 0; i < sizeof numbers / sizeof *numbers; i++)
    sigaction(numbers[i], &action, NULL);
  if (lasting) {
    action.sa_flags = 0;
    sigaction(SIGINT, &action, NULL);
  }
  action.sa_handler = SIG_IGN;
  action.sa_flags = 0;
  sigaction(SIGPIPE, &action, NULL);
  return 0;
}

/* caught(): the number of the signal that was noted, or nil. */
static int streams_caught(lua_State *L) {
  if (caught == 0)
    lua_pushnil(L);
  else
    lua_pushinteger(L, caught);
  return 1;
}

/* The thread that runs within a limit, if any does. */
static lua_State *limited;
static volatile sig_atomic_t is_time_up;
static const char where_key; /* registry: the traceback of where it was */

#define STOP_S 2 /* what has not ended by then, in C or in a coroutine, ends with the process */

static void stop(lua_State *L, lua_Debug *where) {
  (void)where;
  if (lua_rawgetp(L, LUA_REGISTRYINDEX, &where_key) == LUA_TNIL) {
    luaL_traceback(L, L, "time is up", 0);
    lua_rawsetp(L, LUA_REGISTRYINDEX, &where_key);
  }
  luaL_error(L, "time is up");
}

/* lua_sethook may be called in a handler: lua.c does so for Ctrl-C. An error at each instruction:
** whoever catches one gets the next. */
static void note_alarm(int number) {
  (void)number;
  is_time_up = 1;
  signal(SIGALRM, SIG_DFL);
  if (limited != NULL) lua_sethook(limited, stop, LUA_MASKCOUNT, 1);
  alarm(STOP_S);
}

static void set_timer(lua_Number seconds) {
  struct itimerval timer = {.it_interval = {0, 0}};
  timer.it_value.tv_sec = (time_t)seconds;
  timer.it_value.tv_usec = (suseconds_t)((seconds - (lua_Number)timer.it_value.tv_sec) * 1e6);
  setitimer(ITIMER_REAL, &timer, NULL);
}

/* limit(seconds, fn): calls fn and returns true, or false and a traceback when that much time has
** passed before it was done; what fn raises passes through. Where Lua cannot be stopped, the
** process ends by SIGALRM. There is one limit at a time. */
static int streams_limit(lua_State *L) {
  lua_Number seconds = luaL_checknumber(L, 1);
  luaL_argcheck(L, seconds >= 0.001 && seconds <= INT32_MAX, 1, "seconds, not too many");
  luaL_checktype(L, 2, LUA_TFUNCTION);
  if (limited != NULL) return luaL_error(L, "there is a limit already");
  lua_pushnil(L);
  lua_rawsetp(L, LUA_REGISTRYINDEX, &where_key);
  is_time_up = 0;
  limited = L;
  signal(SIGALRM, note_alarm);
  set_timer(seconds);
  lua_settop(L, 2);
  int status = lua_pcall(L, 0, 0, 0);
  set_timer(0);
  signal(SIGALRM, SIG_DFL);
  limited = NULL;
  lua_sethook(L, NULL, 0, 0);
  if (is_time_up) {
    lua_pushboolean(L, 0);
    lua_rawgetp(L, LUA_REGISTRYINDEX, &where_key);
    return 2;
  }
  if (status != LUA_OK) return lua_error(L);
  lua_pushboolean(L, 1);
  return 1;
}

static const luaL_Reg functions[] = {{"read", streams_read},
                                     {"wait", streams_wait},
                                     {"poll", streams_poll},
                                     {"clock", streams_clock},
                                     {"limit", streams_limit},
                                     {"catch", streams_catch},
                                     {"caught", streams_caught},
                                     {NULL, NULL}};

void jg_push_streams(lua_State *L) {
  luaL_newlib(L, functions);
}
