local cjson = require "cjson"
local command = require "spec.support.db_command"

local must, run = command.must, command.run

local function sample()
  return command.file(function(tx)
    local bucket = tx:create_bucket("b")
    for i = 1, 500 do bucket:put(("key %03d"):format(i), "value " .. i) end
    bucket:put("large", ("x"):rep(10000))
    bucket:create_bucket("inner"):put("k\27", "v")
  end)
end

local function rows_of(...)
  local rows = {}
  for i, line in ipairs(command.lines(must{ ... })) do rows[i] = cjson.decode(line) end
  return rows
end

describe("jangada db pages", function()
  it("lists every page once, with who uses it", function()
    local path = sample()
    local next_page = 0
    local kinds = {}
    for _, row in ipairs(rows_of("pages", path, "--json")) do
      assert.equal(next_page, row.page)
      next_page = next_page + row.pages
      kinds[row.kind] = (kinds[row.kind] or 0) + row.pages
    end
    assert.equal(#command.read(path) // 4096, next_page)
    assert.equal(2, kinds.meta)
    assert.equal(3, kinds.overflow)
    assert.is_nil(kinds.leaked)
    local lines = command.lines(must{ "pages", path })
    assert.equal("  page  kind      pages  items   used  tree", lines[1])
    assert.equal("     0  meta", lines[3])
  end)

  it("lists one kind, or sums by tree", function()
    local path = sample()
    local rows = rows_of("pages", path, "--kind", "overflow", "--json")
    assert.equal(1, #rows)
    assert.same({ "b", 3 }, { rows[1].tree, rows[1].pages })
    local sums = {}
    for _, row in ipairs(rows_of("pages", path, "--summary", "--json")) do
      sums[row.tree or row.owner] = row
    end
    local stats = cjson.decode(must{ "stats", path, "b", "--json" }).buckets[1]
    for _, field in ipairs{ "branch_pages", "leaf_pages", "overflow_pages" } do
      assert.equal(stats[field], sums.b[field], field)
    end
    assert.matches("\n  b +%d+ +1 +%d+ +3 +%d+ %% +%d+ KiB\n", must{ "pages", path, "--summary" })
  end)

  it("exits with 1 on a damaged file, with what can be read", function()
    local path = sample()
    local leaf = rows_of("pages", path, "--kind", "leaf", "--json")[1].page
    command.scribble(path, leaf * 4096, ("\xa5"):rep(64))
    local code, output, message = run{ "pages", path }
    assert.equal(1, code)
    assert.matches("  kind  ", output)
    assert.truthy(message:find(path .. ": damaged", 1, true), message)
  end)
end)

describe("jangada db page", function()
  local function page_of(path, kind, tree)
    for _, row in ipairs(rows_of("pages", path, "--kind", kind, "--json")) do
      if row.tree == tree then return tostring(row.page) end
    end
  end

  it("shows keys and values of a leaf", function()
    local path = sample()
    local output = must{ "page", path, page_of(path, "leaf", "b") }
    assert.matches("^page %d+: leaf, %d+ items?, [%d,]+ of 4,096 bytes used\n", output)
    assert.matches("key 001 +%d+  value 1\n", output)
  end)

  it("shows where a branch leads", function()
    local path = sample()
    local output = must{ "page", path, page_of(path, "branch", "b") }
    assert.matches("\n +1  key %d+ +%(page %d+%)\n", output)
  end)

  it("shows the records of buckets, and keys without what steers a terminal", function()
    local path = sample()
    local output = must{ "page", path, page_of(path, "leaf", "\1jangada") }
    assert.matches("b +%d+  %(bucket 1, tree b, sequence 0%)\n", output)
    assert.matches("k\\x1b +1  v\n", output)
    assert.is_nil(output:find("\27", 1, true))
  end)

  it("shows meta pages, several at once", function()
    local path = sample()
    local output = must{ "page", path, "0", "1" }
    assert.matches("page 0: meta\n  transaction +%d\n", output)
    assert.matches("\n\npage 1: meta\n", output)
    assert.matches("main +2 entries; depth 1; pages: 0 branch, 1 leaf, 0 overflow; root %d+\n",
      output)
  end)

  it("prints all bytes of a page", function()
    local path = sample()
    local number = page_of(path, "leaf", "b")
    local bytes = {}
    local object = cjson.decode(must{ "page", path, number, "--bytes", "--json" })
    local decode = ("printf %%s '%s' | base64 -d"):format(object.bytes.base64)
    local pipe <close> = assert(io.popen(decode))
    assert.equal(command.read(path):sub(number * 4096 + 1, (number + 1) * 4096), pipe:read("a"))
    local expected, previous = 0, nil
    for _, line in ipairs(command.lines(must{ "page", path, number, "--bytes" })) do
      local at, hex = line:match("^  (%x%x%x%x)  ([%x ]+)  |")
      if at then
        while expected < tonumber(at, 16) do -- stars stand for repetitions
          bytes[#bytes + 1], expected = previous, expected + 16
        end
        previous = hex:gsub("%s", "")
        bytes[#bytes + 1], expected = previous, expected + 16
      end
    end
    local page = command.read(path):sub(number * 4096 + 1, (number + 1) * 4096)
    assert.equal((page:gsub(".", function(c) return ("%02x"):format(c:byte()) end)),
      table.concat(bytes))
  end)

  it("names the page that is not there", function()
    local code, _, message = run{ "page", sample(), "999999" }
    assert.equal(2, code)
    assert.matches("there is no page 999999", message)
  end)

  it("shows a page of a file that no store opens", function()
    local path = sample()
    local number = page_of(path, "leaf", "\1jangada")
    command.scribble(path, page_of(path, "branch", "b") * 4096, ("\xa5"):rep(100))
    assert.equal(3, (run{ "keys", path, "b" }))
    assert.matches("%(bucket 1, tree b, sequence 0%)", must{ "page", path, number })
  end)
end)
