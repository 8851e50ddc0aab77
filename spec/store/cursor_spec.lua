local fresh = require "spec.support.fresh"
local kinds = require "spec.support.kinds"

local raises = fresh.raises

for _, kind in ipairs(kinds) do
  local place, parent_of = table.unpack(kind)

  describe("a cursor in " .. place, function()
    local db, tx, b, c
    before_each(function()
      db = fresh.open()
      tx = db:begin("write")
      local up = parent_of(tx)
      up:create_bucket("a"):put("\255", "a neighbour")
      b = up:create_bucket("b")
      up:create_bucket("c"):put("\0", "a neighbour")
      c = b:cursor()
    end)
    after_each(function()
      tx, b, c = nil, nil, nil
      fresh.clean()
    end)

    local function fill(keys)
      for key in keys:gmatch(".") do b:put(key, key:upper()) end
    end

    -- Makes the moves, written as "first next seek:x delete", and checks what each gives.
    local function walk(moves)
      for move, expected in moves:gmatch("([%w:]+)=(%S+)") do
        local name, key = move:match("^(%w+):?(%w*)$")
        local got = table.pack(c[name](c, name == "seek" and key or nil))
        if expected == "nil" then
          assert.same({ n = name == "delete" and 0 or 1 }, got, move)
        else
          assert.same({ n = 2, expected, expected:upper() }, got, move)
        end
      end
    end

    it("gives nil in an empty bucket (Bolt 73)", function()
      walk "first=nil last=nil next=nil prev=nil seek:x=nil prev=nil next=nil seek:=nil"
    end)

    it("gives key and value, a nested bucket's name and nil (Bolt 73)", function()
      fill "ac"
      b:create_bucket("b")
      assert.same({ n = 2, "a", "A" }, table.pack(c:first()))
      assert.same({ n = 2, "b" }, table.pack(c:next()))
      assert.same({ n = 2, "c", "C" }, table.pack(c:next()))
      assert.same({ n = 1 }, table.pack(c:next()))
      assert.same({ n = 2, "b" }, table.pack(c:prev()))
      assert.same({ n = 2, "b" }, table.pack(c:seek("aa")))
    end)

    it("seeks the key or the next greater one (Bolt 74)", function()
      fill "bdf"
      walk "seek:b=b seek:c=d seek:a=b seek:=b seek:f=f seek:g=nil"
      assert.equal("b", (c:seek(("a"):rep(503))))
      assert.equal("d", (c:seek("b\0")))
      assert.is_nil((c:seek("\255")))
    end)

    it("goes nowhere before it was placed (Bolt 75, trap 20)", function()
      fill "ab"
      walk "next=nil next=nil prev=nil prev=nil first=a"
    end)

    it("stays on the last item at the end, on the first at the beginning (Bolt 76)", function()
      fill "abc"
      walk "first=a next=b next=c next=nil next=nil next=nil prev=b prev=a prev=nil prev=nil next=b"
      walk "last=c next=nil prev=b first=a prev=nil next=b"
    end)

    it("past the end goes back to the last item, and not on (Bolt 77)", function()
      fill "abc"
      walk "seek:x=nil next=nil next=nil prev=c prev=b seek:x=nil prev=c next=nil"
    end)

    it("starts again at any time (Bolt 78)", function()
      fill "abc"
      walk "first=a next=b first=a last=c next=nil first=a next=b last=c"
    end)

    it("passes over pages emptied in this transaction (Bolt 79)", function()
      for i = 1, 3000 do b:put(("%05d"):format(i), ("v"):rep(100)) end
      b:delete_range(nil, "01000")
      b:delete_range("02001")
      assert.equal("01001", (c:first()))
      assert.equal("02000", (c:last()))
      b:delete_range("01500", "01999")
      c:seek("01499")
      assert.equal("02000", (c:next()))
      assert.equal("01499", (c:prev()))
    end)

    it("deletes the first 500 of 1000 by first, delete, next, and no other (Bolt 80)", function()
      for i = 1, 1000 do b:put(("%04d"):format(i), ("v"):rep(i % 90)) end
      local key = c:first()
      for i = 1, 500 do
        assert.equal(("%04d"):format(i), key)
        c:delete()
        key = c:next()
      end
      local keys = fresh.keys(b:each())
      assert.same({ 500, "0501", "1000" }, { #keys, keys[1], keys[500] })
    end)

    it("skips nothing when it deletes on the way, forwards or backwards (Bolt 80)", function()
      for _, step in ipairs{ "next", "prev" } do
        for i = 1, 1000 do b:put(("%04d"):format(i), ("v"):rep(i % 90)) end
        local seen, key = 0, c[step == "next" and "first" or "last"](c)
        while key do
          seen = seen + 1
          if seen % 3 ~= 0 then c:delete() end
          key = c[step](c)
        end
        assert.equal(1000, seen)
        assert.equal(333, #fresh.keys(b:each()))
        b:delete_range()
      end
    end)

    it("refuses to delete a nested bucket (Bolt 81)", function()
      fill "a"
      b:create_bucket("b"):put("k", "v")
      c:seek("b")
      raises("incompatible", c.delete, c)
      assert.equal("v", b:bucket("b"):get("k"))
      assert.equal("a", (c:prev()))
      c:delete()
      assert.same({ { "b", false } }, fresh.gather(b:each()))
    end)

    it("deletes once; then it stands on no item until it moves (Bolt 82 D, trap 20)", function()
      fill "abc"
      raises("cursor_unpositioned", c.delete, c)
      walk "seek:b=b delete=nil"
      raises("cursor_unpositioned", c.delete, c)
      fill "b" -- another item, though of the same key
      raises("cursor_unpositioned", c.delete, c)
      b:delete("b")
      walk "next=c seek:x=nil"
      raises("cursor_unpositioned", c.delete, c)
      assert.same({ "a", "c" }, fresh.keys(b:each()))
    end)

    it("deletes the last item after next gave nil, the first after prev did (Bolt 83)", function()
      fill "abc"
      walk "last=c next=nil delete=nil first=a prev=nil delete=nil first=b next=nil prev=nil"
      assert.same({ "b" }, fresh.keys(b:each()))
    end)

    it("is between its neighbours after a delete (trap 20)", function()
      fill "abcd"
      walk "seek:b=b delete=nil next=c"
      walk "delete=nil prev=a next=d delete=nil next=nil prev=a delete=nil next=nil prev=nil"
      assert.same({}, fresh.keys(b:each()))
    end)

    it("keeps its place when its item is deleted by others (Bolt 85 D, trap 20)", function()
      fill "abcde"
      walk "seek:c=c"
      b:delete("c")
      raises("cursor_unpositioned", c.delete, c)
      b:put("bb", "x")
      assert.equal("bb", (c:prev()))
      b:delete("bb")
      assert.equal("d", (c:next()))
      b:delete_range()
      walk "next=nil prev=nil first=nil"
      fill "xy"
      walk "next=nil first=x next=y"
    end)

    it("sees what is put ahead of it, not what is put behind (Bolt 85 D)", function()
      fill "ace"
      walk "first=a next=c"
      fill "bdf"
      walk "next=d next=e next=f next=nil"
    end)

    it("is one of many that do not disturb each other (trap 20)", function()
      for i = 1, 500 do b:put(("%04d"):format(i), "v") end
      local cursors = {}
      for i = 1, 20 do
        cursors[i] = b:cursor()
        cursors[i]:seek(("%04d"):format(i * 20))
      end
      for i = 1, 20, 2 do cursors[i]:delete() end
      for i = 1, 500 do b:put(("%04d.5"):format(i), "v") end
      for i = 1, 20 do
        assert.equal(("%04d.5"):format(i * 20), (cursors[i]:next()))
      end
    end)

    it("knows its bucket (Bolt 43)", function()
      assert.equal(b, c:bucket())
      assert.matches("jangada.Cursor", tostring(c))
    end)

    it("closes at the end of a to-be-closed variable", function()
      fill "a"
      local held
      do
        local inner <close> = b:cursor()
        held = inner
        assert.equal("a", (inner:first()))
      end
      raises("cursor_closed", held.first, held)
      raises("cursor_closed", held.delete, held)
      assert.matches("closed", tostring(held))
    end)
  end)
end

describe("a cursor of integer keys", function()
  after_each(fresh.clean)

  it("gives and seeks integers", function()
    local db = fresh.open()
    db:update(function(tx)
      for _, tree in ipairs{ true, false } do
        local b = tx:create_bucket(tree and "t" or "p", { keys = "integer", tree = tree })
        b:append(10, { "10", "11", "12" })
        b:put(math.maxinteger, "last")
        local c = b:cursor()
        assert.same({ 10, "10" }, { c:first() })
        assert.same({ 12, "12" }, { c:seek(12) })
        assert.same({ math.maxinteger, "last" }, { c:next() })
        assert.same({ math.maxinteger, "last" }, { c:seek(13) })
        assert.same({ 10, "10" }, { c:seek(0) })
        raises("key_out_of_range", c.seek, c, -1)
        assert.error_matches(function() c:seek("12") end, "number expected")
        c:delete()
        assert.same({ 11, "11" }, { c:next() })
      end
    end)
  end)
end)

describe("a read transaction's cursor", function()
  after_each(fresh.clean)

  it("stays on its snapshot, and deletes nothing (Bolt 25, 81)", function()
    local db = fresh.open()
    db:update(function(tx)
      local b = tx:create_bucket("b")
      for i = 1, 500 do b:put(("%04d"):format(i), "old") end
    end)
    local old = db:begin("read")
    local c = old:bucket("b"):cursor()
    local key, value = c:first()
    for i = 1, 500 do
      assert.same({ ("%04d"):format(i), "old" }, { key, value })
      if i % 50 == 0 then
        db:update(function(tx) tx:bucket("b"):delete_range(nil, ("%04d"):format(i + 5)) end)
      end
      key, value = c:next()
    end
    assert.is_nil(key)
    raises("tx_not_writable", c.delete, c)
    old:rollback()
  end)
end)
