local format = require "jangada.log.format"
local process = require "spec.support.process"
local store = require "jangada.store"

local HEADER <const> = "\n  node "

describe("jangada demo", function()
  local function run(text, options)
    local directory = process.directory()
    process.write(directory .. "/input", text)
    local code, output = process.jangada(("demo --durability none --directory %s %s %s/input")
      :format(directory, options or "", directory))
    return code, output, directory
  end

  local function assert_agreement(code, output, lines, bytes)
    assert.equal(0, code, output)
    for i = 1, 5 do
      local pattern = ("\n  n%d +1 .* %d +%d +%%x+  identical\n"):format(i, lines, bytes)
      assert.truthy(output:find(pattern), output)
    end
  end

  it("replicates a file through a crash, a restart, a partition and a heal", function()
    local lines = {}
    for i = 1, 300 do lines[i] = ("line %d\n"):format(i) end
    local text = table.concat(lines)
    local code, output = run(text)
    assert_agreement(code, output, 300, #text)
    local at = 1
    for _, word in ipairs{ "is leader of term", "CRASH", "RESTART", "PARTITION", "HEAL", HEADER } do
      at = assert(output:find(word, at, true), word .. " is missing or late in\n" .. output)
    end
  end)

  for what, text in pairs{
    ["a file of one line without a newline"] = "one line",
    ["lines with NUL and other bytes"] = "a\0b\n\0\0\n\255\27[2J\r\nx",
    ["empty lines"] = "\n\n\n",
    ["a line of 1 MiB"] = ("x"):rep(1 << 20) .. "\nand a short one\n",
  } do
    it("replicates " .. what .. ", byte for byte", function()
      local code, output, directory = run(text)
      local lines = select(2, text:gsub("\n", "")) + (text:sub(-1) == "\n" and 0 or 1)
      assert_agreement(code, output, lines, #text)
      local parts = {}
      local db <close> = assert(store.open(directory .. "/seed-1/n3.db", { read_only = true }))
      db:view(function(tx)
        for index, value in tx:bucket("replog"):each() do
          local _, kind, data = format.decode(index, value)
          if kind == 1 then parts[#parts + 1] = data:sub(2 + #"c1" + 8) end
        end
      end)
      assert.equal(text, table.concat(parts))
    end)
  end

  it("prints one trace hash for one seed, in every process, and another for another", function()
    local function hash(options)
      local _, output = run("a\nb\nc\n", options)
      return assert(output:match("trace hash (%x+)"), output)
    end
    local first = hash("--seed 7")
    assert.equal(first, hash("--seed 7"))
    assert.not_equal(first, hash("--seed 8"))
  end)

  for what, case in pairs{
    ["an empty file"] = { "", "the file is empty" },
    ["a file over the limit"] = { ("x"):rep((64 << 20) + 1), "more than the 64 MiB" },
  } do
    it("refuses " .. what .. " and says so", function()
      local code, output = run(case[1])
      assert.equal(2, code)
      assert.truthy(output:find(case[2], 1, true), output)
    end)
  end

  it("refuses what cannot be read, naming it, with exit code 2", function()
    for path, why in pairs{ ["/nonexistent"] = "No such file", ["/"] = "Is a directory",
      ["''"] = "no input file" } do
      local code, output = process.jangada("demo " .. path)
      assert.equal(2, code)
      assert.truthy(output:find(why, 1, true), output)
    end
  end)

  it("reads standard input as -, and LMDB's header when no file is named", function()
    local directory = process.directory()
    local code, output = process.jangada("demo --durability none --directory " .. directory .. " -",
      "a\nb\n")
    assert_agreement(code, output, 2, 4)
    code, output = process.jangada("demo --durability none --directory " .. directory)
    assert.equal(0, code, output)
    assert.truthy(output:find("lmdb.h", 1, true))
  end)

  it("removes no file that is not a store of an earlier run", function()
    local directory = process.directory()
    os.execute("mkdir " .. directory .. "/seed-1")
    process.write(directory .. "/seed-1/n2.db", "my own text, longer than a page header")
    local code, output = process.jangada("demo --directory " .. directory .. " -", "a\n")
    assert.equal(3, code)
    assert.truthy(output:find("n2.db is there, and no store of an earlier run", 1, true), output)
    local file <close> = assert(io.open(directory .. "/seed-1/n2.db"))
    assert.equal("my own text, longer than a page header", file:read("a"))
  end)

  it("tells when its output cannot be written, and when it is interrupted", function()
    local full <close> = assert(io.popen(
      "(echo a | lua5.4 bin/jangada demo --durability none - > /dev/full) 2>&1; echo exit $?"))
    local output = full:read("a")
    assert.truthy(output:find("No space left on device\nexit 3", 1, true), output)
    local lines = ("a line\n"):rep(100000)
    local directory = process.directory()
    process.write(directory .. "/input", lines)
    local pipe <close> = assert(io.popen(("lua5.4 bin/jangada demo --directory %s %s/input 2>&1 & "
      .. "p=$!; until test -e %s/seed-1/n5.db || ! kill -0 $p 2>/dev/null; do :; done; "
      .. "kill -INT $p; wait $p; echo exit $?"):format(directory, directory, directory)))
    output = pipe:read("a")
    assert.truthy(output:find("jangada demo: interrupted\n", 1, true), output)
    assert.falsy(output:find("traceback", 1, true))
  end)

  it("names the option that it does not understand", function()
    local code, output = process.jangada("demo --seed seven")
    assert.equal(2, code)
    assert.truthy(output:find("--seed takes an integer, not 'seven'", 1, true), output)
  end)

  it("says where the files are, and LMDB's tools read the input in them", function()
    local _, output = run("the first line\nthe second line\n")
    local command = assert(output:match("(mdb_dump %-n %-p %-s replog %S+)"))
    local pipe <close> = assert(io.popen(command))
    local dump = pipe:read("a")
    assert.truthy(dump:find("the first line\\0a", 1, true), dump)
    assert.truthy(dump:find("the second line\\0a", 1, true), dump)
  end)
end)
