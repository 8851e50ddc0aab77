local cjson = require "cjson"
local command = require "spec.support.db_command"
local format = require "jangada.cli.db.format"

local must = command.must

local function all_bytes()
  local bytes = {}
  for i = 0, 255 do bytes[i + 1] = string.char(i) end
  return table.concat(bytes)
end

local function sample()
  return command.file(function(tx)
    local outer = tx:create_bucket("outer")
    outer:put("z", all_bytes())
    outer:put(all_bytes(), "")
    outer:create_bucket("in/ner\t", { keys = "integer" }):put(7, "seven")
  end)
end

describe("jangada db dump", function()
  for _, name in ipairs{ "text", "ascii-encoded", "hex" } do
    it("prints path, key and value of everything, to be read back from format " .. name, function()
      local form = format.named(name)
      local rows = {}
      for i, line in ipairs(command.lines(must{ "dump", sample(), "--format", name })) do
        local path, key, value = line:match("^([^\t]*)\t([^\t]*)\t([^\t]*)$")
        local names = format.decode_path(path)
        rows[i] = { names, format.decode_key(form, key, #names == 2), form.decode(value) }
      end
      assert.same({ { { "outer" }, all_bytes(), "" }, { { "outer" }, "z", all_bytes() },
        { { "outer", "in/ner\t" }, 7, "seven" } }, rows)
    end)
  end

  it("prints one bucket with those in it", function()
    assert.equal("outer/in\\/ner\\t\t7\tseven\n", must{ "dump", sample(), "outer/in\\/ner\\t" })
  end)

  it("prints objects that tell what each bucket is", function()
    local rows = {}
    for i, line in ipairs(command.lines(must{ "dump", sample(), "--json" })) do
      rows[i] = cjson.decode(line)
    end
    assert.same({ bucket = { "outer" }, key_type = "string", tree = true, sequence = 0 }, rows[1])
    assert.same({ bucket = { "outer" }, key = "z", value = rows[2].key }, rows[3])
    assert.same({ bucket = { "outer", "in/ner\t" }, key_type = "integer", tree = false,
      sequence = 0 }, rows[4])
    assert.same({ bucket = { "outer", "in/ner\t" }, key = 7, value = "seven" }, rows[5])
  end)

  it("prints bytes as they are when it is told to", function()
    local output = must{ "dump", sample(), "--format", "bytes" }
    assert.truthy(output:find("outer\tz\t" .. all_bytes() .. "\n", 1, true))
  end)
end)
