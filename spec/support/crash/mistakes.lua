-- Mistakes that a store could make: its name, the program that must find it, with which arguments,
-- what that must say, and the mistake itself: {file in csrc, what stands there once, what then}.

-- ---- of a commit to LMDB ----------------------------------------------------------------------

local COMMIT <const> = "  int rc = mdb_txn_commit(txn);\n  return rc == EIO"
local BEGIN <const> = "  return jg_db_begin_txn(db, tx->writable ? 0 : MDB_RDONLY, &tx->outer);"

local commit = {
  { "skips the flush", "orders", "", {
    { "open.c", "if (db->durability == JG_NONE) flags", "flags" } } },
  { "acknowledges before the flush", "orders", "", {
    { "tx.c", COMMIT, "  mdb_env_set_flags(tx->db->env, MDB_NOSYNC, 1);\n"
      .. "  int rc = mdb_txn_commit(txn);\n"
      .. "  mdb_env_set_flags(tx->db->env, MDB_NOSYNC, 0);\n  return rc == EIO" },
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
  { "believes a page that a failed flush left in memory", "faults", "", {
    { "file.c", "n = o->shared ?", "n = true ?" } } },
  { "builds on what was not flushed", "faults", "", {
    { "file.c", "  if (!secure_meta(fd, meta, is_second, path, o, f)) return false;\n", "" } } },
  { "does not see that it is poisoned", "faults", "", {
    { "tx.c", "return rc == MDB_PANIC;", "return false;" } } },
}

-- ---- of a commit to the journal ---------------------------------------------------------------

local WRITE <const> = "  int written = size > 0 ? "
  .. "j->disk->calls->write(j->disk, at, bytes, size, &flush) : 0;\n"
local WRITE_MARKER <const> = "  rc = jg_write_marker(&tx, marker);\n"
local COMMIT_PARENT <const> = "    MDB_txn *parent = j->parent;\n    j->parent = NULL;\n"
  .. "    rc = mdb_txn_commit(parent);\n"
local PLACES <const> = "  for (int i = 0; i < 2; i++) {\n"
local PASS_OVER <const> = "  for (int i = 0; i < 2 || places[1] < scan->size; i++) {\n"
  .. "    if (i > 1) places[1] += 8;\n    if (i > 1) i = 1;\n"

local journal = {
  { "skips the flush of the journal", "orders", "", {
    { "disk.c", "  if (fdatasync(d->fd) != 0) return errno;\n", "" },
    { "disk.c", "size, RWF_DSYNC, &done)", "size, 0, &done)" } } },
  { "acknowledges before the flush of the journal", "orders", "acknowledged steps are lost", {
    { "flusher.c", WRITE .. "  int rc = written == 0 && flush ? j->disk->calls->flush(j->disk) : "
      .. "written;", "  int rc = flushes ? j->disk->calls->flush(j->disk) : 0;\n  flush = false;\n"
      .. WRITE .. "  if (written != 0) rc = written;" } } },
  { "replays past a bad record", "orders", "", {
    { "journal.c", PLACES, PASS_OVER },
    { "journal.c", "jg_get_u64(p + 24) != lsn ||", "jg_get_u64(p + 24) < lsn ||" } } },
  { "believes a record without its checksum", "orders", "", {
    { "journal.c", "== jg_get_u32(p + 4) ? size : 0", "!= 1 ? size : 0" } } },
  -- What becomes valid again is too much, or does not fit what is there.
  { "begins no new epoch at open", "orders", "it [hd]o", {
    { "recovery.c", "    marker->epoch++;\n", "" },
    { "recovery.c", "  if (getrandom(", "  if (j->id == 0 && getrandom(" },
    { "checkpoint.c", ".epoch = j->epoch + 1,", ".epoch = j->epoch + !j->marker_clean," } } },
  { "writes the marker outside of the parent's commit", "orders", "", {
    { "checkpoint.c", WRITE_MARKER, "" },
    { "checkpoint.c", COMMIT_PARENT, COMMIT_PARENT
      .. "    if (rc == 0) rc = mdb_txn_begin(db->env, NULL, 0, &tx.txn);\n"
      .. "    if (rc == 0) tx.id = marker->txn_id = mdb_txn_id(tx.txn);\n"
      .. "    if (rc == 0) rc = jg_write_marker(&tx, marker);\n"
      .. "    if (rc == 0) rc = mdb_txn_commit(tx.txn);\n" } } },
  { "does not flush the name of the journal", "orders", "journal_missing", {
    { "disk.c", "rc == 0 && !jg_file_sync_directory", "false && !jg_file_sync_directory" } } },
  { "calls a file clean whose journal it could not bring in", "faults", "", {
    { "recovery.c", "    drop(db);\n    return is_whole;", "    return is_whole;" } } },
  -- A write that is flushed by the same call poisons, and takes nothing back.
  { "keeps the trees of a commit that it takes back", "faults", "", {
    { "disk.c", "!d->is_unflushed && !d->refuses_dsync)", "false)" },
    { "checkpoint.c", "  jg_trees_forget(&db->trees, 1); /* its own:", "  /* its own:" } } },
}

local BUDGETS <const> = { orders = "--states 100000", faults = "--steps 4 --seconds 600" }

local mistakes = {}
for durability, list in pairs{ commit = commit, journal = journal } do
  for i, mistake in ipairs(list) do
    local name, program, verdict, changes = table.unpack(mistake)
    mistakes[#mistakes + 1] = {
      name = name, program = program, verdict = verdict, changes = changes,
      directory = durability .. i,
      arguments = ("--durability %s --seed 1 %s"):format(durability, BUDGETS[program]),
    }
  end
end
table.sort(mistakes, function(a, b) return a.directory < b.directory end)

return mistakes
