-- What a crash left in the journal, and an open that cannot bring it in (csrc/recovery.c).
local fresh = require "spec.support.fresh"
local store = require "jangada.store"

local function read_file(path)
  local file <close> = assert(io.open(path, "rb"))
  return file:read("a")
end

local function write_file(path, bytes)
  local file <close> = assert(io.open(path, "wb"))
  file:write(bytes)
end

-- A store whose last commits are in its journal alone.
local function dropped()
  local db, path = fresh.open(nil, { durability = "journal", journal_size = 1 << 16 })
  for i = 1, 3 do
    db:update(function(tx) tx:ensure_bucket("b"):put("k", "commit " .. i) end)
  end
  db:abandon()
  return path
end

local function code_of(path, options)
  local db, _, code = store.open(path, options)
  if db then db:close() end
  return code or "opens"
end

describe("an open that cannot bring the journal in", function()
  after_each(fresh.clean)

  local flushed = 48 -- bytes of the first record that a later one vouches for
  local damages = {
    { "journal_missing", function(journal) os.remove(journal) end },
    { "journal_foreign", function(journal)
      write_file(journal, read_file(dropped() .. "-journal"))
    end },
    { "journal_corrupt", function(journal, bytes)
      write_file(journal, bytes:sub(1, flushed) .. "damage" .. bytes:sub(flushed + 7))
    end },
  }
  for _, damage in ipairs(damages) do
    local code, break_it = table.unpack(damage)
    it("says " .. code .. " each time, and changes nothing", function()
      local path = dropped()
      local journal = path .. "-journal"
      local bytes = read_file(journal)
      break_it(journal, bytes)
      for _ = 1, 2 do
        for _, durability in ipairs{ "journal", "commit", "none" } do
          assert.equal(code, code_of(path, { durability = durability }))
        end
      end
      write_file(journal, bytes)
      local db = fresh.open(path)
      assert.equal("commit 3", db:view(function(tx) return tx:bucket("b"):get("k") end))
    end)
  end

  for _, options in ipairs{ { read_only = true }, { shared = true } } do
    it("says journal_pending with " .. next(options) .. ", and changes nothing", function()
      local path = dropped()
      for _ = 1, 2 do assert.equal("journal_pending", code_of(path, options)) end
      local db = fresh.open(path)
      assert.equal("commit 3", db:view(function(tx) return tx:bucket("b"):get("k") end))
    end)
  end
end)
