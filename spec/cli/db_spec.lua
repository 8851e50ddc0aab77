local command = require "spec.support.db_command"
local process = require "spec.support.process"
local store = require "jangada.store"

local must, run = command.must, command.run

local VERBS <const> = { "buckets", "inspect", "stats", "keys", "get", "put", "delete", "info",
  "check", "pages", "page", "dump", "compact", "backup", "recover", "bench" }

-- What each verb is called with, on a file.
local function arguments_of(verb, path)
  local rest = { keys = { "b" }, get = { "b", "k" }, put = { "b", "k", "v" },
    delete = { "b", "k" }, page = { "0" }, compact = { path .. ".copy" },
    backup = { path .. ".copy" } }
  return { verb, path, table.unpack(rest[verb] or {}) }
end

local function sample(count)
  return command.file(function(tx)
    local bucket = tx:create_bucket("b")
    bucket:put("k", "v")
    for i = 1, count or 0 do bucket:put(("key %06d"):format(i), "value " .. i) end
  end)
end

describe("jangada db", function()
  it("lists its verbs, and each says what it does with examples", function()
    local help = must{ "--help" }
    for _, verb in ipairs(VERBS) do
      assert.truthy(help:find("\n   " .. verb .. " +%u"), verb)
      local text = must{ verb, "--help" }
      assert.matches("\nExamples?:\n  jangada db " .. verb, text)
      for _, line in ipairs(command.lines(text)) do
        assert.is_true(#line <= 80, line)
      end
    end
  end)

  it("gives examples that it understands", function()
    local argparse = require "argparse"
    for _, verb in ipairs(VERBS) do
      local examples = must{ verb, "--help" }:match("\nExamples?:\n(.*)$")
      for words in examples:gmatch("jangada db ([^|&<>\n]*)") do
        local parser = argparse("jangada")
        parser:command_target("command")
        require("jangada.cli.db").define(parser:command("db"))
        local arguments = { "db" }
        words = words:gsub("'[^']*'", "quoted")
        for word in words:gmatch("%S+") do arguments[#arguments + 1] = word end
        local ok, message = parser:pparse(arguments)
        assert.is_true(ok, words .. ": " .. tostring(message))
      end
    end
  end)

  for what, case in pairs{
    ["a missing file"] = { "No such file", function() return "/nonexistent/x.db" end },
    ["a text"] = { "not an LMDB file", function()
      local path = process.directory() .. "/text"
      process.write(path, ("text\n"):rep(3000))
      return path
    end },
    ["a directory"] = { "", function() return process.directory() end },
    ["no name"] = { "no file is named", function() return "" end },
  } do
    it("exits with 2 for " .. what .. ", in one line that names it", function()
      local path = case[2]()
      for _, verb in ipairs(VERBS) do
        local is_other = verb == "bench" or verb == "check" and what == "a text"
          or (verb == "page" or verb == "pages") and what == "a text"
        if not is_other then
          local code, output, message = run(arguments_of(verb, path))
          assert.same({ 2, "" }, { code, output }, verb .. ": " .. message)
          assert.equal(1, #command.lines(message), message)
          assert.truthy(message:find(case[1], 1, true), verb .. ": " .. message)
          assert.truthy(message:find(path, 1, true), message)
        end
      end
    end)
  end

  it("exits with 3 for a file in use, and names it", function()
    local path = sample()
    local db <close> = assert(store.open(path))
    for _, verb in ipairs{ "get", "put", "check", "pages", "compact" } do
      local arguments = arguments_of(verb, path)
      table.insert(arguments, "--timeout-ms=20")
      local code, output, message = run(arguments)
      assert.same({ 3, "" }, { code, output })
      assert.equal(("jangada db %s: %s: in use by another process (waited 20 ms)\n"):format(verb,
        path), message)
    end
    db:close()
  end)

  it("reads and writes a file that other processes share", function()
    local path = sample()
    local db <close> = assert(store.open(path, { shared = true }))
    must{ "put", path, "b", "k", "new", "--shared" }
    assert.equal("new\n", must{ "get", path, "b", "k" })
    local tx <close> = db:begin("read")
    must{ "put", path, "b", "k", "newer", "--shared" }
    assert.matches("snapshots +process %d+ holds one 1 commit old\n", must{ "info", path })
    assert.equal("new", tx:bucket("b"):get("k"))
  end)

  it("exits with 3 for a damaged file, before LMDB sees it, and says where", function()
    local path = sample(2000)
    for page = 2, 14 do command.scribble(path, page * 4096, ("\xa5"):rep(200)) end
    for _, verb in ipairs{ "buckets", "inspect", "stats", "keys", "get", "put", "delete", "info",
      "dump", "compact", "backup" } do
      local code, output, message = run(arguments_of(verb, path))
      assert.same({ 3, "" }, { code, output }, verb .. ": " .. message)
      assert.truthy(message:find(path .. ": damaged: ", 1, true), message)
      assert.truthy(message:find("page %d+"), message)
      assert.equal(1, #command.lines(message))
    end
  end)

  it("exits with 3 for a truncated file", function()
    local path = sample(2000)
    os.execute(("truncate -s 20000 %s"):format(path))
    local code, _, message = run{ "keys", path, "b" }
    assert.equal(3, code)
    assert.truthy(message:find(path, 1, true), message)
  end)

  it("reads a damaged file as far as it goes when it is told to", function()
    local path = command.file(function(tx)
      tx:create_bucket("whole"):put("k", "v")
      local broken = tx:create_bucket("broken")
      for i = 1, 2000 do broken:put(("key %06d"):format(i), "value") end
    end)
    local page
    for line in must{ "pages", path, "--kind", "leaf" }:gmatch("[^\n]+") do
      page = page or line:match("^ +(%d+) .* broken$")
    end
    command.scribble(path, tonumber(page) * 4096, ("\xa5"):rep(64))
    assert.equal(3, (run{ "get", path, "whole", "k" }))
    assert.equal("v\n", must{ "get", path, "whole", "k", "--no-verify" })
  end)

  it("reads a file whose damage is none to a reader", function()
    local path = sample()
    local size = #command.read(path)
    -- A page more in the meta pages than is used or free: lost, but nobody will step on it.
    for _, meta in ipairs{ 0, 4096 } do
      local last = ("<I8"):unpack(command.read(path), meta + 16 + 120 + 1)
      command.scribble(path, meta + 16 + 120, ("<I8"):pack(last + 1))
    end
    local file <close> = assert(io.open(path, "ab"))
    file:write(("\0"):rep(8192))
    file:close()
    local code, output = run{ "check", path }
    assert.equal(1, code, size .. output)
    assert.matches("leaked", output)
    assert.equal("v\n", must{ "get", path, "b", "k" })
  end)

  it("names the argument that it does not understand", function()
    for message, arguments in pairs{
      ["unknown option '--nonsense'"] = { "keys", "x.db", "b", "--nonsense" },
      ["missing argument 'bucket'"] = { "keys", "x.db" },
      ["--limit takes an integer, not 'many'"] = { "keys", "x.db", "b", "--limit", "many" },
      ["--timeout-ms is at least 0"] = { "keys", "x.db", "b", "--timeout-ms=-1" },
      ["must be one of 'text', 'ascii-encoded', 'hex', 'bytes'"] = { "keys", "x.db", "b",
        "--format", "octal" },
      ["a command is required"] = {},
    } do
      local code, output, text = run(arguments)
      assert.same({ 2, "" }, { code, output })
      assert.truthy(text:find(message, 1, true), text)
    end
  end)

  it("ends quietly when nobody reads any more", function()
    local path = sample(50000)
    for _, verb in ipairs{ "keys", "dump", "pages" } do
      local _, output, message = run(arguments_of(verb, path), { shell = "| head -n 2" })
      assert.equal(2, #command.lines(output))
      assert.equal("", message)
      -- The same where the system does not end the process for it.
      local build = os.getenv("BUILD") or "build"
      local words = table.concat(arguments_of(verb, path), " ")
      local pipe <close> = assert(io.popen(("exec 3>&1; trap '' PIPE; { LUA_CPATH='%s/?.so;;' "
        .. "lua5.4 bin/jangada db %s 2>&3; echo \"exit $?\" >&3; } | head -n 1 > /dev/null")
        :format(build, words)))
      assert.equal("exit 0\n", pipe:read("a"))
    end
  end)

  it("says so when the output cannot be written", function()
    local code, _, message = run({ "keys", sample(50000), "b" }, { shell = "> /dev/full" })
    assert.equal(3, code)
    assert.matches("standard output: No space left", message)
    assert.equal(3, (run({ "get", sample(), "b", "k" }, { shell = "> /dev/full" })))
  end)
end)
