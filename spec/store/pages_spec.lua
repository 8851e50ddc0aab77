-- What uses each page of a file, and what stands on one.
local damage = require "spec.support.damage"
local fresh = require "spec.support.fresh"
local store = require "jangada.store"

local function fill(bucket, count, size)
  for i = 1, count do bucket:put("key" .. i, ("v"):rep(size or i % 300)) end
end

describe("store.pages and store.page", function()
  after_each(fresh.clean)

  it("tell who uses each page", function()
    local file = damage.make(function(tx)
      fill(tx:create_bucket("b"), 2000, 50)
      tx:bucket("b"):put("big", ("x"):rep(10000))
    end, function(tx) tx:bucket("b"):delete_range("key1", "key2") end)
    local rows, findings = store.pages(file.path)
    assert.are.same({}, findings)
    local next_number, items, kinds = 0, 0, {}
    for _, row in ipairs(rows) do
      assert.are.equal(next_number, row.number)
      next_number = next_number + (row.pages or 1)
      kinds[row.kind] = (kinds[row.kind] or 0) + 1
      if row.tree == "b" and row.kind == "leaf" then items = items + row.items end
    end
    assert.are.equal(next_number, #file.original // file.page_size)
    assert.are.equal(2, kinds.meta)
    assert.are.equal(1, kinds.overflow)
    assert.is_true(kinds.free > 0 and kinds.branch > 0 and kinds.leaf > 10)
    local db = fresh.open(file.path)
    assert.are.equal(items, db:view(function(tx) return tx:bucket("b"):count() end))
  end)

  it("tell what is in a page", function()
    local file = damage.make(function(tx)
      tx:create_bucket("b"):put("k", "v")
      tx:bucket("b"):put("big", ("x"):rep(10000))
    end)
    local meta = store.page(file.path, file:meta())
    assert.are.equal("meta", meta.kind)
    local main = store.page(file.path, meta.main.root)
    assert.are.same({ "leaf", "b" }, { main.kind, main.items[2].key })
    local leaf = store.page(file.path, main.items[2].tree.root)
    assert.are.same({ key = "k", value = "v", size = 1 }, leaf.items[2])
    assert.are.same({ "big", 10000 }, { leaf.items[1].key, leaf.items[1].size })
    local big = store.page(file.path, leaf.items[1].page)
    assert.are.same({ "overflow", 3 }, { big.kind, big.pages })
    assert.are.equal(("x"):rep(100), big.bytes:sub(17, 116))
    assert.are.equal("unknown", store.page(file.path, leaf.items[1].page + 1).kind)
    assert.is_nil(store.page(file.path, 1 << 40))
    assert.has_error(function() store.page(file.path, -1) end)
    fresh.raises("not_found", store.page, fresh.path(), 0)
  end)
end)
