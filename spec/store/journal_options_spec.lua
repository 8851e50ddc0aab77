-- The options of store.open that concern the journal.
local fresh = require "spec.support.fresh"
local journals = require "spec.support.journals"
local store = require "jangada.store"

describe("the options of a journal", function()
  after_each(fresh.clean)

  local function refuses(options, pattern)
    options.durability = options.durability or "journal"
    assert.error_matches(function() store.open(fresh.path(), options) end, pattern)
  end

  it("are checked", function()
    for _, size in ipairs{ 65535, (1 << 30) + 1, 0, -1, 1.5, math.huge } do
      refuses({ journal_size = size },
        "option 'journal_size' must be an integer from 65536 to 1073741824")
    end
    refuses({ journal_size = "65536" }, "option 'journal_size' must be a number, not a string")
    refuses({ flusher = 1 }, "option 'flusher' must be a boolean")
    refuses({ salvage = "yes" }, "option 'salvage' must be a boolean")
    for _, disk in ipairs{ {}, "disk", true, io.stdout } do
      refuses({ journal_disk = disk },
        "option 'journal_disk' must be a MemoryDisk, not a " .. type(disk))
    end
    refuses({ shared = true }, "durability 'journal' and shared exclude each other")
    refuses({ durability = "Journal" },
      "option 'durability' is commit or none or journal, not 'Journal'")
  end)

  it("journal_size is counted in whole blocks", function()
    local db = journals.open(nil, { journal_size = 65536 + 4095 })
    db:update(function(tx) tx:create_bucket("b") end)
    assert.equal(65536, db:info().journal.size)
    db = journals.open(nil, { journal_size = 65536 + 4096 })
    db:update(function(tx) tx:create_bucket("b") end)
    assert.equal(65536 + 4096, db:info().journal.size)
  end)

  it("with read_only make none", function()
    local path = fresh.path()
    journals.open(path):close()
    local db = journals.open(path, { read_only = true })
    assert.equal("journal", db:info().durability)
    assert.is_nil(db:info().journal)
    assert.is_nil(io.open(path .. "-journal"))
  end)
end)
