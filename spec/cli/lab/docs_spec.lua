-- The shell commands of docs/campaign.md run, one after the other, with fewer seeds.

local command = require "spec.support.lab_command"
local files = require "jangada.files"

-- The blocks of a language.
local function blocks(text, language)
  local list = {}
  for block in text:gmatch("\n```" .. language .. "\n(.-)\n```\n") do list[#list + 1] = block end
  return list
end

describe("docs/campaign.md #big", function()
  local text = command.read("docs/campaign.md")
  local directory, root

  setup(function()
    directory = command.directory()
    local pipe <close> = assert(io.popen("pwd"))
    root = pipe:read("l")
    command.write(directory .. "/scenario.lua", blocks(text, "lua")[1])
    local build = os.getenv("BUILD") or "build"
    if build:sub(1, 1) ~= "/" then build = root .. "/" .. build end
    command.write(directory .. "/jangada", ("#!/bin/sh\n"
      .. "LUA_PATH='%s/lua/?.lua;%s/lua/?/init.lua;;' "
      .. "LUA_CPATH='%s/?.so;;' exec lua5.4 %s/bin/jangada \"$@\"\n"):format(root, root, build,
      root))
    assert(os.execute("chmod +x " .. files.quote(directory .. "/jangada")))
  end)

  for i, block in ipairs(blocks(text, "sh")) do
    it(("has commands that run: %d, %s"):format(i, block:match("^[^\n]*")), function()
      if block:find("^parallel")
        and os.execute("parallel --version 2>/dev/null | grep -q GNU") ~= true then
        return pending("GNU parallel is missing (Debian: parallel)")
      end
      local script = block:gsub("1%-1000", "1-8"):gsub("^parallel", "parallel --will-cite")
      command.write(directory .. "/script", script)
      local pipe <close> = assert(io.popen(("cd %s && PATH=\"$PWD:$PATH\" bash -e script "
        .. "< /dev/null 2>&1; echo exit $?"):format(files.quote(directory))))
      local output = pipe:read("a")
      assert.matches("\nexit 0\n$", output)
    end)
  end
end)
