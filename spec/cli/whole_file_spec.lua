local command = require "spec.support.lab_command"
local errors = require "jangada.errors"
local whole_file = require "jangada.cli.whole_file"

local function exists(path)
  local file <close> = io.open(path)
  return file ~= nil
end

describe("a file that is written whole", function()
  it("replaces what had its name", function()
    local path = command.directory() .. "/f"
    for _, text in ipairs{"one", "two"} do
      whole_file.write(path, function(write) write(text, "\n") end)
      assert.equal(text .. "\n", command.read(path))
    end
    assert.is_false(exists(path .. ".new"))
  end)

  it("leaves what was there when it fails", function()
    local path = command.directory() .. "/f"
    command.write(path, "old")
    local ok, failure = pcall(whole_file.write, path, function(write)
      write("half")
      error("on purpose", 0)
    end)
    assert.same({false, "on purpose"}, {ok, failure})
    assert.equal("old", command.read(path))
    assert.is_false(exists(path .. ".new"))
  end)

  it("is refused where no file can be", function()
    for _, fn in ipairs{whole_file.check, whole_file.write} do
      local ok, failure = pcall(fn, "/nonexistent/f", print)
      assert.is_false(ok)
      assert.is_true(errors.is(failure, "input_invalid"))
    end
    local path = command.directory() .. "/f"
    whole_file.check(path)
    assert.is_false(exists(path .. ".new"))
  end)

  it("says that the disk is full", function()
    if not exists("/dev/full") then return pending("there is no /dev/full") end
    local directory = command.directory()
    assert(os.execute(("ln -s /dev/full %s/f.new"):format(directory)))
    local ok, failure = pcall(whole_file.write, directory .. "/f", function(write) write("x") end)
    assert.is_false(ok)
    assert.is_true(errors.is(failure, "io_error"))
    assert.is_false(exists(directory .. "/f"))
  end)
end)
