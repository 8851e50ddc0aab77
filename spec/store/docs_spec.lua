-- docs/store.md and docs/store-format.md say all that there is, and the truth about the bytes.
-- (spec/docs_spec.lua runs their examples.)
local errors = require "jangada.errors"
local fresh = require "spec.support.fresh"
local programs = require "spec.support.programs"

local function read(path)
  local f <close> = assert(io.open(path))
  return f:read("a")
end

local guide, format = read("docs/store.md"), read("docs/store-format.md")
local journal = read("docs/journal.md")

-- The codes that stand as literals in the C sources, where they are raised or returned.
local function raised_codes()
  local codes = {}
  local pipe <close> = assert(io.popen("cat $(ls csrc/*.c | grep -v queue.c)")) -- the lab's
  local source = pipe:read("a")
  for literal in source:gmatch('"([%l_]+)"') do
    if errors.codes[literal] then codes[literal] = true end
  end
  return codes
end

describe("docs/store.md", function()
  after_each(fresh.clean)

  it("has a line in its table for each error code that the store raises, and no other", function()
    local codes, documented = raised_codes(), {}
    local section = guide:match("\n## Errors\n(.-)\n## ")
    for code, when in section:gmatch("\n| `([%l_]+)` | ([^|]*) |") do
      assert.is_nil(documented[code], code .. " has two lines")
      assert.is_true(#when > 5, code)
      documented[code] = true
    end
    assert.same(codes, documented)
    assert.is_true(documented.tx_closed)
  end)

  it("names every method of the classes, with docs/journal.md", function()
    local db = fresh.open()
    local tx = db:begin("write")
    local b = tx:create_bucket("b")
    local ticket = fresh.open():begin("write"):commit{ wait = false }
    local text = guide .. journal
    local disk = require("jangada.store").memory_disk()
    for _, handle in ipairs{ db, tx, b, b:cursor(), ticket, disk } do
      local class = getmetatable(handle)
      for name in pairs(class.__index) do
        -- in code: db:name(, `name(...)`, `name`
        local named = text:find("[%a]:" .. name .. "[(%s{`,]") or text:find("`" .. name .. "[(`]")
        assert.is_truthy(named, class.__name .. ":" .. name)
      end
    end
  end)

  it("names every option of store.open, in its table", function()
    local options = read("csrc/db.c"):match("open_options%[%] = {(.-)}")
    local pattern = "\n## Opening\n(.-)\n## "
    local section = guide:match(pattern) .. journal:match(pattern)
    local count = 0
    for name in options:gmatch('"([%w_]+)"') do
      assert.is_truthy(section:find("`" .. name .. "`", 1, true), name)
      count = count + 1
    end
    assert.is_true(count >= 9)
  end)

  it("names every field of info, stats and readers", function()
    local section = guide:match("\n## Stats\n(.-)\n## ")
    if fresh.journals then section = section .. journal:match("\n## Stats\n(.-)\n## ") end
    local db = fresh.open()
    local snapshot <close> = db:begin("read")
    db:update(function(tx)
      local b = tx:create_bucket("b")
      local all = { db:info(), db:stats(), tx:stats(), b:stats(), db:readers()[1] }
      assert.equal(5, #all)
      if fresh.journals then all[6], all[7] = db:info().journal, db:stats().flushes end
      for _, fields in ipairs(all) do
        for name in pairs(fields) do
          local named = section:find("`" .. name .. "`", 1, true)
            or section:find("[{ ]" .. name .. "=")
          assert.is_truthy(named, name)
        end
      end
    end)
    assert.is_false(snapshot:is_writable())
  end)

  it("gives the limits of the store", function()
    local db = fresh.open()
    assert.is_truthy(guide:find("1 to " .. db:key_size_max() .. " bytes", 1, true))
    local header = read("csrc/jangada.h")
    local whole, less = header:match("VALUE_SIZE_MAX %((0x%x+)u %- (%d+)u%)")
    local limit = ("%d"):format(tonumber(whole) - tonumber(less))
    local shown = limit:reverse():gsub("(%d%d%d)", "%1,"):reverse():gsub("^,", "")
    assert.is_truthy(guide:find("| value | " .. shown .. " bytes", 1, true))
  end)
end)

describe("docs/store-format.md", function()
  after_each(fresh.clean)

  it("shows the bytes that its example writes", function()
    if not programs.has_tools then return pending(programs.no_tools) end
    local path = fresh.path()
    local example = assert(format:match("\n```lua\n(.-)\n```\n"))
    example = example:gsub('"x.db"', ("%q"):format(path))
    assert(load(example))()
    for name, block in pairs{ people = "people", ["\1jangada"] = "root" } do
      local dump = programs.must("mdb_dump -n -s '%s' '%s'", name, path)
      local shown = assert(format:match("\n```" .. block .. "\n(.-\n)```\n"))
      assert.equal(shown, (dump:match("HEADER=END\n(.*)DATA=END"):gsub("\n ", "\n"):sub(2)))
    end
  end)

  it("has a line for each trap that a spec names", function()
    local pipe <close> = assert(io.popen("cat spec/store/*_spec.lua"))
    local count = 0
    for list in pipe:read("a"):gmatch("%(traps? ([%d, b]+)%)") do
      for number in list:gmatch("%d+b?") do
        assert.is_truthy(format:find("\n| " .. number .. " | ", 1, true), number)
        count = count + 1
      end
    end
    assert.is_true(count > 30)
    for number = 1, 40 do
      assert.is_truthy(format:find("\n| " .. number .. " | [^|]+ | [^|]+ |"), number)
    end
  end)
end)
