-- What a transaction with a journal collects, so that replaying it gives what it gave.
local fresh = require "spec.support.fresh"
local journals = require "spec.support.journals"
local programs = require "spec.support.programs"

local all_of = programs.all_of

local magic = "\x8aJangada\r\n\x1a\n\xf3\x5c\xb9\x27"

-- The operations of the last record in the journal.
local function last_operations(rig)
  local records = journals.records(rig:bytes())
  return journals.operations(records[#records].body)
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
      fresh.undone(tx, function() c:put("0", "") end)
      b:put("1", "")
      fresh.undone(tx, function()
        b:put("2", "")
        tx:savepoint(function() c:put("3", "") end)
        tx:create_bucket("tree")
      end)
      tx:savepoint(function()
        b:put("4", "")
        fresh.undone(tx, function() c:delete_range("x", "y") end)
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
      fresh.undone(tx, function()
        b:put("k", "undone")
        tx:create_bucket("tree"):put("k", "undone")
        tx:delete_bucket("b")
      end)
      tx:savepoint(function()
        tx:create_bucket("tree2"):put("k", "kept")
        fresh.undone(tx, function() tx:create_bucket("tree3"):put("k", "undone") end)
        tx:create_bucket("tree3", { tree = true }):put("k", "kept")
      end)
      fresh.undone(tx, function() tx:bucket("tree2"):put("k", "undone") end)
      tx:create_bucket("tree"):put("k", "kept")
      tx:bucket("b"):put("l", "new")
    end },
  { "nothing but what is undone", function(tx) tx:create_bucket("b") end, function(tx)
    fresh.undone(tx, function() tx:create_bucket("tree") end)
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
