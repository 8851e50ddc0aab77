local cjson = require "cjson"
local command = require "spec.support.db_command"

local must, run = command.must, command.run

local function sample()
  return command.file(function(tx)
    local accounts = tx:create_bucket("accounts")
    accounts:put("ann", "engineer")
    accounts:put("bob", "sailor")
    local notes = accounts:create_bucket("notes")
    notes:put("ann", "likes boats")
    notes:set_sequence(4)
    notes:create_bucket("deep", { tree = true }):put("k", "v")
    accounts:create_bucket("a/b\0")
    local log = tx:create_bucket("log", { keys = "integer" })
    local values = {}
    for i = 1, 1500 do values[i] = "entry " .. i end
    log:append(1, values)
    tx:create_bucket("shared", { tree = false }):put("k", "v")
  end)
end

describe("jangada db buckets", function()
  it("lists buckets in a table, with what is special about them", function()
    assert.equal([[
  bucket     keys  buckets  kind
  --------  -----  -------  -------------
  accounts      2        2
  log       1,500        0  integer keys
  shared        1        0  shares a tree
]], must{ "buckets", sample() })
  end)

  it("lists those in a bucket, to any depth", function()
    local path = sample()
    assert.equal("accounts/a\\/b\\x00\naccounts/notes\n",
      must{ "buckets", path, "accounts", "--names" })
    assert.equal([[
  bucket               keys  buckets  kind
  -------------------  ----  -------  ----------
  accounts/a\/b\x00       0        0
  accounts/notes          1        1  sequence 4
  accounts/notes/deep     1        0  own tree
]], must{ "buckets", path, "accounts", "--recursive" })
  end)

  it("prints paths that it reads", function()
    local path = sample()
    for _, name in ipairs(command.lines(must{ "buckets", path, "--names", "--recursive" })) do
      must{ "keys", path, name, "--limit", "1" }
    end
  end)

  it("prints an object a line", function()
    local rows = {}
    for i, line in ipairs(command.lines(must{ "buckets", sample(), "--recursive", "--json" })) do
      rows[i] = cjson.decode(line)
    end
    assert.equal(6, #rows)
    assert.same({ bucket = { "accounts", "a/b\0" }, keys = 0, buckets = 0, key_type = "string",
      tree = false, sequence = 0 }, rows[2])
    assert.same({ bucket = { "accounts", "notes", "deep" }, keys = 1, buckets = 0,
      key_type = "string", tree = true, sequence = 0 }, rows[4])
    assert.same({ bucket = { "log" }, keys = 1500, buckets = 0, key_type = "integer", tree = true,
      sequence = 0 }, rows[5])
  end)

  it("says that there are none", function()
    local path = command.file()
    local code, output, message = run{ "buckets", path }
    assert.same({ 0, "", path .. ": no buckets\n" }, { code, output, message })
  end)

  it("finds none in a file that holds only keys outside of any bucket", function()
    local path = command.foreign([[
VERSION=3
format=print
type=btree
HEADER=END
 plain
 v
DATA=END
]])
    local code, output, message = run{ "buckets", path }
    assert.same({ 0, "", path .. ": no buckets\n" }, { code, output, message })
  end)

  it("lists the databases of another program, and says which it cannot read", function()
    local path = command.foreign([[
VERSION=3
format=print
database=pairs
type=btree
dupsort=1
HEADER=END
 k
 v1
 k
 v2
DATA=END
VERSION=3
format=print
database=theirs
type=btree
HEADER=END
 key\00a
 v\ff
DATA=END
]])
    assert.equal([[
  bucket  keys  buckets  kind
  ------  ----  -------  --------------------------------------
  pairs      -        -  LMDB database that cannot be read here
  theirs     1        0
]], must{ "buckets", path })
    assert.equal("key\\x00a\tv\\xff\n", must{ "keys", path, "theirs", "--values" })
    local code, _, message = run{ "keys", path, "pairs" }
    assert.equal(2, code)
    assert.truthy(message:find(path, 1, true) and message:find("'pairs'", 1, true), message)
    local _, output, note = run{ "dump", path }
    assert.equal("theirs\tkey\\x00a\tv\\xff\n", output)
    assert.truthy(note:find("'pairs'", 1, true), note)
    must{ "inspect", path }
    must{ "stats", path }
  end)
end)

describe("jangada db inspect", function()
  it("draws the tree with lines in a UTF-8 locale", function()
    local path = sample()
    assert.equal(path .. [[  (6 buckets, 1,505 keys)
├── accounts          2 keys
│   ├── a\/b\x00      0 keys
│   └── notes         1 key   sequence 4
│       └── deep      1 key   own tree
├── log           1,500 keys  integer keys
└── shared            1 key   shares a tree
]], must{ "inspect", path })
  end)

  it("draws it in ASCII in any other", function()
    local path = sample()
    assert.equal(path .. [[  (4 buckets, 4 keys)
`-- accounts          2 keys
    |-- a\/b\x00      0 keys
    `-- notes         1 key   sequence 4
        `-- 1 bucket
]], must({ "inspect", path, "accounts", "--depth", "2" }, { locale = "C" }))
  end)

  it("prints one object, buckets in buckets (Bolt 92)", function()
    local object = cjson.decode(must{ "inspect", sample(), "--json" })
    assert.equal("deep", object.buckets[1].buckets[2].buckets[1].bucket[3])
    assert.equal(1500, object.buckets[2].keys)
  end)
end)

describe("jangada db stats", function()
  it("counts keys and pages of each bucket, with those in it", function()
    local output = must{ "stats", sample() }
    for _, line in ipairs{
      "  accounts      4        3      1       0     2         0   8 KiB",
      "  log       1,500        0      2       1    11         0  48 KiB",
      "  shared        1        0      -       -     -         -       -",
    } do
      assert.truthy(output:find("\n" .. line .. "\n", 1, true), output)
    end
    assert.matches("\n  %d+ pages of 4 KiB: %d+ used, %d+ free\n", output)
  end)

  it("counts the pages that LMDB's own tool counts", function()
    local path = sample()
    local pipe <close> = assert(io.popen(("mdb_stat -n -s log %s"):format(path)))
    local theirs = pipe:read("a")
    local ours = cjson.decode(must{ "stats", path, "log", "--json" }).buckets[1]
    assert.equal(tonumber(theirs:match("Entries: (%d+)")), ours.keys)
    assert.equal(tonumber(theirs:match("Branch pages: (%d+)")), ours.branch_pages)
    assert.equal(tonumber(theirs:match("Leaf pages: (%d+)")), ours.leaf_pages)
    assert.equal(tonumber(theirs:match("Tree depth: (%d+)")), ours.depth)
  end)
end)
