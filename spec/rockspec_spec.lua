-- The rockspec lists files by hand; a file that it forgets is missing only for who installs it.

local function read_rockspec()
  local environment = {}
  assert(loadfile("jangada-scm-1.rockspec", "t", environment))()
  return environment
end

local function find(directory, pattern)
  local pipe <close> = assert(io.popen(("find %s -name '%s'"):format(directory, pattern)))
  local files = {}
  for file in pipe:lines() do files[file] = true end
  return files
end

describe("the rockspec", function()
  it("lists every Lua file under its module's name, and no other", function()
    local listed = {}
    for module, file in pairs(read_rockspec().build.modules) do
      if type(file) == "string" then
        listed[file] = true
        assert.equal(module, (file:gsub("^lua/", ""):gsub("%.lua$", ""):gsub("/init$", "")
          :gsub("/", ".")))
      end
    end
    assert.same(find("lua", "*.lua"), listed)
  end)

  it("lists every C file, and no other", function()
    local listed = {}
    for _, file in ipairs(read_rockspec().build.modules["jangada.store"].sources) do
      listed[file] = true
    end
    assert.same(find("csrc", "*.c"), listed)
  end)

  it("asks for what the code requires", function()
    assert.same({ "lua >= 5.4", "argparse >= 0.7", "lua-cjson >= 2.1" },
      read_rockspec().dependencies)
  end)
end)
