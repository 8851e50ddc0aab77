-- What a transaction with a journal collects, so that replaying it gives what it gave.
local fresh = require "spec.support.fresh"
local journals = require "spec.support.journals"
local programs = require "spec.support.programs"

local raises, all_of = fresh.raises, programs.all_of

local magic = "\x8aJangada\r\n\x1a\n\xf3\x5c\xb9\x27"

-- The operations of the last record in the journal.
local function last_operations(rig)
  local records = journals.records(rig:bytes())
  return journals.operations(records[#records].body)
end

-- Runs a savepoint that is undone.
local function undone(tx, fn)
  assert.is_false(pcall(tx.savepoint, tx, function()
    fn()
    error("undo", 0)
  end))
end

describe("a record's operations", function()
  after_each(fresh.clean)

  local function operations_of(fn, ...)
    local rig = journals.rig()
    for i = 1, select("#", ...) do rig.db:update((select(i, ...))) end
    rig.db:update(fn)
    return last_operations(rig)
  end

  it("are those that LMDB was given, each tree named once", function()
    assert.same({
      { "T", "b" }, { "P", 0, "k", "v" }, { "P", 0, "k", "" }, { "D", 0, "k" },
      { "T", "c" }, { "P", 1, "\0\0\0\0\0\0\0\7", "seven" },
      { "A", 1, "\0\0\0\0\0\0\0\8", "eight" }, { "A", 1, "\0\0\0\0\0\0\0\9", "nine" },
      { "P", 0, "l", magic .. "L" .. magic .. "!" },
      { "R", 1, "", "\0\0\0\0\0\0\0\8" }, { "R", 0, "a", "z" }, { "R", 1, "", "" },
    }, operations_of(function(tx)
      local b, c = tx:bucket("b"), tx:bucket("c")
      b:put("k", "v")
      b:put("k", "")
      b:delete("k")
      b:delete("missing")
      c:put(7, "seven")
      c:append(8, { "eight", "nine" })
      b:put("l", magic .. "!")
      c:delete_range(nil, 8)
      b:delete_range("a", "z")
      c:delete_range()
      c:delete_range()
    end, function(tx) tx:create_bucket("c", { keys = "integer" }) end))
  end)

  it("know nothing of buckets: their records are values, their prefixes are in the keys", function()
    local list = operations_of(function(tx)
      tx:create_bucket("n", { tree = false }):put("k", "v")
      tx:bucket("n"):delete_range()
      tx:create_bucket("t")
      tx:delete_bucket("t")
    end)
    local kinds = {}
    for i, operation in ipairs(list) do kinds[i] = operation[1] end
    assert.equal("TPPPRPCPXPD", table.concat(kinds))
    assert.same({ "T", "\1jangada" }, list[1])
    local prefix = list[4][3]:sub(1, 8)
    assert.equal(prefix .. "k", list[4][3])
    assert.same({ "R", 0, prefix, prefix .. ("\xff"):rep(503) }, list[5])
    assert.same({ "C", "t" }, list[7])
    assert.same({ "X", 1 }, list[9])
  end)

  it("of what was undone are not there, nor are trees that only that named", function()
    assert.same({ { "T", "b" }, { "P", 0, "1", "" }, { "P", 0, "4", "" }, { "T", "c" },
      { "P", 1, "5", "" } }, operations_of(function(tx)
      local b, c = tx:bucket("b"), tx:bucket("c")
      undone(tx, function() c:put("0", "") end)
      b:put("1", "")
      undone(tx, function()
        b:put("2", "")
        tx:savepoint(function() c:put("3", "") end)
        tx:create_bucket("tree")
      end)
      tx:savepoint(function()
        b:put("4", "")
        undone(tx, function() c:delete_range("x", "y") end)
      end)
      c:put("5", "")
    end, function(tx) tx:create_bucket("c") end))
    local rig = journals.rig()
    rig.db:batch{
      function(tx) tx:bucket("b"):put("1", "") end,
      function(tx)
        tx:bucket("b"):put("2", "")
        error("fails")
      end,
      function(tx) tx:bucket("b"):put("3", "") end,
    }
    assert.same({ { "T", "b" }, { "P", 0, "1", "" }, { "P", 0, "3", "" } }, last_operations(rig))
  end)
end)

-- {what, what is there before, what is done}
local changes = {
  { "puts of all kinds", function(tx) tx:create_bucket("b"):put("over", "old") end, function(tx)
    local b = tx:bucket("b")
    b:put("over", "new")
    b:put("empty", "")
    b:put(("k"):rep(503), "long")
    b:put("\0\xff", "\0\0binary\xff")
    b:put("magic", magic)
    b:put("a record", magic .. "T" .. ("\0"):rep(40))
    b:put("large", ("v"):rep(30000))
  end },
  { "integer keys", function(tx) tx:create_bucket("i", { keys = "integer" }):put(5, "old") end,
    function(tx)
      local i = tx:bucket("i")
      for _, n in ipairs{ math.maxinteger, 0, 5, 255, 256 } do i:put(n, "new") end
      i:delete(255)
    end },
  { "appends, to trees and prefixes", function(tx)
    tx:create_bucket("t"):put("a", "")
    tx:create_bucket("p", { tree = false }):put("a", "")
    tx:create_bucket("z", { tree = false }):put("a", "") -- behind it
  end, function(tx)
    for _, name in ipairs{ "t", "p" } do
      local values = {}
      for i = 1, 300 do values[i] = ("value"):rep(i % 30) end
      tx:bucket(name):append({ "b", "c", "d" }, { "1", magic, "" })
      tx:bucket(name):create_bucket("n", { keys = "integer" }):append(1, values)
    end
  end },
  { "ranges, open and closed", function(tx)
    for _, where in ipairs{ { "t", true }, { "p", false } } do
      for _, range in ipairs{ "whole", "from", "to", "both", "none" } do
        local b = tx:create_bucket(range .. where[1], { tree = where[2] })
        for c in ("abcdefg"):gmatch(".") do b:put(c, c) end
      end
    end
    tx:create_bucket("q", { tree = false }):put("a", "neighbour")
  end, function(tx)
    for _, where in ipairs{ "t", "p" } do
      assert.equal(7, tx:bucket("whole" .. where):delete_range())
      assert.equal(4, tx:bucket("from" .. where):delete_range("cc"))
      assert.equal(3, tx:bucket("to" .. where):delete_range(nil, "c"))
      assert.equal(3, tx:bucket("both" .. where):delete_range("c", "e"))
      assert.equal(0, tx:bucket("none" .. where):delete_range("x", ""))
      assert.equal(4, tx:bucket("both" .. where):delete_range(""))
    end
  end },
  { "what a cursor deletes", function(tx)
    for _, tree in ipairs{ true, false } do
      local b = tx:create_bucket(tostring(tree), { tree = tree })
      for i = 1, 500 do b:put(("%03d"):format(i), ("v"):rep(i)) end
    end
  end, function(tx)
    for _, b in tx:buckets() do
      local c = b:cursor()
      local key = c:first()
      while key do
        if tonumber(key) % 3 > 0 then c:delete() end
        key = c:next()
      end
    end
  end },
  { "buckets made, deep and wide", function(tx) tx:create_bucket("b") end, function(tx)
    local up = tx:bucket("b")
    for i = 1, 20 do
      up:put("k", tostring(i))
      up = up:create_bucket("n", { tree = i % 7 == 0 })
    end
    for i = 1, 70 do tx:create_bucket(("tree %d"):format(i)):put("k", tostring(i)) end
    for i = 1, 70 do tx:create_bucket(("odd\0%d"):format(i), { tree = false }) end
  end },
  { "buckets deleted, with all in them", function(tx)
    for _, name in ipairs{ "a", "b", "c" } do
      local b = tx:create_bucket(name, { tree = name ~= "b" })
      b:put("k", "v")
      b:create_bucket("n"):create_bucket("t", { tree = true }):create_bucket("n"):put("k", "v")
      for i = 1, 300 do b:bucket("n"):put("key " .. i, ("v"):rep(100)) end
    end
  end, function(tx)
    tx:delete_bucket("a")
    tx:delete_bucket("b")
    tx:bucket("c"):delete_bucket("n")
  end },
  { "a tree dropped and made again", function(tx)
    tx:create_bucket("t"):put("old", "v")
    tx:create_bucket("b"):create_bucket("t", { tree = true }):put("old", "v")
  end, function(tx)
    for i = 1, 3 do
      tx:delete_bucket("t")
      tx:create_bucket("t"):put("new " .. i, "v")
      tx:bucket("b"):delete_bucket("t")
      tx:bucket("b"):create_bucket("t", { tree = true }):put("new " .. i, "v")
    end
  end },
  { "moves", function(tx)
    for _, name in ipairs{ "a", "b", "c" } do
      local b = tx:create_bucket(name, { tree = name ~= "b" })
      b:put("k", name)
      b:create_bucket("n" .. name, { tree = name == "c" }):put("k", name)
    end
  end, function(tx)
    local a, b = tx:bucket("a"), tx:bucket("b")
    b:move_bucket("nb", a)
    tx:move_bucket("c", b)
    b:bucket("c"):move_bucket("nc", tx)
    tx:create_bucket("c"):put("k", "another")
    a:move_bucket("na", tx)
    tx:move_bucket("b", a)
  end },
  { "sequences", function(tx)
    tx:create_bucket("t"):set_sequence(9)
    tx:create_bucket("p", { tree = false })
  end, function(tx)
    assert.equal(10, tx:bucket("t"):next_sequence())
    tx:bucket("p"):set_sequence(math.maxinteger)
    tx:bucket("p"):create_bucket("n"):next_sequence()
  end },
  { "savepoints, kept and undone", function(tx) tx:create_bucket("b"):put("k", "old") end,
    function(tx)
      local b = tx:bucket("b")
      undone(tx, function()
        b:put("k", "undone")
        tx:create_bucket("tree"):put("k", "undone")
        tx:delete_bucket("b")
      end)
      tx:savepoint(function()
        tx:create_bucket("tree2"):put("k", "kept")
        undone(tx, function() tx:create_bucket("tree3"):put("k", "undone") end)
        tx:create_bucket("tree3", { tree = true }):put("k", "kept")
      end)
      undone(tx, function() tx:bucket("tree2"):put("k", "undone") end)
      tx:create_bucket("tree"):put("k", "kept")
      tx:bucket("b"):put("l", "new")
    end },
  { "nothing but what is undone", function(tx) tx:create_bucket("b") end, function(tx)
    undone(tx, function() tx:create_bucket("tree") end)
  end },
}

describe("a journal replays", function()
  after_each(fresh.clean)

  -- The same is done with a journal, that crashes, and without one.
  for _, change in ipairs(changes) do
    local what, before, done = table.unpack(change)
    it(what, function()
      local twin = fresh.open(nil, { durability = "none" })
      twin:update(before)
      twin:update(done)
      local expected = all_of(twin)
      for _, bring_in in ipairs{ true, false } do
        local rig = journals.rig{ journal_size = 1 << 20 }
        rig.db:update(function(tx) tx:delete_bucket("b") end)
        rig.db:update(before)
        if bring_in then rig.db:checkpoint() end
        local behind = rig.db:info().journal.behind
        rig.db:update(done)
        assert.equal(what:match("^nothing") and 0 or 1, rig.db:info().journal.behind - behind)
        assert.same(expected, all_of(rig.db))
        rig:crash()
        rig:open()
        assert.same(expected, all_of(rig.db))
        assert.is_true((rig.db:check()))
        rig.db:close()
      end
    end)
  end

  it("what is done to another program's databases", function()
    if not programs.has_tools then return pending(programs.no_tools) end
    local function make()
      local path, dump = fresh.path(), fresh.path()
      programs.write_file(dump, "VERSION=3\nformat=print\ndatabase=theirs\ntype=btree\nHEADER=END\n"
        .. " k\n v\n l\n w\nDATA=END\nVERSION=3\nformat=print\ndatabase=dead\ntype=btree\n"
        .. "HEADER=END\n k\n v\nDATA=END\nVERSION=3\nformat=print\ndatabase=moved\ntype=btree\n"
        .. "HEADER=END\n k\n v\nDATA=END\n")
      programs.must("mdb_load -n -f '%s' '%s'", dump, path)
      return path
    end
    local function change(tx)
      local theirs = tx:bucket("theirs")
      theirs:put("m", "ours")
      theirs:delete("k")
      theirs:next_sequence()
      theirs:create_bucket("n"):put("k", "v")
      tx:move_bucket("moved", theirs)
      tx:delete_bucket("dead")
      tx:create_bucket("moved"):put("k", "ours")
    end
    local twin = fresh.open(make(), { durability = "none" })
    twin:update(change)
    local db, path = journals.open(make())
    db:update(change)
    db:abandon()
    db = journals.open(path)
    assert.equal(1, db:info().journal.replayed)
    assert.same(all_of(twin), all_of(db))
    assert.is_true((db:check()))
  end)
end)

-- ---- at random -------------------------------------------------------------------------------

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

-- ---- too much for the journal ----------------------------------------------------------------

describe("a transaction larger than the journal", function()
  after_each(fresh.clean)

  local large = ("v"):rep(30000)

  -- Writes 90,000 bytes into the journal of 65,536.
  local function fill(b, prefix)
    for i = 1, 3 do b:put((prefix or "large") .. i, large) end
  end

  it("is durable when its commit returns, and nothing of it is in the journal", function()
    for _, wait in ipairs{ true, false } do
      local rig = journals.rig()
      rig:put("1")
      local tx = rig.db:begin("write")
      fill(tx:bucket("b"))
      local ticket = tx:commit{ wait = wait }
      if not wait then assert.is_true(ticket:is_durable()) end
      local info = rig.db:info().journal
      assert.same({ 3, 3, 3, 0, 0 },
        { info.lsn, info.flushed_lsn, info.checkpoint_lsn, info.behind, info.used })
      rig:crash()
      rig:open()
      assert.equal("1 large1 large2 large3", rig:keys())
      assert.equal(0, rig.db:info().journal.replayed)
      assert.is_true((rig.db:check()))
    end
  end)

  it("may be large by one value, wherever that is written", function()
    local value = ("v"):rep(200000)
    local ways = {
      function(tx) tx:bucket("b"):put("k", value) end,
      function(tx) tx:savepoint(function() tx:bucket("b"):put("k", value) end) end,
      function(tx) tx:bucket("b"):append({ "a", "k" }, { "", value }) end,
      function(tx)
        for i = 1, 5 do tx:bucket("b"):put("k", value .. i) end
        tx:bucket("b"):put("k", value)
      end,
    }
    for _, way in ipairs(ways) do
      local rig = journals.rig()
      rig:put("0", "in the journal")
      rig.db:update(way)
      rig:put("z", "in the journal")
      rig:crash()
      rig:open()
      assert.equal(value, rig.db:view(function(tx) return tx:bucket("b"):get("k") end))
      assert.equal(1, rig.db:info().journal.replayed)
      assert.matches("^0 a? ?k z$", rig:keys())
    end
  end)

  it("leaves all handles in use, at their place", function()
    local rig = journals.rig()
    rig.db:update(function(tx)
      local b = tx:bucket("b")
      for i = 1, 9 do b:put(tostring(i), "v") end
      b:create_bucket("n"):put("k", "v")
      b:create_bucket("t", { tree = true }):put("k", "v")
    end)
    local epoch = rig.db:info().journal.epoch
    rig.db:update(function(tx)
      local b = tx:bucket("b")
      local n, t = b:bucket("n"), b:bucket("t")
      local new, pair = tx:create_bucket("new"), {}
      undone(tx, function() tx:create_bucket("undone"):put("k", "undone") end)
      for i = 1, 9 do new:put(tostring(i), "new") end
      pair[1] = new:create_bucket("n"):create_bucket("t", { tree = true })
      pair[2] = tx:create_bucket("another")
      local c, each, state = b:cursor(), new:each()
      c:seek("4")
      assert.equal("1", (each(state)))
      assert.equal("2", (each(state)))
      assert.equal(epoch, rig.db:info().journal.epoch)
      fill(b)
      assert.equal(epoch + 1, rig.db:info().journal.epoch) -- it is without a record from here on
      assert.equal("5", (c:next()))
      c:delete()
      assert.equal("6", (c:next()))
      assert.equal("3", (each(state)))
      for i, handle in ipairs{ n, t, new, pair[1], pair[2] } do handle:put("after", tostring(i)) end
      assert.equal(new, tx:bucket("new"))
      assert.is_nil(tx:bucket("undone"))
      undone(tx, function()
        b:put("undone", "v")
        tx:create_bucket("undone"):put("k", "undone")
        fill(t)
      end)
      assert.is_nil(b:get("undone"))
      assert.equal("4", (each(state)))
      tx:savepoint(function() tx:create_bucket("kept"):put("k", "kept") end)
    end)
    rig:crash()
    rig:open()
    rig.db:view(function(tx)
      local b, new = tx:bucket("b"), tx:bucket("new")
      assert.equal("1 2 3 4 6 7 8 9 large1 large2 large3 n t", rig:keys())
      assert.same({ { "after", "1" }, { "k", "v" } }, fresh.gather(b:bucket("n"):each()))
      assert.same({ { "after", "2" }, { "k", "v" } }, fresh.gather(b:bucket("t"):each()))
      assert.equal("3", new:get("after"))
      assert.same({ { "after", "4" } }, fresh.gather(new:bucket("n"):bucket("t"):each()))
      assert.same({ { "after", "5" } }, fresh.gather(tx:bucket("another"):each()))
      assert.equal("kept", tx:bucket("kept"):get("k"))
      assert.is_nil(tx:bucket("undone"))
    end)
    assert.is_true((rig.db:check()))
  end)

  it("goes on from every kind of write", function()
    local ways = {
      function(b) b:put("k", large) end,
      function(b) b:delete("1") end,
      function(b) b:delete_range("1", "2") end,
      function(b) b:append({ "x", "y" }, { large, large }) end,
      function(b)
        local c = b:cursor()
        c:seek("1")
        c:delete()
        assert.equal("2", (c:next()))
      end,
    }
    local function before(tx)
      for i = 1, 5 do tx:bucket("b"):put(tostring(i), "v") end
    end
    for _, way in ipairs(ways) do
      local rig, twin = journals.rig(), fresh.open(nil, { durability = "none" })
      twin:update(function(tx) tx:create_bucket("b") end)
      local epoch = rig.db:info().journal.epoch
      for _, db in ipairs{ twin, rig.db } do
        db:update(before)
        db:update(function(tx)
          local b = tx:bucket("b")
          b:put("full", ("v"):rep(65536 - 48 - 4 - 13 - 1)) -- one byte is left
          assert.equal(epoch, rig.db:info().journal.epoch)
          way(b)
          assert.equal(db == twin and epoch or epoch + 1, rig.db:info().journal.epoch)
          b:put("last", "v")
        end)
      end
      rig:crash()
      rig:open()
      assert.same(all_of(twin), all_of(rig.db))
    end
  end)

  it("that is rolled back was never there, and what was committed before is", function()
    local rig = journals.rig()
    rig:put("1")
    for _, ends in ipairs{ "error", "rollback", "collection", "crash" } do
      if ends == "error" then
        pcall(rig.db.update, rig.db, function(tx)
          tx:create_bucket("new")
          fill(tx:bucket("b"))
          error("rolled back")
        end)
      else
        local tx = rig.db:begin("write")
        tx:create_bucket("new"):put("k", "v")
        fill(tx:bucket("b"))
        if ends == "rollback" then tx:rollback() end
        if ends == "crash" then
          rig:crash()
          rig:open()
        end
        tx = nil
        assert.is_nil(tx)
        collectgarbage()
      end
      assert.equal("1", rig:keys())
      rig.db:update(function(tx)
        assert.is_nil(tx:bucket("new"))
        tx:bucket("b"):put("1", ends)
      end)
    end
    rig:crash()
    rig:open()
    assert.equal("1", rig:keys())
    rig.db:view(function(tx) assert.equal("crash", tx:bucket("b"):get("1")) end)
  end)

  it("beside a snapshot leaves that as it is", function()
    local rig = journals.rig()
    rig:put("1")
    local snapshot <close> = rig.db:begin("read")
    rig.db:update(function(tx)
      fill(tx:create_bucket("new"))
      tx:bucket("b"):delete("1")
    end)
    assert.is_nil(snapshot:bucket("new"))
    assert.equal("v", snapshot:bucket("b"):get("1"))
    assert.equal("", rig:keys())
  end)

  it("of more pages than LMDB keeps in memory is committed #slow #big", function()
    local rig = journals.rig{ journal_disk = false, journal_size = 1 << 30 }
    rig:put("1")
    local value = ("v"):rep(3000)
    rig.db:update(function(tx)
      local b, epoch = tx:bucket("b"), rig.db:info().journal.epoch
      for i = 1, 140000 do b:put(("%06d"):format(i), value) end
      assert.equal(epoch + 1, rig.db:info().journal.epoch)
    end)
    rig:put("2")
    rig:crash()
    rig:open()
    rig.db:view(function(tx)
      assert.equal(140002, tx:bucket("b"):count())
      assert.equal(value, tx:bucket("b"):get("140000"))
    end)
    assert.equal(1, rig.db:info().journal.replayed)
  end)
end)

describe("a transaction in which something failed", function()
  after_each(fresh.clean)

  it("does not commit in part, though the failure was caught", function()
    local cases = {
      { size_max = 1 << 20, journal_size = 1 << 24 }, -- within the journal
      { size_max = 1 << 20 }, -- without a record
    }
    for _, options in ipairs(cases) do
      local rig = journals.rig(options)
      rig:put("1")
      local function half(tx)
        tx:bucket("b"):put("half", "v")
        raises("map_full", function() tx:bucket("b"):put("large", ("v"):rep(2 << 20)) end)
        raises("tx_failed", function() tx:bucket("b"):put("more", "v") end)
      end
      raises("tx_failed", rig.db.update, rig.db, half)
      local tx <close> = rig.db:begin("write")
      half(tx)
      raises("tx_failed", tx.savepoint, tx, print)
      raises("tx_failed", tx.commit, tx)
      rig:put("2")
      assert.equal("1 2", rig:keys())
      rig:crash()
      rig:open()
      assert.equal("1 2", rig:keys())
    end
  end)
end)
