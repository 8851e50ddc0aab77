/* SPDX-License-Identifier: MIT
**
** streams.c - what the command line needs of the system beside files: to read what is there without
** waiting for more, to wait without being busy, and to be told of a signal instead of being ended
** by it.
**
** Lua's own library has none of it: io.read waits for as much as it was asked for, and a Ctrl-C that
** comes meanwhile is noticed when that has arrived.
*/
#include "jangada.h"

#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <string.h>
#include <unistd.h>

#define READ_MAX (1 << 20)

static volatile sig_atomic_t caught;

static void note_signal(int number) {
  caught = number;
}

static int check_fd(lua_State *L, int idx) {
  luaL_Stream *stream = luaL_checkudata(L, idx, LUA_FILEHANDLE);
  luaL_argcheck(L, stream->closef != NULL, idx, "the file is closed");
  return fileno(stream->f);
}

/* read(file, size_max, timeout_ms): up to so many bytes, as soon as there are any; "" at the end; nil
** when nothing came in time, or a signal did. What the library has read ahead is not seen: a file
** is read by this function alone. A time-out below 0 is none. */
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

/* catch(): from here on the first SIGINT, SIGTERM or SIGHUP is noted, and only a second one ends the
** process; a pipe that nobody reads is a failed write. */
static int streams_catch(lua_State *L) {
  static const int numbers[] = {SIGINT, SIGTERM, SIGHUP};
  struct sigaction action;
  (void)L;
  memset(&action, 0, sizeof action);
  sigemptyset(&action.sa_mask);
  action.sa_handler = note_signal;
  action.sa_flags = (int)SA_RESETHAND; /* and no SA_RESTART: who waits is to be told */
  for (size_t i = 0; i < sizeof numbers / sizeof *numbers; i++)
    sigaction(numbers[i], &action, NULL);
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

static const luaL_Reg functions[] = {{"read", streams_read},
                                     {"wait", streams_wait},
                                     {"catch", streams_catch},
                                     {"caught", streams_caught},
                                     {NULL, NULL}};

void jg_push_streams(lua_State *L) {
  luaL_newlib(L, functions);
}
