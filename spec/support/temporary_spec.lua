local files = require "jangada.files"
local temporary = require "spec.support.temporary"

-- Runs a script with `path`, a directory in `inside`, until it ends; gives the path.
local function run(inside, script)
  local file = inside .. "/script.lua"
  local f <close> = assert(io.open(file, "w"))
  f:write(("package.path = %q\n"):format(package.path),
    ("local path, owner = require('spec.support.temporary').directory(%q)\n"):format(inside),
    "io.write(path, owner and '\\n')\nio.stdout:flush()\n", script)
  f:close()
  local pipe <close> = assert(io.popen("exec lua5.4 " .. files.quote(file)))
  return (pipe:read("l"))
end

local function exists(path)
  return os.rename(path, path) ~= nil
end

describe("a directory of the specs", function()
  it("is removed with its process, or by the next one when that was killed", function()
    local inside <const>, owner = temporary.directory()
    assert.is_table(owner)
    assert.is_false(exists(run(inside, "")))
    local left = run(inside, "io.open(path .. '/file', 'w'):close() os.execute('kill -9 $PPID')")
    assert.is_true(exists(left))
    local mine, mine_too = temporary.directory(inside)
    assert.is_false(exists(left))
    run(inside, "")
    assert.is_true(exists(mine))
    assert.is_table(mine_too)
  end)
end)
