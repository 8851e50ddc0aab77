local files = require "jangada.files"
local labs = require "spec.support.labs"
local process = require "spec.support.process"

-- Makes a world whose files are in TMPDIR, and prints its directory.
local MAKE_WORLD <const> = [[
  local lab = require "jangada.lab"
  local world = lab.new{durability = "commit", protocol = {source = "return function() end"}}
  local directory = world.disk.prefix:match("^(.*)/")
  io.write(directory)
]]

local function exists(path)
  return os.rename(path, path) ~= nil
end

describe("the temporary stores of a lab with journals", function()
  -- Each boot adds one to what the boots before it have committed.
  local COUNT <const> = [[
    node.state = {boots = node.db:update(function(tx)
      local b = tx:ensure_bucket("b")
      b:put("boots", (tonumber(b:get("boots") or 0) + 1) .. "")
      return tonumber(b:get("boots"))
    end)}
  ]]
  local faults = {{at_ms = 10, kind = "crash", node = "n1", for_ms = 10},
    {at_ms = 40, kind = "crash", node = "n1", for_ms = 0}}

  it("keep what was committed when a node crashes, without a file for the journal", function()
    local world <close> = labs.world(COUNT, {nodes = 2, durability = "journal", faults = faults})
    assert.is_nil(world:run(100))
    assert.same({boots = 3}, world.nodes[1].state)
    assert.same({boots = 1}, world.nodes[2].state)
    assert.is_true(exists(world.disk:path("n1")))
    assert.is_false(exists(world.disk:path("n1") .. "-journal"))
  end)

  it("let a run be the same run as without journals", function()
    local hashes = {}
    for _, durability in ipairs{"none", "journal"} do
      local world <close> = labs.world(COUNT, {durability = durability, faults = faults})
      world:run(100)
      hashes[durability] = world:hash()
    end
    assert.equal(hashes.none, hashes.journal)
  end)
end)

describe("a disk that is wiped", function()
  -- What it had not flushed is not missed, either.
  it("has another journal, with nothing in it, and a store that knows of none before", function()
    local world <close> = labs.world([[
      node.state = {found = node.db:view(function(tx) return tx:bucket("b") ~= nil end)}
      node:on("put", function(message)
        node.db:update(function(tx) tx:ensure_bucket("b"):put("k", "v") end)
      end)
    ]], {hopeless = true, disk = {flush_ms = {"constant", 50}}, network = {delay_ms = {1, 1}}})
    local disk = world.disk
    for _ = 1, 2 do
      world:client("c1"):send("n1", {type = "put"})
      world:run(20) -- and then it is not flushed
    end
    local journal = disk.journals.n1
    assert.is_true(journal:size() > 0)
    assert.is_true(#disk.commits.n1 > 0)
    world:wipe(1)
    assert.not_equal(journal, disk.journals.n1)
    assert.equal(0, disk.journals.n1:size())
    assert.same({}, disk.commits.n1)
    assert.is_false(exists(disk:path("n1")))
    world:restart(1)
    world:run(100)
    assert.same({found = false}, world.nodes[1].state)
    world:crash(1) -- it boots from the journal that it has now
    world:restart(1)
    world:run(100)
    assert.same({found = false}, world.nodes[1].state)
    assert.is_nil(world.verdict)
  end)
end)

describe("the temporary directory of a lab", function()
  local parent
  before_each(function() parent = process.directory() end)

  local function start(text)
    return labs.start_process(MAKE_WORLD .. (text or ""), "TMPDIR=" .. files.quote(parent))
  end

  local function run(text)
    local pipe <close> = start(text)
    return pipe:read("a")
  end

  local function make_old(directory)
    assert(os.execute(("touch -d '2 minutes ago' %s/owner.db"):format(files.quote(directory))))
  end

  it("is removed when the process ends", function()
    local directory = run()
    assert.matches("/jangada%-lab%-%w+$", directory)
    assert.is_false(exists(directory))
  end)

  it("is removed by the next process when its own was killed", function()
    local killed = run("io.stdout:flush() os.execute('kill -9 $PPID')")
    assert.is_true(exists(killed .. "/w1-n1.db"))
    run()
    assert.is_true(exists(killed)) -- it is new: its process may be about to lock it
    make_old(killed)
    run()
    assert.is_false(exists(killed))
  end)

  it("stays while its process lives", function()
    assert(os.execute("mkfifo " .. files.quote(parent .. "/wait")))
    local wait = ("print() io.stdout:flush() io.open(%q)"):format(parent .. "/wait")
    local living <close> = start(wait)
    local directory = living:read("l")
    make_old(directory)
    run()
    local stayed = exists(directory)
    io.open(parent .. "/wait", "w"):close()
    living:read("a")
    assert.is_true(stayed)
    assert.is_false(exists(directory))
  end)
end)
