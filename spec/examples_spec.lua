-- Every example runs, from the root of the repository, and ends well.

local function lines_of(command)
  local pipe <close> = assert(io.popen(command))
  local lines = {}
  for line in pipe:lines() do lines[#lines + 1] = line end
  return lines
end

local build = os.getenv("BUILD") or "build"

local function run(path)
  local output = lines_of(("LUA_PATH='lua/?.lua;lua/?/init.lua;;' LUA_CPATH='%s/?.so;;' "
    .. "lua5.4 %s 2>&1; echo exit $?"):format(build, path))
  return table.remove(output), output
end

describe("the examples", function()
  for _, path in ipairs(lines_of("ls examples/*.lua")) do
    it(path .. " runs", function()
      local exit, output = run(path)
      assert.equal("exit 0", exit, table.concat(output, "\n"))
    end)
  end

  it("examples/raft.lua loses nothing that was answered, and catches the broken rule", function()
    local _, output = run("examples/raft.lua")
    local text = table.concat(output, "\n")
    assert.matches("boat\tjangada", text)
    assert.matches("wood\tcork", text)
    assert.matches("verdict\tnone", text)
    assert.matches("seed %d+: election_safety", text)
  end)
end)
