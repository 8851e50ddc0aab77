-- Crashed in every way a disk can: docs/crash.md says what each program tries. SEED=n: from there.
local broken = require "spec.support.crash.broken"
local fresh = require "spec.support.fresh"
local prove = require "spec.support.crash.prove"

local seed = tonumber(os.getenv("SEED")) or os.time() % 100000
local durabilities = { "commit", "journal" }

for _, durability in ipairs(durabilities) do
  describe("durability " .. durability, function()
    local function holds(program, arguments)
      prove.holds(program, ("--durability %s --seed %d %s"):format(durability, seed, arguments))
    end

    it("survives each order in which a disk may have written", function()
      holds("orders", "--steps 6 --states 200")
    end)

    it("survives each order in which a disk may have written, at length #slow", function()
      holds("orders", "--states 20000")
    end)

    it("survives a disk that fails", function()
      holds("faults", "--steps 2")
    end)

    it("survives a disk that fails, at length #slow", function()
      holds("faults", "--steps 12")
    end)
  end)
end

for _, durability in ipairs{ "commit", "journal", "none" } do
  describe("durability " .. durability, function()
    it("survives kill -9, hundreds of times #slow", function()
      prove.holds("kills", ("--durability %s --seed %d --kills 200"):format(durability, seed))
    end)
  end)
end

describe("durability none", function()
  it("tells of a disk that fails #slow", function()
    prove.holds("faults", ("--durability none --seed %d --steps 12"):format(seed))
  end)
end)

describe("a program that is no part of the proofs", function()
  after_each(fresh.clean)

  it("is made to fail from without", function()
    local path = fresh.path()
    local db = fresh.open(path)
    db:update(function(tx) tx:create_bucket("b") end)
    db:close()
    local command = ("RECORDER_FAIL='%s %%s' %s lua5.4 bin/jangada db put '%s' b k v 2>&1"):format(
      fresh.directory, prove.environment(), path)
    local pipe <close> = assert(io.popen(command:format("write 1 ENOSPC forever")))
    assert.matches("No space left", pipe:read("a"))
    assert.is_nil((pipe:close()))
  end)
end)

-- Each is a store with one mistake in it: the program that must find it, and what it must say.
local COMMIT <const> = "  int rc = mdb_txn_commit(txn);"
local BEGIN <const> = "  return jg_db_begin_txn(db, tx->writable ? 0 : MDB_RDONLY, &tx->outer);"

local mistakes = {
  { "skips the flush", "orders", "", {
    { "open.c", "if (db->durability == JG_NONE) flags", "flags" } } },
  { "acknowledges before the flush", "orders", "", {
    { "tx.c", COMMIT, "  mdb_env_set_flags(tx->db->env, MDB_NOSYNC, 1);\n" .. COMMIT
      .. "\n  mdb_env_set_flags(tx->db->env, MDB_NOSYNC, 0);" },
    { "tx.c", BEGIN, "  mdb_env_sync(db->env, 1);\n" .. BEGIN } } },
  { "does not flush the meta page", "orders", "acknowledged steps are lost", {
    { "open.c", "MDB_NOSUBDIR | MDB_NOTLS", "MDB_NOSUBDIR | MDB_NOTLS | MDB_NOMETASYNC" } } },
  { "does not flush the first commit", "orders", "", {
    { "file.c", "MDB_NOSUBDIR | MDB_NOLOCK", "MDB_NOSUBDIR | MDB_NOLOCK | MDB_NOSYNC" } } },
  { "does not flush the directory", "orders", "acknowledged steps are lost", {
    { "file.c", "|| jg_file_sync_directory(path, f)", "|| true" } } },
  { "flushes the directory only when it makes the file", "orders", "acknowledged steps are lost", {
    { "file.c", "|| jg_file_sync_directory(path, f)", "|| true" },
    { "file.c", "  close(fd);\n  unlink(temporary);",
      "  if (f->code == NULL) jg_file_sync_directory(path, f);\n  close(fd);\n"
      .. "  unlink(temporary);" } } },
  { "commits what raised", "orders", "", {
    { "db.c", "if (ok && writable)", "if (writable)" } } },
  { "builds on what was not flushed", "faults", "", {
    { "file.c", "o->durability != JG_NONE && fdatasync(fd) != 0", "false" } } },
  { "does not see that it is poisoned", "faults", "nothing is answered any more", {
    { "tx.c", "return rc == MDB_PANIC;", "return false;" } } },
}

describe("a store that", function()
  for i, mistake in ipairs(mistakes) do
    local name, program, verdict, changes = table.unpack(mistake)
    it(name .. " is found out #slow", function()
      local cpath = broken.build(tostring(i), changes)
      prove.finds(program, "--seed 1", cpath, verdict)
    end)
  end
end)
