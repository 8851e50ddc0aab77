local stores = require "jangada.lab.explore.stores"

local function put(db, value)
  db:update(function(tx) tx:ensure_bucket("b"):put("k", value) end)
end

local function get(db)
  return db:view(function(tx)
    local bucket = tx:bucket("b")
    return bucket and bucket:get("k")
  end)
end

describe("the stores of explored worlds", function()
  it("are empty in a new world, though they were used in the one before", function()
    local all <close> = stores.new{"n1", "n2"}
    all:begin{"n1", "n2"}
    local machines = {{id = "n1", db = all:open("n1")}, {id = "n2", db = all:open("n2")}}
    local db = machines[1].db
    put(db, "v")
    assert.equal("v", get(db))
    all:keep{nodes = machines}
    assert.is_nil(machines[1].db)
    all:begin{"n1", "n2"}
    assert.equal(db, all:open("n1")) -- it was not opened again
    assert.is_nil(get(db))
    db:close()
  end)

  it("keep what was committed when a node crashes and boots in its world", function()
    local all <close> = stores.new{"n1"}
    all:begin{"n1"}
    local db = all:open("n1")
    put(db, "v")
    assert.same({}, all:crash("n1", db))
    local again <close> = all:open("n1")
    assert.equal("v", get(again))
  end)

  it("are told apart by keys, values, buckets in buckets, and sequences", function()
    local all <close> = stores.new{"n1"}
    all:begin{"n1"}
    local db <close> = all:open("n1")
    local seen = {[stores.digest(db)] = "nothing"}
    for _, step in ipairs{
      function(tx) tx:ensure_bucket("b") end,
      function(tx) tx:bucket("b"):put("k", "v") end,
      function(tx) tx:bucket("b"):put("k", "w") end,
      function(tx) tx:bucket("b"):put("l", "v") end,
      function(tx) tx:bucket("b"):next_sequence() end,
      function(tx) tx:bucket("b"):create_bucket("inner") end,
      function(tx) tx:bucket("b"):bucket("inner"):put("k", "v") end,
      function(tx) tx:create_bucket("c") end,
    } do
      db:update(step)
      local digest = stores.digest(db)
      assert.is_nil(seen[digest])
      seen[digest] = true
      assert.equal(digest, stores.digest(db))
    end
  end)

  it("are the same by what they hold, however it came there", function()
    local all <close> = stores.new{"n1", "n2"}
    all:begin{"n1", "n2"}
    local one <close> = all:open("n1")
    local other <close> = all:open("n2")
    put(one, "v")
    put(other, "w")
    assert.not_equal(stores.digest(one), stores.digest(other))
    put(other, "v")
    assert.equal(stores.digest(one), stores.digest(other))
  end)
end)
