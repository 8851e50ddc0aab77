local cjson = require "cjson"
local command = require "spec.support.db_command"

describe("jangada db bench", function()
  it("prints a rate for each operation, and removes its file", function()
    for _, durability in ipairs{ "none", "journal" } do
      local path = command.path()
      local output = command.must{ "bench", path, "--count", "300", "--size", "5", "--batch", "7",
        "--durability", durability }
      assert.matches("^300 values of 5 bytes, 7 a commit, durability " .. durability .. ", in ",
        output)
      for _, name in ipairs{ "append, in order", "put, random order", "get, random order",
        "scan, forwards", "scan, backwards", "delete, random order" } do
        assert.matches("\n  " .. name .. " +[%d.]+ +[%d,]+ +[%d.]+\n", output)
      end
      local pipe <close> = assert(io.popen("ls -A " .. path:match("^.*/")))
      assert.equal("", pipe:read("a"))
    end
  end)

  it("prints objects", function()
    local lines = command.lines(command.must{ "bench", "--count", "1", "--size", "0", "--json" })
    assert.equal(6, #lines)
    for _, line in ipairs(lines) do assert.is_true(cjson.decode(line).keys_per_second > 0) end
  end)

  it("does not write to a file that exists", function()
    local path = command.file()
    local code, _, message = command.run{ "bench", path }
    assert.equal(2, code)
    assert.truthy(message:find(path .. ": it exists already", 1, true), message)
  end)

  it("refuses counts that make no sense", function()
    for _, arguments in ipairs{ { "--count", "0" }, { "--batch", "0" }, { "--size", "-1" },
      { "--count", "many" }, { "--durability", "maybe" } } do
      assert.equal(2, (command.run{ "bench", table.unpack(arguments) }))
    end
  end)
end)
