/* SPDX-License-Identifier: MIT
**
** clock.c - the clock of the benchmarks: Lua has none that counts what waits for a disk in
** microseconds. clock.now() returns seconds since some moment in the past.
*/
#include <lauxlib.h>
#include <lua.h>
#include <time.h>

static int clock_now(lua_State *L) {
  struct timespec t;
  clock_gettime(CLOCK_MONOTONIC, &t);
  lua_pushnumber(L, (lua_Number)t.tv_sec + (lua_Number)t.tv_nsec / 1e9);
  return 1;
}

__attribute__((visibility("default"))) int luaopen_clock(lua_State *L);
int luaopen_clock(lua_State *L) {
  static const luaL_Reg functions[] = {{"now", clock_now}, {NULL, NULL}};
  luaL_newlib(L, functions);
  return 1;
}
