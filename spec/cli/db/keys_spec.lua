local cjson = require "cjson"
local command = require "spec.support.db_command"
local store = require "jangada.store"

local must, run = command.must, command.run

-- Every byte, and texts that formats could trip over.
local AWKWARD <const> = { "plain", " ", "a\tb\nc", "\\", "\\n", "-", "--json", "é", "\xff\xfe", "#",
  "\u{202e}", "'", '"', "a/b" }
do
  local all = {}
  for i = 0, 255 do all[i + 1] = string.char(i) end
  AWKWARD[#AWKWARD + 1] = table.concat(all)
end

local function accounts()
  return command.file(function(tx)
    local bucket = tx:create_bucket("accounts")
    for _, name in ipairs{ "ann", "anna", "bob", "carl" } do bucket:put(name, "is " .. name) end
    bucket:create_bucket("notes"):put("ann", "likes boats")
    local log = tx:create_bucket("log", { keys = "integer" })
    for i = 1, 20 do log:put(i * 10, "entry " .. i) end
    log:put(math.maxinteger, "last")
  end)
end

describe("jangada db keys", function()
  it("lists keys in order, without the buckets among them", function()
    local path = accounts()
    assert.equal("ann\nanna\nbob\ncarl\n", must{ "keys", path, "accounts" })
    assert.equal("ann\n", must{ "keys", path, "accounts/notes" })
    assert.equal("ann\tis ann\nanna\tis anna\n",
      must{ "keys", path, "accounts", "--values", "--limit", "2" })
  end)

  it("lists a range, a prefix, downwards and not more than asked for", function()
    local path = accounts()
    local function keys(...) return must{ "keys", path, ... } end
    assert.equal("anna\nbob\n", keys("accounts", "--from", "anna", "--to", "bob"))
    assert.equal("ann\nanna\n", keys("accounts", "--prefix", "ann"))
    assert.equal("carl\nbob\n", keys("accounts", "--reverse", "--limit", "2"))
    assert.equal("30\n40\n", keys("log", "--from", "25", "--to", "40"))
    assert.equal("9223372036854775807\n", keys("log", "--reverse", "--limit", "1"))
    assert.equal("", keys("accounts", "--limit", "0"))
    assert.equal("626f62\n",
      keys("accounts", "--from", "626f62", "--limit", "1", "--format", "hex"))
  end)

  it("counts only keys against the limit, not buckets", function()
    local path = command.file(function(tx)
      local bucket = tx:create_bucket("b")
      bucket:create_bucket("1")
      bucket:put("2", "")
      bucket:create_bucket("3")
      bucket:put("4", "")
    end)
    assert.equal("2\n4\n", must{ "keys", path, "b", "--limit", "2" })
  end)

  it("prints a JSON object a line", function()
    local lines = command.lines(must{ "keys", accounts(), "log", "--values", "--json",
      "--limit", "1" })
    assert.same({ '{"key":10,"value":"entry 1"}' }, lines)
  end)

  it("refuses a prefix of integer keys, and a key that is no integer", function()
    local path = accounts()
    local code, _, message = run{ "keys", path, "log", "--prefix", "1" }
    assert.equal(2, code)
    assert.matches("integer keys have no prefix", message)
    code, _, message = run{ "keys", path, "log", "--from", "x" }
    assert.equal(2, code)
    assert.matches("integers from 0", message, 1, true)
  end)
end)

describe("jangada db get", function()
  it("prints a value and a newline, or the bytes alone", function()
    local path = accounts()
    assert.equal("is ann\n", must{ "get", path, "accounts", "ann" })
    assert.equal("likes boats", must{ "get", path, "accounts/notes", "ann", "--format", "bytes" })
    assert.equal("last\n", must{ "get", path, "log", "9223372036854775807" })
  end)

  it("exits with 1 when there is no such key, or a bucket there", function()
    local path = accounts()
    for _, key in ipairs{ "nobody", "notes" } do
      local code, output, message = run{ "get", path, "accounts", key }
      assert.same({ 1, "" }, { code, output })
      assert.equal(("jangada db get: %s: no key '%s' in bucket 'accounts'\n"):format(path, key),
        message)
    end
    local code, output = run{ "get", path, "accounts", "nobody", "--json" }
    assert.equal(1, code)
    assert.equal('{"bucket":["accounts"],"key":"nobody","value":null}\n', output)
  end)

  it("tells the bucket that is missing", function()
    local path = accounts()
    local code, _, message = run{ "get", path, "accounts/none", "x" }
    assert.equal(2, code)
    assert.equal(("jangada db get: %s: there is no bucket 'accounts/none'\n"):format(path), message)
  end)
end)

describe("jangada db put", function()
  for _, format in ipairs{ "text", "ascii-encoded", "hex" } do
    it("stores any bytes that get, keys and dump print, in format " .. format, function()
      local form = require("jangada.cli.db.format").named(format)
      local path = command.file(function(tx) tx:create_bucket("b") end)
      local chosen = { "\\n", "-", "--json", AWKWARD[#AWKWARD] }
      for _, bytes in ipairs(chosen) do
        local text = form.encode(bytes)
        must{ "put", path, "--format", format, "--", "b", text, form.encode(bytes .. "!") }
        assert.equal(form.encode(bytes .. "!") .. "\n",
          must{ "get", path, "--format", format, "--", "b", text })
      end
      local lines = command.lines(must{ "keys", path, "b", "--format", format, "--values" })
      assert.equal(#chosen, #lines)
      local db <close> = assert(store.open(path, { read_only = true }))
      db:view(function(tx)
        for _, bytes in ipairs(chosen) do
          assert.equal(bytes .. "!", tx:bucket("b"):get(bytes))
        end
      end)
      for _, line in ipairs(lines) do
        local key, value = line:match("^([^\t]*)\t(.*)$")
        assert.equal(form.decode(key) .. "!", form.decode(value))
      end
    end)
  end

  it("stores standard input as it is in format bytes", function()
    local path = command.file(function(tx) tx:create_bucket("b") end)
    local bytes = AWKWARD[#AWKWARD]:rep(300) .. "\n"
    must({ "put", path, "b", "k", "-", "--format", "bytes" }, { input = bytes })
    assert.equal(bytes, must{ "get", path, "b", "k", "--format", "bytes" })
  end)

  it("drops the newline at the end of a text on standard input", function()
    local path = command.file(function(tx) tx:create_bucket("b") end)
    must({ "put", path, "b", "k", "-" }, { input = "one\\ntwo\n" })
    assert.equal("one\ntwo", must{ "get", path, "b", "k", "--format", "bytes" })
  end)

  it("stores the lines that keys --values prints, all or none", function()
    local source = command.file(function(tx)
      local bucket = tx:create_bucket("b")
      for _, bytes in ipairs(AWKWARD) do bucket:put(bytes, bytes) end
    end)
    local path = command.path()
    for _, format in ipairs{ "text", "ascii-encoded", "hex" } do
      local lines = must{ "keys", source, "b", "--values", "--format", format }
      local code, _, message = run({ "put", path, "c/" .. format, "-", "--create", "--format",
        format }, { input = lines })
      assert.equal(0, code, message)
      assert.matches(("%d keys stored"):format(#AWKWARD), message, 1, true)
      assert.equal(lines, must{ "keys", path, "c/" .. format, "--values", "--format", format })
    end
    local code, _, message = run({ "put", path, "c/text", "-" }, { input = "new\t1\n\nbroken\n" })
    assert.equal(2, code)
    assert.matches("line 3 of standard input has no tab", message)
    assert.equal(1, (run{ "get", path, "c/text", "new" }))
  end)

  it("makes the file and the buckets on the way only when it is told to", function()
    local path = command.path()
    local code, _, message = run{ "put", path, "a/b", "k", "v" }
    assert.equal(2, code)
    assert.matches("No such file", message)
    assert.is_nil(io.open(path))
    must{ "put", path, "a/b", "k", "v", "--create" }
    must{ "put", path, "a/log", "7", "v", "--create", "--integer-keys" }
    assert.equal("a\na/b\na/log\n", must{ "buckets", path, "--names", "--recursive" })
    assert.equal("v\n", must{ "get", path, "a/log", "7" })
    assert.equal(2, (run{ "put", path, "c", "k", "v" }))
  end)

  it("refuses what cannot be stored, and changes nothing", function()
    local path = accounts()
    for message, arguments in pairs{
      ["there is a bucket under that key"] = { "accounts", "notes", "x" },
      ["the key is empty"] = { "accounts", "", "x" },
      ["over the limit of 503"] = { "accounts", ("k"):rep(504), "x" },
      ["integers from 0 to 2^63-1, which '-' is not"] = { "log", "-", "x" },
      ["a VALUE is missing"] = { "accounts", "x" },
      ["lines of bytes"] = { "accounts", "-", "--format", "bytes" },
      ["for a bucket that --create makes"] = { "accounts", "x", "y", "--integer-keys" },
    } do
      local code, _, text = run{ "put", path, table.unpack(arguments) }
      assert.equal(2, code, text)
      assert.truthy(text:find(message, 1, true), text)
      assert.truthy(text:find(path, 1, true), text)
    end
    assert.equal("ann\nanna\nbob\ncarl\n", must{ "keys", path, "accounts" })
  end)
end)

describe("jangada db delete", function()
  it("deletes a key, and exits with 1 when there is none", function()
    local path = accounts()
    must{ "delete", path, "accounts", "ann" }
    local code, _, message = run{ "delete", path, "accounts", "ann" }
    assert.equal(1, code)
    assert.matches("no key 'ann'", message)
    must{ "delete", path, "log", "10" }
    assert.equal("20\n", must{ "keys", path, "log", "--limit", "1" })
  end)

  it("deletes a bucket with all in it, when it is told so", function()
    local path = accounts()
    assert.equal(2, (run{ "delete", path, "accounts" }))
    assert.equal(2, (run{ "delete", path, "accounts", "ann", "--bucket" }))
    assert.equal(2, (run{ "delete", path, "accounts", "notes" }))
    must{ "delete", path, "accounts/notes", "--bucket" }
    assert.equal("accounts\nlog\n", must{ "buckets", path, "--names", "--recursive" })
    must{ "delete", path, "accounts", "--bucket" }
    assert.equal("log\n", must{ "buckets", path, "--names", "--recursive" })
  end)
end)

describe("JSON of keys and values", function()
  it("is read back by another program, with the bytes that are no UTF-8", function()
    local path = command.file(function(tx)
      local bucket = tx:create_bucket("b")
      for _, bytes in ipairs(AWKWARD) do bucket:put(bytes, bytes) end
    end)
    local seen = {}
    local function bytes_of(value)
      if type(value) == "string" then return value end
      local pipe <close> = assert(io.popen("printf %s '" .. value.base64 .. "' | base64 -d"))
      return pipe:read("a")
    end
    for _, line in ipairs(command.lines(must{ "keys", path, "b", "--values", "--json" })) do
      local row = cjson.decode(line)
      assert.equal(bytes_of(row.key), bytes_of(row.value))
      seen[bytes_of(row.key)] = true
    end
    for _, bytes in ipairs(AWKWARD) do assert.is_true(seen[bytes], ("%q"):format(bytes)) end
  end)
end)
