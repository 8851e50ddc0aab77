-- check: each kind of damage is found and named, with the page it is on.
local damage = require "spec.support.damage"
local fresh = require "spec.support.fresh"
local store = require "jangada.store"

local found = {} -- codes that were found here
local spec_seed = tonumber(os.getenv("SEED") or "") or os.time() % 100000

local u16, u32, u64 = "=I2", "=I4", "=I8"

local function pack(format, ...)
  return (string.pack(format, ...))
end

--- The file must have a finding of that code on that page (nil: any); returns it.
local function assert_found(file, code, page)
  local ok, findings = file:check{ findings_max = 10000 }
  assert.is_false(ok, code .. " was not found")
  local lines = {}
  for i, f in ipairs(findings) do
    found[f.code] = true
    if f.code == code and (not page or f.page == page) then return f, findings end
    lines[i] = ("page %s: %s: %s"):format(f.page, f.code, f.message)
  end
  error(("no %s on page %s, but\n%s"):format(code, page, table.concat(lines, "\n")), 2)
end

--- The same, and nothing else is found.
local function assert_only(file, code, page)
  local finding, findings = assert_found(file, code, page)
  if #findings > 1 then
    local other = findings[1] == finding and findings[2] or findings[1]
    error(("also page %s: %s: %s"):format(other.page, other.code, other.message), 2)
  end
  return finding
end

local function fill(bucket, count, size)
  for i = 1, count do bucket:put(("key%05d"):format(i), ("v"):rep(size)) end
end

-- A tree with branches, free pages, a big value; nested buckets; a deleted bucket and a moved one.
local function make()
  return damage.make(function(tx)
    local b = tx:create_bucket("b")
    fill(b, 3000, 60)
    b:put("zbig", ("x"):rep(9000))
    local nested = b:create_bucket("nested")
    fill(nested, 100, 3)
    nested:create_bucket("tree", { tree = true }):put("in", "tree")
    tx:create_bucket("plain"):put("a plain key", "a value")
    tx:create_bucket("log", { keys = "integer" }):put(1, "one")
    tx:create_bucket("dead"):put("k", "v")
    tx:create_bucket("old"):put("k", "v")
  end, function(tx)
    for i = 1000, 1500 do tx:bucket("b"):delete(("key%05d"):format(i)) end
    tx:delete_bucket("dead")
    tx:move_bucket("old", tx:bucket("b"))
  end)
end

describe("check finds in the pages", function()
  local file
  before_each(function() file = make() end)
  after_each(fresh.clean)

  it("nothing before the damage", function()
    assert.is_true(file:check())
  end)

  it("meta pages that are none", function()
    local meta = file:meta()
    file:poke(meta, 16, "\0\0\0\0")
    assert_found(file, "bad_meta", meta)
    file:restore():poke(1 - meta, 20, pack(u32, 999))
    assert_only(file, "bad_meta", 1 - meta)
    file:restore():poke(0, 16, "\0\0\0\0"):poke(1, 16, "\0\0\0\0")
    assert_only(file, "bad_meta", 0)
    for _, bytes in ipairs{ "", "short", ("\0"):rep(100000), file.original:sub(1, 150) } do
      file:write(bytes)
      assert_only(file, "bad_meta", 0)
    end
  end)

  it("meta pages that cannot both be", function()
    local meta = file:meta()
    file:poke(1 - meta, 144, pack(u64, store.page(file.path, meta).tx_id))
    assert_found(file, "bad_meta", 1 - meta)
    file:restore():poke(1 - meta, 136, pack(u64, 1 << 40))
    assert_only(file, "bad_meta", 1 - meta)
  end)

  it("that the file is too short", function()
    file:write(file.original:sub(1, -file.page_size * 2 - 1))
    assert_found(file, "truncated")
    file:write(file.original:sub(1, -2))
    assert_found(file, "truncated")
    local pages = #file.original // file.page_size
    file:restore():poke(file:meta(), 136, pack(u64, pages + 4)) -- the last page
    assert_only(file, "truncated", pages) -- and none of those is free
  end)

  it("references to pages that do not exist", function()
    local branch = file:pages_of("b", "branch")[1]
    for _, number in ipairs{ 0, 1, #file.original // file.page_size, 0xffffffff } do
      file:restore():poke(branch, file:node(branch, 3), pack(u32, number))
      assert_found(file, "out_of_range", branch)
    end
    local free = file:leaf("free list")
    file:restore():poke(free, file:node(free, 0) + 24, pack(u64, 1 << 60))
    assert_found(file, "out_of_range", free)
  end)

  it("pages used twice, used and free, and pages that are neither", function()
    local branch = file:pages_of("b", "branch")[1]
    local first = store.page(file.path, branch).items[3].page
    local lost = store.page(file.path, branch).items[4].page
    file:poke(branch, file:node(branch, 3), pack(u32, first))
    assert_found(file, "double_use", first)
    assert_found(file, "leaked", lost)
    file:restore()
    local free = file:leaf("free list")
    local at = file:node(free, 0) + 16
    local count = string.unpack(u64, file:peek(free, at, 8))
    local forgotten = string.unpack(u64, file:peek(free, at + 8 * count, 8))
    file:poke(free, at, pack(u64, count - 1))
    assert_only(file, "leaked", forgotten)
    local used
    for _, number in ipairs(file:pages_of("b", "leaf")) do
      if number < forgotten or not used then used = number end
    end
    file:restore():poke(free, at, pack(u64, 1) .. pack(u64, used))
    assert_found(file, "double_use", used)
  end)

  it("a cycle of pages, and ends", function()
    local branch = file:pages_of("b", "branch")[1]
    file:poke(branch, file:node(branch, 2), pack(u32, branch))
    assert_found(file, "double_use", branch)
  end)

  it("a tree deeper than LMDB can walk", function()
    local bytes = damage.of("spec/corpus/check/too-deep.bad").original
    assert_found(file:write(bytes), "bad_depth", 33)
  end)

  it("pages that cannot be read", function()
    file = damage.make(function(tx) fill(tx:create_bucket("b"), 3000, 1500) end)
    local pages = #file.original // file.page_size
    local half = pages // 2
    local ok, findings = file:check{ findings_max = 10000, progress = function(done)
      if done < pages then file:write(file.original:sub(1, half * file.page_size)) end
    end }
    assert.is_false(ok)
    local unreadable = 0
    for _, f in ipairs(findings) do
      if f.code == "unreadable" then
        assert.is_true(f.page >= half)
        unreadable, found.unreadable = unreadable + 1, true
      end
    end
    assert.is_true(unreadable > 10)
  end)

  it("headers that are wrong", function()
    local leaf = file:leaf("b")
    for offset, bytes in pairs{ [0] = pack(u64, leaf + 1), [10] = pack(u16, 4),
      [12] = pack(u16, 15), [14] = pack(u16, 5000) } do
      file:restore():poke(leaf, offset, bytes)
      assert_found(file, "bad_page", leaf)
    end
    file:restore():poke(leaf, 12, pack(u16, 16)) -- no items
    assert_found(file, "bad_page", leaf)
    local big = file:pages_of("b", "overflow")[1]
    file:restore():poke(big, 12, pack(u32, 2)) -- fewer than its value needs
    assert_found(file, "bad_page", big)
  end)

  it("nodes that leave their page or lie on each other", function()
    local leaf = file:leaf("b")
    file:poke(leaf, 16, pack(u16, file.page_size - 4))
    assert_found(file, "bad_node", leaf)
    file:restore():poke(leaf, file:node(leaf, 5), pack(u32, 1 << 20)) -- size of the value
    assert_found(file, "bad_node", leaf)
    file:restore():poke(leaf, file:node(leaf, 5) + 4, pack(u16, 0x80)) -- flags
    assert_found(file, "bad_node", leaf)
    file:restore():poke(leaf, 18, file:peek(leaf, 16, 2))
    assert_found(file, "overlap", leaf)
  end)

  it("keys of impossible sizes, out of order, or on the wrong page", function()
    local leaf, other = table.unpack(file:pages_of("b", "leaf"), 2)
    file:poke(leaf, file:node(leaf, 1) + 6, pack(u16, 0) .. pack(u16, 0))
    assert_found(file, "bad_key", leaf)
    file:restore():poke(leaf, 16, file:peek(leaf, 18, 2) .. file:peek(leaf, 16, 2))
    assert_only(file, "key_order", leaf)
    local key = file:peek(other, file:node(other, 0) + 8, 8)
    file:restore():poke(leaf, file:node(leaf, 0) + 8, key < "key01" and "zzz" or "aaa")
    assert_found(file, "key_order", leaf)
  end)

  it("a free list that LMDB would not write", function()
    local free = file:leaf("free list")
    local at = file:node(free, 0)
    file:poke(free, at + 8, pack(u64, 1 << 40)) -- a transaction to come
    assert_found(file, "bad_free_list", free)
    file:restore():poke(free, at + 16, pack(u64, 1 << 61)) -- more pages than fit
    assert_found(file, "bad_free_list", free)
    local pages = file:restore():peek(free, at + 24, 16)
    file:poke(free, at + 24, pages:sub(9) .. pages:sub(1, 8)) -- ascending
    assert_found(file, "bad_free_list", free)
  end)

  it("heads of trees that are impossible or lie", function()
    local main = file:leaf("main")
    local head
    for i, item in ipairs(store.page(file.path, main).items) do
      if item.key == "b" then head = file:node(main, i - 1) + 8 + 1 end
    end
    file:poke(main, head + 4, pack(u16, 0x100))
    assert_found(file, "bad_tree", main)
    file:restore():poke(main, head + 6, pack(u16, 1))
    assert_found(file, "bad_depth")
    file:restore():poke(main, head + 6, pack(u16, 200))
    assert_found(file, "bad_tree", main)
    for i = 1, 4 do -- branch, leaf, overflow pages, entries
      file:restore():poke(main, head + 8 * i, pack(u64, 7777))
      assert_only(file, "bad_count", main)
    end
    file:restore():poke(main, head + 40, pack(u64, -1)) -- no root
    assert_found(file, "bad_tree", main)
    assert_found(file, "leaked")
  end)
end)

describe("check finds in the buckets", function()
  local file
  -- magic 16 | kind 1 | flags 1 | id 8 | sequence 8 | name of the tree
  local KIND, FLAGS, ID, TREE = 16, 17, 18, 34

  --- Page and offset of the record under a name.
  local function record(owner, name)
    local page, at = file:find(owner, name .. damage.magic)
    return page, at + #name
  end

  before_each(function() file = make() end)
  after_each(fresh.clean)

  it("records that are damaged or missing", function()
    local page, at = record(damage.root, "plain")
    file:poke(page, at + KIND, "Z")
    assert_only(file, "bad_record", page)
    file:restore():poke(page, at + TREE + 2, "\0")
    assert_only(file, "bad_record", page)
    file:restore():poke(page, at, "no magic here")
    assert_only(file, "bad_record", page)
  end)

  it("trees that do not exist, or belong to two or to none", function()
    local page, at = record(damage.root, "plain")
    file:poke(page, at + TREE, "plane")
    assert_found(file, "missing_tree", page)
    page, at = record(damage.root, "log")
    file:restore():poke(page, at + TREE, "old")
    assert_found(file, "duplicate_tree")
    assert_found(file, "orphan") -- the tree "log"
    page, at = record("b", "old")
    file:restore():poke(page, at + TREE, "log")
    assert_found(file, "duplicate_tree")
    assert_found(file, "orphan", file:leaf("main"))
  end)

  it("ids that are given twice or were never given", function()
    local page, at = record(damage.root, "plain")
    local other_page, other = record(damage.root, "log")
    file:poke(page, at + ID, file:peek(other_page, other + ID, 8))
    assert_only(file, "duplicate_id")
    for _, id in ipairs{ 0, -1, 1000 } do
      file:restore():poke(page, at + ID, (">I8"):pack(id & math.maxinteger | id & math.mininteger))
      assert_only(file, "bad_id", page)
    end
  end)

  it("items of a bucket that nothing leads to", function()
    local page, at = record("b", "nested")
    file:poke(page, at + ID, (">I8"):pack(0x7000))
    local finding = assert_found(file, "orphan", file:find(damage.root, "key00001"))
    assert.matches("101 items", finding.message)
    assert_found(file, "orphan", file:leaf("main")) -- the tree of the bucket within
  end)

  it("integer keys that are none", function()
    local page, at = record(damage.root, "plain")
    file:poke(page, at + FLAGS, "\1")
    assert_only(file, "bad_integer_key", (file:find("plain", "a plain key")))
    local leaf = file:restore():leaf("log")
    file:poke(leaf, file:node(leaf, 0) + 8, "\x80")
    assert_only(file, "bad_integer_key", leaf)
  end)

  it("flags that lie", function()
    local page, at = record(damage.root, "b")
    file:poke(page, at + FLAGS, "\0")
    assert_only(file, "bad_flags", page)
    file:restore():poke(page, at + FLAGS, "\xff")
    assert_found(file, "bad_flags", page)
  end)

  it("marks that do not fit", function()
    local page, at = file:find(damage.root, ("\xff"):rep(8) .. "xdead")
    file:poke(page, at + 13, "q")
    assert_only(file, "bad_mark", page)
    file:restore():poke(page, at + 9, "dear")
    assert_only(file, "bad_mark", page)
    page, at = file:restore():find(damage.root, ("\xff"):rep(8) .. "xold")
    file:poke(page, at + 12, "d")
    assert_found(file, "bad_mark")
    file:restore():poke(page, at + 9, "log") -- a top-level bucket, which was not moved
    assert_only(file, "bad_mark", page)
  end)

  it("fields of the store that it did not write", function()
    local page, at = file:find(damage.root, ("\xff"):rep(8) .. "format")
    file:poke(page, at + 14, "9")
    assert_only(file, "bad_field", page)
    page, at = file:restore():find(damage.root, ("\xff"):rep(8) .. "next_id")
    file:poke(page, at + 15, ("\0"):rep(8))
    assert_found(file, "bad_field", page)
  end)
end)

describe("what check finds", function()
  after_each(fresh.clean)

  it("is sorted by page, limited, and says how much more there is", function()
    local file = make()
    for _, leaf in ipairs(file:pages_of("b", "leaf")) do file:poke(leaf, 10, "\x77\x77") end
    local ok, all = file:check{ findings_max = 10000 }
    assert.is_false(ok)
    for i = 2, #all do assert.is_true(all[i - 1].page <= all[i].page) end
    local _, some = file:check{ findings_max = 5 }
    assert.are.equal(6, #some)
    assert.are.equal("more", some[6].code)
    assert.are.equal(#all - 5, some[6].count)
    for i = 1, 5 do
      assert.is_string(store.finding_codes[some[i].code])
      assert.is_string(some[i].message)
    end
  end)

  it("is the same through an open DB, which such damage does not keep from opening", function()
    local file = make()
    local branch = file:pages_of("b", "branch")[1]
    file:poke(branch, file:node(branch, 3), pack(u32, 2))
    local _, by_path = file:check()
    local _, by_db = fresh.open(file.path, { read_only = true }):check()
    assert.are.same(by_path, by_db)
  end)

  it("has every code that there is", function()
    for code, sentence in pairs(store.finding_codes) do
      assert.matches("%.$", sentence)
      assert.is_true(found[code], code .. " was never found")
    end
    for code in pairs(found) do assert.is_string(store.finding_codes[code], code) end
  end)

  it("is told of any bytes at all, without a crash (SEED)", function()
    local state = spec_seed
    local function random(n)
      state = (state * 6364136223846793005 + 1442695040888963407) & math.maxinteger
      return (state >> 24) % n
    end
    local file = make()
    for round = 1, 300 do
      local where = ("seed %d, round %d"):format(spec_seed, round)
      for _ = 1, 1 + random(20) do
        local page = random(#file.original // file.page_size)
        local bytes = {}
        for i = 1, 1 + random(8) do bytes[i] = string.char(random(256)) end
        file:poke(page, random(3) == 0 and random(4088) or random(64), table.concat(bytes))
      end
      local passed, ok, findings = pcall(file.check, file)
      assert.is_true(passed, where)
      assert.is_true(ok or #findings > 0, where)
      store.pages(file.path)
      for _ = 1, 10 do
        local known, page = pcall(store.page, file.path, random(60))
        assert.is_true(known or page.code == "invalid_file", where)
      end
      if round % 10 == 0 then file:restore() end
    end
  end)
end)
