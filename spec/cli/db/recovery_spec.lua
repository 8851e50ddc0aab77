-- `jangada db recover`, on files that were not closed.
local cjson = require "cjson"
local command = require "spec.support.db_command"
local store = require "jangada.store"

local must, run = command.must, command.run

-- A file whose last `count` commits are in its journal alone.
local function crashed(count)
  local path = command.file(function(tx) tx:create_bucket("b") end)
  local db = assert(store.open(path, { durability = "journal", journal_size = 65536 }))
  for i = 1, count do
    db:update(function(tx) tx:bucket("b"):put(("key %d"):format(i), "value") end)
  end
  db:abandon()
  return path
end

describe("jangada db recover", function()
  it("brings in what the journal holds; the file is then whole without it", function()
    local path = crashed(3)
    assert.equal("3 commits brought in; the file is whole without its journal\n",
      must{ "recover", path })
    assert(os.remove(path .. "-journal"))
    assert.equal("key 1\nkey 2\nkey 3\n", must{ "keys", path, "b" })
  end)

  it("says when there is nothing to bring in, and makes no journal", function()
    local path = command.file()
    assert.equal("0 commits brought in; the file is whole without its journal\n",
      must{ "recover", path })
    assert.is_nil(io.open(path .. "-journal"))
    assert.equal(0, cjson.decode(must{ "recover", path, "--json" }).replayed)
  end)

  it("is what the other verbs name when they may not write", function()
    local path = crashed(2)
    for _, verb in ipairs{ "buckets", "info" } do
      local code, output, message = run{ verb, path }
      assert.same({ 2, "" }, { code, output })
      assert.truthy(message:find("its journal holds 2 commits", 1, true), message)
      assert.truthy(message:find(("(jangada db recover %s)"):format(path), 1, true), message)
    end
    must{ "put", path, "b", "mine", "v" } -- opens for writing, and so brings them in
    assert.equal("key 1\nkey 2\nmine\n", must{ "keys", path, "b" })
  end)

  it("refuses without the journal, unless it is to salvage what there is", function()
    local path = crashed(2)
    assert(os.remove(path .. "-journal"))
    local code, _, message = run{ "recover", path }
    assert.equal(2, code)
    assert.truthy(message:find(path .. "-journal: it is needed and is not there", 1, true), message)
    assert.equal("0 commits brought in; what else the journal held, if anything, is given up\n",
      must{ "recover", path, "--salvage" })
    assert.equal("", must{ "keys", path, "b" })
  end)
end)
