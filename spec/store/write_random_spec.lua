-- Random transactions with a journal, and crashes, beside the same without one.
local fresh = require "spec.support.fresh"
local journals = require "spec.support.journals"
local programs = require "spec.support.programs"

local all_of = programs.all_of

local magic = "\x8aJangada\r\n\x1a\n\xf3\x5c\xb9\x27"

local random = math.random

local function some(list) return list[random(#list)] end

local names = { "a", "b", "c", "d\0", "e\n" }

-- A bucket somewhere in it, made if it is not there.
local function some_bucket(tx)
  local parent, name = tx, some(names)
  for _ = 1, random(0, 2) do
    parent = parent:bucket(name) or parent:create_bucket(name, { tree = random(3) == 1 })
    name = some(names)
  end
  return parent:bucket(name) or parent:create_bucket(name, { tree = random(3) == 1 }), parent, name
end

local function key() return ("k%02d"):format(random(0, 60)) end

local actions = {
  function(b)
    for _ = 1, random(8) do b:put(key(), ("v"):rep(random(0, some{ 10, 100, 3000 }))) end
  end,
  function(b) b:put(key(), ("w"):rep(random(10000, 90000))) end,
  function(b) b:put(key(), magic .. random(9)) end,
  function(b) for _ = 1, random(8) do b:delete(key()) end end,
  function(b) b:delete_range(random(2) == 1 and key() or nil, random(2) == 1 and key() or nil) end,
  function(b)
    b:append({ "z" .. random(9), "z9" .. random(9) }, { "1", ("2"):rep(random(500)) })
  end,
  function(b)
    local c = b:cursor()
    if c:seek(key()) then c:delete() end
  end,
  function(b) b:next_sequence() end,
  function(_, parent, name) parent:delete_bucket(name) end,
  function(_, parent, name) parent:move_bucket(name, parent.tx and parent:tx() or parent) end,
  function(_, parent, name, tx) parent:move_bucket(name, (some_bucket(tx))) end,
}

local act

local function some_actions(tx, depth)
  for _ = 1, random(6) do
    if random(8) == 1 and depth < 3 then
      pcall(tx.savepoint, tx, function()
        some_actions(tx, depth + 1)
        if random(2) == 1 then error("undone") end
      end)
    else
      pcall(act, tx)
    end
  end
end

function act(tx)
  local b, parent, name = some_bucket(tx)
  some(actions)(b, parent, name, tx)
end

describe("random transactions", function()
  after_each(fresh.clean)

  local function run(seed, rounds)
    finally(function() math.randomseed(os.time()) end)
    local twin = fresh.open(nil, { durability = "none" })
    local rig = journals.rig{ journal_disk = seed % 2 == 0 and false or nil }
    twin:update(function(tx) tx:create_bucket("b") end)
    for round = 1, rounds do
      local committed = random(6) > 1
      local next_seed = random(1 << 40)
      for _, db in ipairs{ twin, rig.db } do
        math.randomseed(next_seed)
        local ok, failure = pcall(db.update, db, function(tx)
          some_actions(tx, 1)
          if not committed then error("rolled back", 0) end
        end)
        assert(ok or failure == "rolled back", failure)
      end
      math.randomseed(next_seed + 1)
      local what = ("seed %d, round %d"):format(seed, round)
      if random(5) == 1 then
        rig:crash()
        rig:open{ durability = random(4) == 1 and "none" or nil }
        if rig.db:info().durability == "none" then
          rig.db:close()
          rig:open()
        end
        assert.is_true((rig.db:check()), what)
      elseif random(20) == 1 then
        rig.db:checkpoint()
      end
      assert.same(all_of(twin), all_of(rig.db), what)
    end
  end

  it("are replayed to what they gave", function()
    local seed = tonumber(os.getenv("SEED")) or os.time()
    for i = 0, 3 do
      math.randomseed(seed + i)
      run(seed + i, 30)
    end
  end)

  it("are, many of them #slow", function()
    local seed = tonumber(os.getenv("SEED")) or os.time()
    for i = 0, 39 do
      math.randomseed(seed + i)
      run(seed + i, 100)
    end
  end)
end)
