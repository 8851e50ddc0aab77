local records = require "jangada.cli.log.records"

local LIMIT <const> = 1000

-- All records of an input that comes in pieces of so many bytes.
local function cut(make, input, size)
  local source, found = make(LIMIT), {}
  local function add(list)
    for _, record in ipairs(list) do found[#found + 1] = record end
  end
  for at = 1, #input, size do
    add(source:feed(input:sub(at, at + size - 1)))
    if source.fault then return found, source.fault end
  end
  add(source:finish())
  return found, source.fault
end

describe("lines", function()
  it("are cut at newlines, whatever pieces they come in", function()
    local input = "one\n\n\0\xff\rthree\n" .. ("x"):rep(500) .. "\nlast"
    for size = 1, #input do
      assert.same({ "one", "", "\0\xff\rthree", ("x"):rep(500), "last" },
        (cut(records.lines, input, size)))
    end
    assert.same({ "a" }, (cut(records.lines, "a\n", 9)))
    assert.same({}, (cut(records.lines, "", 9)))
  end)

  it("have a limit, and those before one that passes it are given", function()
    local longest = ("x"):rep(LIMIT)
    for _, size in ipairs{ 1, 7, 5000 } do
      assert.same({ "a", longest }, (cut(records.lines, "a\n" .. longest .. "\n", size)))
      local found, fault = cut(records.lines, "a\n" .. longest .. "x\nb\n", size)
      assert.same({ "a" }, found)
      assert.equal("input_invalid", fault.code)
      assert.matches("record 2 .*%-%-size%-max", fault.message)
    end
  end)
end)

describe("records with their lengths", function()
  it("are cut out, whatever pieces they come in", function()
    local expected, input = { "", "one", "\n\0", ("x"):rep(500), "" }, {}
    for i, record in ipairs(expected) do input[i] = string.pack(">s4", record) end
    input = table.concat(input)
    for size = 1, #input do assert.same(expected, (cut(records.lengths, input, size))) end
  end)

  it("have a limit, which their length tells at once", function()
    local found, fault = cut(records.lengths, "\0\0\0\1a" .. string.pack(">I4", LIMIT + 1), 3)
    assert.same({ "a" }, found)
    assert.matches("record 2 .*1001 bytes", fault.message)
  end)

  it("end where one ends", function()
    local found, fault = cut(records.lengths, "\0\0\0\1a\0\0\0\5abc", 4)
    assert.same({ "a" }, found)
    assert.matches("within record 2: 7 of its 9 bytes", fault.message)
    fault = select(2, cut(records.lengths, "\0\0\0", 1))
    assert.matches("within record 1: 3 of its first 4 bytes", fault.message)
  end)
end)
