/* SPDX-License-Identifier: MIT
**
** options.c - reads option tables. An unknown option, or one of the wrong type, raises and
** names it: a misspelt `durabilty` must not go unnoticed.
*/
#include "jangada.h"

#include <string.h>

static bool is_known(const char *name, const char *const known[]) {
  for (; *known != NULL; known++)
    if (strcmp(name, *known) == 0) return true;
  return false;
}

void jg_options_known(lua_State *L, int idx, const char *const known[]) {
  if (lua_isnoneornil(L, idx)) return;
  luaL_checktype(L, idx, LUA_TTABLE);
  lua_pushnil(L);
  while (lua_next(L, idx) != 0) {
    if (lua_type(L, -2) != LUA_TSTRING)
      luaL_argerror(L, idx,
                    lua_pushfstring(L, "option name expected, got a %s", luaL_typename(L, -2)));
    size_t size;
    const char *name = lua_tolstring(L, -2, &size);
    if (strlen(name) != size || !is_known(name, known))
      luaL_argerror(L, idx, lua_pushfstring(L, "unknown option '%s'", name));
    lua_pop(L, 1);
  }
}

/* Pushes the option; false and nothing pushed when it is absent. */
static bool push_option(lua_State *L, int idx, const char *name, int type) {
  if (lua_isnoneornil(L, idx)) return false;
  lua_pushstring(L, name);
  int found = lua_rawget(L, idx); /* raw: reading an option runs no code of the script's */
  if (found == LUA_TNIL) {
    lua_pop(L, 1);
    return false;
  }
  if (found != type)
    luaL_argerror(L, idx,
                  lua_pushfstring(L, "option '%s' must be a %s, not a %s", name,
                                  lua_typename(L, type), lua_typename(L, found)));
  return true;
}

bool jg_has_option(lua_State *L, int idx, const char *name) {
  if (lua_isnoneornil(L, idx)) return false;
  lua_pushstring(L, name);
  bool found = lua_rawget(L, idx) != LUA_TNIL;
  lua_pop(L, 1);
  return found;
}

bool jg_option_boolean(lua_State *L, int idx, const char *name, bool fallback) {
  if (!push_option(L, idx, name, LUA_TBOOLEAN)) return fallback;
  bool value = lua_toboolean(L, -1);
  lua_pop(L, 1);
  return value;
}

lua_Integer jg_option_integer(lua_State *L, int idx, const char *name, lua_Integer fallback,
                              lua_Integer min, lua_Integer max) {
  if (!push_option(L, idx, name, LUA_TNUMBER)) return fallback;
  int exact;
  lua_Integer value = lua_tointegerx(L, -1, &exact);
  if (!exact || value < min || value > max)
    luaL_argerror(L, idx,
                  lua_pushfstring(L, "option '%s' must be an integer from %I to %I", name,
                                  (LUAI_UACINT)min, (LUAI_UACINT)max));
  lua_pop(L, 1);
  return value;
}

/* The index of the choice; 0, the first, when the option is absent. */
int jg_option_choice(lua_State *L, int idx, const char *name, const char *const choices[]) {
  if (!push_option(L, idx, name, LUA_TSTRING)) return 0;
  size_t size;
  const char *value = lua_tolstring(L, -1, &size);
  for (int i = 0; choices[i] != NULL; i++)
    if (size == strlen(choices[i]) && memcmp(value, choices[i], size) == 0) {
      lua_pop(L, 1);
      return i;
    }
  luaL_Buffer list;
  luaL_buffinit(L, &list);
  for (int i = 0; choices[i] != NULL; i++) {
    if (i > 0) luaL_addstring(&list, " or ");
    luaL_addstring(&list, choices[i]);
  }
  luaL_pushresult(&list);
  return luaL_argerror(
      L, idx, lua_pushfstring(L, "option '%s' is %s, not '%s'", name, lua_tostring(L, -1), value));
}
